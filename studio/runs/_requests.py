"""Ask something of a run: cancel, pause, resume, move, discard; name it, note it, tag it.

A wish is a file in the run folder that the worker looks for after every step: `cancel`,
`pause`, and `discard` beside a cancel. Nothing here starts a process.
"""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from typing import Literal

from studio.errors import InputError
from studio.language import say
from studio.runs._creation import DeviceChoice
from studio.runs._job import Job, get_job, list_unfinished
from studio.runs._record import change_record, changing, read_record, write_record
from studio.system.atomic import guard_disk
from studio.team.rights import require_right
from studio.workspace import Workspace

Move = Literal["first", "up", "down", "last"]

DOOMED = ".deleted-"
"""Beginning of the name of a folder that is being deleted for good."""
_PAUSABLE = ("train", "download", "sweep", "classify")
"""Kinds whose worker can stop with all it needs to go on."""
_RESUMED_FROM_FILES = ("download", "sweep", "evaluate", "classify")
"""Kinds that go on with what their files lack; they need no checkpoint."""


def cancel(workspace: Workspace, run_id: str) -> None:
    """Ask a run to end and keep what it has: at once when it waits, at its next step when it runs.

    A run that is over stays as it is, but a paused one is cancelled.
    """
    require_right("change_runs")
    run = get_job(workspace, run_id)
    if not run.is_over or run.state == "paused":
        _wish(run, "cancel")


def _wish(run: Job, name: str) -> None:
    """Leave a wish in the run folder.

    Raises:
        DiskFull, NotWritable: it could not be left.
    """
    with guard_disk(run.folder):
        (run.folder / name).touch()


def discard(workspace: Workspace, run_id: str) -> None:
    """Ask a run to end and throw its checkpoints away; those of one that is over go at once.

    Raises:
        InputError: it is done, its checkpoint is the model that it was run for; or only recorded.
    """
    require_right("change_runs")
    run = get_job(workspace, run_id)
    if run.state == "done" or run.recorded:
        raise InputError(
            say(f"运行 {run_id} 已完成，模型保留。", f"Run {run_id} is done; its model is kept."),
            remedy=say("只有未完成的运行可以丢弃。", "Only runs that are not done can be discarded."),
        )
    # Before the cancel: a worker that sees the cancel must know already what is to be kept.
    _wish(run, "discard")
    cancel(workspace, run_id)
    throw_away_if_wanted(get_job(workspace, run_id))


LONGEST_LABEL, LONGEST_NOTE, LONGEST_TAG, MOST_TAGS = 120, 2000, 30, 20


def rename(workspace: Workspace, run_id: str, *, label: str | None = None, note: str | None = None) -> None:
    """Give a run another name, another note, or both; an empty name leaves its id, None what was there.

    Raises:
        InputError: there is no such run, or it is only recorded.
    """
    require_right("change_runs")
    run = get_job(workspace, run_id)
    require_own(run)
    changes: dict[str, object] = {}
    if label is not None:
        changes["label"] = " ".join(label.split())[:LONGEST_LABEL]
    if note is not None:
        changes["note"] = note.strip()[:LONGEST_NOTE]
    change_record(run.folder, **changes)


def tag(workspace: Workspace, run_id: str, tags: Iterable[str]) -> None:
    """Replace the tags of a run.

    Raises:
        InputError: there is no such run, it is only recorded, or there are too many tags.
    """
    require_right("change_runs")
    run = get_job(workspace, run_id)
    require_own(run)
    change_record(run.folder, tags=clean_tags(tags))


def clean_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Normalize tags: white space collapsed, no comma, each once.

    Raises:
        InputError: there are too many.
    """
    # A comma parts the tags of an address and of a command.
    words = (" ".join(word.split())[:LONGEST_TAG] for each in tags for word in each.split(","))
    found = tuple(dict.fromkeys(filter(None, words)))
    if len(found) > MOST_TAGS:
        raise InputError(
            say(f"最多 {MOST_TAGS} 个标签。", f"A run has at most {MOST_TAGS} tags."),
            remedy=say("请去掉几个。", "Remove some."),
        )
    return found


def require_own(run: Job) -> None:
    """Require that a run is of this workspace.

    Raises:
        InputError: it is only recorded.
    """
    if run.recorded:
        raise InputError(
            say("内置的记录不能改动。", "The recorded run that ships cannot be changed."),
            remedy=say("它不占用工作区。", "It takes no space in the workspace."),
        )


def throw_away_if_wanted(run: Job) -> None:
    """Remove the checkpoints of a run that was discarded and goes on no more; a done one's stay."""
    checkpoints = run.folder / "checkpoints"
    wanted = (run.folder / "discard").exists() and run.is_over and run.state != "done"
    if wanted and checkpoints.exists():
        # Out of sight in one step: nobody is to load half of them.
        doomed = run.folder / ".discarded"
        shutil.rmtree(doomed, ignore_errors=True)
        checkpoints.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def finish_discards(workspace: Workspace) -> None:
    """Throw away what discarded runs left whose job process was killed, and runs half deleted."""
    for doomed in workspace.runs.glob(f"{DOOMED}*"):
        shutil.rmtree(doomed, ignore_errors=True)
    for wish in workspace.runs.glob("*/discard"):
        with suppress(InputError):  # no run, or not a readable one
            throw_away_if_wanted(get_job(workspace, wish.parent.name))


def is_cancel_wanted(run: Job) -> bool:
    """Whether somebody asked the run to end."""
    return (run.folder / "cancel").exists()


def is_pause_wanted(run: Job) -> bool:
    """Whether somebody asked the run to pause."""
    return (run.folder / "pause").exists()


def can_pause(run: Job) -> bool:
    """Whether a pause would be heeded: of what waits, and of work that can go on later."""
    if run.recorded or run.record.worked_by:
        return False
    return run.state == "queued" or (run.state == "running" and run.spec.kind in _PAUSABLE)


def pause(workspace: Workspace, run_id: str) -> None:
    """Ask a run to stop with everything it needs to go on; one that waits is put aside at once.

    Raises:
        InputError: it is over, or its work cannot be interrupted.
    """
    require_right("change_runs")
    run = get_job(workspace, run_id)
    if run.state == "paused":
        return
    if not can_pause(run):
        raise InputError(
            say(f"运行 {run_id} 不能暂停。", f"Run {run_id} cannot be paused."),
            remedy=say(
                "只有等待中的任务、训练、分类和下载可以暂停；其他任务可以取消后重来。",
                "Only queued jobs, training, classifications and downloads can be paused;"
                " cancel other jobs and start them again.",
            ),
        )
    _wish(run, "pause")


def why_not_resumable(run: Job) -> str | None:
    """Why a run cannot go on where it stopped, in a sentence; None when it can."""
    if run.state == "paused" and run.result is None and not run.record.worked_by:
        return None  # put aside before it began
    if run.recorded:
        return say("这只是内置的记录。", "It is only a record.")
    if run.record.worked_by:
        return say(f"它属于 {run.record.worked_by}。", f"It belongs to {run.record.worked_by}.")
    if not run.is_over:
        return say("它还没有停下。", "It has not stopped.")
    if run.state == "done":
        return say("它已完成。", "It is done.")
    return None if run.spec.kind in _RESUMED_FROM_FILES else _why_no_checkpoint(run)


def _why_no_checkpoint(run: Job) -> str | None:
    if run.spec.kind != "train":
        return say(
            "只有训练、评估、分类和下载可以继续。",
            "Only training, evaluations, classifications and downloads can be resumed.",
        )
    if run.resume_point:
        return None
    if (run.folder / "discard").exists():
        return say("它的检查点已丢弃。", "Its checkpoints were discarded.")
    return say("它没有可以继续的检查点。", "It has no checkpoint that it could resume from.")


def make_ready_to_go_on(workspace: Workspace, run_id: str) -> Job:
    """Let a run that stopped wait again, at the end of the queue; it is to be submitted.

    Raises:
        InputError: it cannot go on, and why.
    """
    with changing(workspace.runs):
        run = get_job(workspace, run_id)
        if reason := why_not_resumable(run):
            raise InputError(
                say(
                    "运行 {run_id} 不能继续：{reason}",
                    "Run {run_id} cannot be resumed. {reason}",
                    run_id=run_id,
                    reason=reason,
                ),
                remedy=say(
                    f"可以重新开始：news-studio runs retry {run_id}",
                    f"Start it again: news-studio runs retry {run_id}",
                ),
            )
        last = max((job.record.place_in_queue for job in waiting(workspace)), default=0.0)
        record = run.record.model_copy(
            update={"order": max(last + 1, run.record.place_in_queue), "placed_on": ()}
        )
        write_record(run.folder, record)
        # In this order it can be interrupted anywhere: until `alive` goes the run is over and can be
        # resumed, and only then it waits.
        for name in ("result.json", "discard", "ray.json", "cancel", "pause", "alive"):
            (run.folder / name).unlink(missing_ok=True)
    return get_job(workspace, run_id)


def waiting(workspace: Workspace) -> list[Job]:
    """List what waits in the queue, the next first; members of a sweep wait in theirs."""
    return in_order(list_unfinished(workspace))


def in_order(jobs: Iterable[Job]) -> list[Job]:
    """Those of the jobs that wait, the next first."""
    found = [job for job in jobs if job.state == "queued" and not job.record.worked_by]
    return sorted(found, key=lambda job: (job.record.place_in_queue, job.created_at, job.id))


def move(workspace: Workspace, run_id: str, to: Move) -> None:
    """Move a waiting run within the queue.

    Raises:
        InputError: it does not wait.
    """
    require_right("change_runs")
    with changing(workspace.runs):
        queue = waiting(workspace)
        run = _waiting_one(queue, get_job(workspace, run_id))
        old = queue.index(run)
        new = {"first": 0, "up": max(0, old - 1), "down": old + 1, "last": len(queue)}[to]
        places = [job.record.place_in_queue for job in queue]
        queue.insert(new, queue.pop(old))
        for number, job in enumerate(queue):
            if number:  # two that were asked for at the same moment had the same place
                places[number] = max(places[number], places[number - 1] + 1e-3)
            if job.record.order != places[number]:
                record = read_record(job.folder)
                write_record(job.folder, record.model_copy(update={"order": places[number]}))


def put_on(workspace: Workspace, run_id: str, place: DeviceChoice) -> None:
    """Choose where a run that has not begun, or is paused, shall run.

    Raises:
        InputError: it runs or is over.
    """
    run = get_job(workspace, run_id)
    if run.state != "paused":
        _waiting_one(waiting(workspace), run)
    change_record(run.folder, device=place.device, processes=place.processes)


def _waiting_one(queue: list[Job], run: Job) -> Job:
    for job in queue:
        if job.id == run.id:
            return job
    raise InputError(
        say(f"运行 {run.id} 不在等待（状态：{run.state}）。", f"Run {run.id} is not queued ({run.state})."),
        remedy=say("用 news-studio runs 查看队列。", "See the queue with: news-studio runs"),
    )
