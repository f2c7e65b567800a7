"""Read a run folder: its state, its spec, its result; list and find runs.

A run is a folder. Its state is derived from what is there, never stored:

    lock of `alive` held        running
    result.json                 done, failed, cancelled or paused, as the result says;
                                paused and `cancel`: cancelled
    no result, `ray.json`       running: the cluster has it until a result says otherwise
    no result, `cancel`         cancelled: it never began, or had to be killed
    no result, `alive`          lost: somebody killed the worker
    no result, `pause`          paused before it began
    nothing of these            queued

A run that another job's worker does (a sweep's member) waits as long as that job goes on.

This module starts nothing and knows no queue.
"""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from studio.contract import (
    AnsweringSpec,
    BehaviourSpec,
    ClassifySpec,
    DownloadSpec,
    DraftSpec,
    EvaluateSpec,
    ExportSpec,
    ForgettingSpec,
    InfluenceSpec,
    RangeTestSpec,
    Result,
    SampleSpec,
    SweepSpec,
    TrainSpec,
)
from studio.errors import InputError, UnreadableFile
from studio.language import say
from studio.messages import shown
from studio.releases.records import released_run
from studio.runs._record import RunRecord, read_record
from studio.system import processes as workers
from studio.system.documents import READ_FAULTS, one_line, read_whole
from studio.workspace import SAMPLE_RUN, Workspace

log = logging.getLogger(__name__)

RunState = Literal["queued", "running", "done", "failed", "cancelled", "paused", "lost"]
JobSpec = (
    TrainSpec
    | EvaluateSpec
    | ClassifySpec
    | DraftSpec
    | DownloadSpec
    | ExportSpec
    | RangeTestSpec
    | SweepSpec
    | BehaviourSpec
    | InfluenceSpec
    | SampleSpec
    | ForgettingSpec
)

RESUME_STATE = "resume/loop.json"
"""In a checkpoint that a training can go on from; a checkpoint for use only has none."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_job_spec: TypeAdapter[JobSpec] = TypeAdapter(Annotated[JobSpec, Field(discriminator="kind")])


@dataclass(frozen=True, kw_only=True)
class Job:
    """Work in a run folder as it stood when it was read; paths in `spec` are absolute."""

    id: str
    folder: Path
    spec: JobSpec
    state: RunState
    result: Result | None
    record: RunRecord
    recorded: bool

    @property
    def created_at(self) -> datetime:
        """When it was asked for."""
        return self.record.created_at

    @property
    def label(self) -> str:
        """Read the name that somebody gave it; often empty."""
        return shown(self.record.label) or ""

    @property
    def version(self) -> str | None:
        """Dataset version as `name@3`, when the rows come from one."""
        return self.record.version

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state not in ("queued", "running")

    @property
    def needs_device(self) -> bool:
        """Whether it computes; the others fetch or ask, and hold no device up."""
        if isinstance(self.spec, AnsweringSpec) and self.spec.engine == "endpoint":
            return False
        return not isinstance(self.spec, DownloadSpec | DraftSpec)

    @property
    def resume_point(self) -> Path | None:
        """The newest checkpoint that holds everything a training needs to go on."""
        found = [path.parents[1] for path in self.folder.glob(f"checkpoints/step_*/{RESUME_STATE}")]
        return max(found, key=_step, default=None)

    @property
    def failure(self) -> tuple[str, str] | None:
        """Problem and remedy of a run that failed or was lost; None for the others."""
        if self.state == "lost":
            return (
                say(
                    "工作进程在完成前被终止（例如内存不足或被系统杀死）。",
                    "The worker was killed before it finished.",
                ),
                say(
                    f"{self._go_on[0]}；若再次发生，减小批大小或 cutoff_len，并查看日志。",
                    f"{self._go_on[1]}; if it happens again, lower the batch size or cutoff_len and read"
                    " the log.",
                ),
            )
        if self.state == "failed" and self.result:
            return self.result.text("message"), self.result.text("remedy")
        return None

    @property
    def _go_on(self) -> tuple[str, str]:
        if self.resume_point:
            return (
                f"请从检查点 {self.resume_point.name} 继续，或重新开始一次",
                f"Resume it from {self.resume_point.name}, or start it again",
            )
        if self.spec.kind in ("evaluate", "classify"):
            return "请继续它：已有的回答都在", "Resume it: the answers so far are kept"
        return "请重新开始一次", "Start it again"


@dataclass(frozen=True, kw_only=True)
class Run(Job):
    """A job that runs a model of ours: a training or an evaluation."""

    spec: TrainSpec | EvaluateSpec


def list_runs(workspace: Workspace, *, sample: Path = SAMPLE_RUN) -> list[Run]:
    """Every readable run, newest first; the recorded sample run, if there, last."""
    recorded = _readable_run(sample, recorded=True) if (sample / "spec.json").exists() else None
    found = [*list_jobs(workspace), *([recorded] if recorded else [])]
    return [run for run in found if isinstance(run, Run)]


def list_jobs(workspace: Workspace) -> list[Job]:
    """Every readable job of this workspace, whatever its kind, newest first."""
    return _read_all(_run_folders(workspace))


def list_unfinished(workspace: Workspace) -> list[Job]:
    """Every readable job that has no result or a living worker, newest first.

    All that wait or run, and what ended without a result. Finished folders, by far the most, are not
    parsed: a look at one takes two system calls.
    """
    return _read_all(
        folder
        for folder in _run_folders(workspace)
        if not (folder / "result.json").exists() or workers.is_alive(folder)
    )


def _read_all(folders: Iterable[Path]) -> list[Job]:
    found = [job for job in map(_readable_run, folders) if job]
    return sorted(found, key=lambda job: (job.created_at, job.id), reverse=True)


def unreadable_runs(workspace: Workspace) -> list[UnreadableFile]:
    """Why folders that look like runs are not in `list_runs`."""
    problems = []
    for folder in _run_folders(workspace):
        try:
            read_folder(folder)
        except UnreadableFile as error:
            problems.append(error)
    return problems


def get_run(workspace: Workspace, run_id: str, *, sample: Path = SAMPLE_RUN) -> Run:
    """Find the run of that id.

    Raises:
        InputError: there is none.
        UnreadableFile: its spec cannot be read.
    """
    run = get_job(workspace, run_id, sample=sample)
    if not isinstance(run, Run):
        raise _no_run(run_id)
    return run


def get_job(workspace: Workspace, run_id: str, *, sample: Path = SAMPLE_RUN) -> Job:
    """Find the job of that id, whatever its kind, or the run that a release of that name stands for.

    Raises:
        InputError: there is none.
        UnreadableFile: its spec cannot be read.
    """
    if run_id == sample.name and (sample / "spec.json").exists():
        return read_folder(sample, recorded=True)
    folder = workspace.runs / run_id
    if is_run_id(run_id) and (folder / "spec.json").exists():
        return read_folder(folder)
    released = released_run(workspace, run_id)
    if released is None or released == run_id:
        raise _no_run(run_id)
    return get_job(workspace, released, sample=sample)


def is_run_id(text: str) -> bool:
    """Tell whether a text can be the name of a run's folder."""
    return bool(_ID.fullmatch(text))


def _no_run(run_id: str) -> InputError:
    return InputError(
        say(f"没有名为 {run_id} 的运行。", f"There is no run {run_id}."),
        remedy=say("用 news-studio runs 查看所有运行。", "See all runs with: news-studio runs"),
    )


def _run_folders(workspace: Workspace) -> list[Path]:
    return [path.parent for path in workspace.runs.glob("*/spec.json")]


def _readable_run(folder: Path, recorded: bool = False) -> Job | None:
    try:
        return read_folder(folder, recorded=recorded)
    except UnreadableFile as error:
        log.warning("%s", error)
        return None


def read_folder(folder: Path, recorded: bool = False) -> Job:
    """Read the job of a folder as it stands at this moment.

    Raises:
        UnreadableFile: spec, record or result is not what studio and workers write.
    """
    # The lock before the result: a worker that ends in between must not look lost.
    try:
        started, alive = workers.was_started(folder), workers.is_alive(folder)
        result = _read_result(folder)
        # A recorded run was made in the repository and names its paths from there.
        spec = absolute(_job_spec.validate_json(read_bytes(folder / "spec.json")), SAMPLE_RUN.parent.parent)
        record = read_record(folder)
    except READ_FAULTS as error:  # a ValidationError is a ValueError
        raise unreadable(folder, error) from error
    state = _state(folder, started, alive, result)
    # Answers to a sealed set are no run that a page or command could open or compare.
    is_run = isinstance(spec, TrainSpec | EvaluateSpec) and not getattr(spec, "sealed", None)
    kind = Run if is_run else Job
    return kind(
        id=folder.name,
        folder=folder,
        spec=spec,  # type: ignore[arg-type]  # a Run's spec is one of those two
        state=_state_of_member(folder, record.worked_by) if record.worked_by and state == "queued" else state,
        result=result,
        record=record,
        recorded=recorded,
    )


def _read_result(folder: Path) -> Result | None:
    file = folder / "result.json"
    try:
        return Result.model_validate_json(read_whole(file))
    except FileNotFoundError:
        return None


def _state(folder: Path, started: bool, alive: bool, result: Result | None) -> RunState:
    cancelled = (folder / "cancel").exists()
    if alive:
        return "running"
    if result:
        return "cancelled" if result.status == "paused" and cancelled else result.status
    if (folder / "ray.json").exists():
        return "running"
    if cancelled:
        return "cancelled"
    if started:
        return "lost"
    return "paused" if (folder / "pause").exists() else "queued"


def _state_of_member(folder: Path, worked_by: str) -> RunState:
    """Derive the state of a member that has not begun: it waits or pauses with the job that does it."""
    place = folder.parent / worked_by
    # While a sweep is made its members are there before it is.
    is_there = _ID.fullmatch(worked_by) and (place / "spec.json").exists()
    owner = _readable_run(place) if is_there else None
    if owner is None or owner.record.worked_by:
        return "cancelled"
    return "queued" if not owner.is_over else "paused" if owner.state == "paused" else "cancelled"


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.removeprefix("step_")
    return int(number) if number.isdigit() else -1


def absolute(spec: JobSpec, base: Path) -> JobSpec:
    names = (
        "base_name_or_path",
        "model_name_or_path",
        "adapter_name_or_path",
        "dataset_dir",
        "key_file",
        "target",
        "cache",
        "tasks",
    )
    paths = {name: getattr(spec, name, None) for name in names}
    changes: dict[str, object] = {name: base / path for name, path in paths.items() if path}
    if isinstance(spec, RangeTestSpec | InfluenceSpec):
        changes["train"] = absolute(spec.train, base)
    if isinstance(spec, SweepSpec):
        changes["runs"] = tuple(base / run for run in spec.runs)
    return spec.model_copy(update=changes)


def read_bytes(path: Path) -> bytes:
    try:
        return read_whole(path)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> UnreadableFile:
    why = one_line(error)
    return UnreadableFile(
        say(f"运行文件 {path} 无法读取：{why}", f"The run file {path} cannot be read: {why}"),
        remedy=say(
            "它可能来自另一个版本的工作室，或已损坏；可将该文件夹移走。",
            "It may come from another version of the studio or be damaged; move the folder away.",
        ),
    )
