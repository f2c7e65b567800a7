"""Create run folders: spec, record, retry of an earlier one.

This module starts nothing and knows no queue.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from studio.contract import EvaluateSpec, SweepSpec, TrainSpec
from studio.errors import DiskFull, InputError
from studio.language import say
from studio.runs._job import Job, JobSpec, Run, absolute, read_folder
from studio.runs._record import RunRecord, write_record
from studio.system.atomic import guard_disk
from studio.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceChoice:
    """Where a run shall run: on a device, empty for the next free one, as so many processes."""

    device: str | None = None
    processes: int = 1


ANY_DEVICE = DeviceChoice()
_REPEATABLE = ("train", "evaluate", "range_test", "download")


def prepare_run(
    workspace: Workspace,
    spec: TrainSpec | EvaluateSpec,
    *,
    label: str = "",
    version: str | None = None,
    place: DeviceChoice = ANY_DEVICE,
) -> Run:
    """Make the folder of a new run; it is queued once it is submitted.

    Args:
        version: dataset version as `name@3`, when the rows come from one.
    """
    run = prepare_job(workspace, spec, label=label, version=version, place=place)
    assert isinstance(run, Run), run
    return run


def prepare_job(
    workspace: Workspace,
    spec: JobSpec,
    *,
    label: str = "",
    version: str | None = None,
    files: Mapping[str, bytes | Path] | None = None,
    place: DeviceChoice = ANY_DEVICE,
    retry_of: str | None = None,
) -> Job:
    """Make the folder of a new job, with the files that its worker reads beside the spec.

    With files a relative path of the spec is one in that folder, and else one in the current directory.

    Args:
        workspace: where it is made.
        spec: what is to be done.
        label: its name in lists.
        version: dataset version as `name@3`, when the rows come from one.
        files: content by name, or the file to copy.
        place: where it shall run.
        retry_of: the run that it repeats.
    """
    known: dict[str, object] = {"label": label, "version": version, "retry_of": retry_of}
    known |= {"device": place.device, "processes": place.processes if spec.kind == "train" else 1}
    folder = _new_folder(workspace.runs, spec.kind)
    return _fill(folder, absolute(spec, folder) if files else spec, known, files or {})


def prepare_sweep(
    workspace: Workspace,
    members: Sequence[tuple[str, TrainSpec]],
    *,
    field: str = "learning_rate",
    label: str = "",
    version: str | None = None,
    place: DeviceChoice = ANY_DEVICE,
) -> tuple[Job, list[Run]]:
    """Make a sweep and its member runs, each with its label; the sweep alone is to be submitted.

    The members' records name the sweep, so that the queue leaves them to its worker.
    """
    known = {"version": version, "device": place.device}
    folder = _new_folder(workspace.runs, "sweep")
    made: list[Job] = []
    try:
        for name, spec in members:
            record = {**known, "label": name, "worked_by": folder.name}
            made.append(_fill(_new_folder(workspace.runs, "train"), spec, record, {}))
        sweep = SweepSpec(runs=tuple(run.folder for run in made), field=field)
    except (OSError, DiskFull):
        for left in [folder, *(run.folder for run in made)]:
            shutil.rmtree(left)
        raise
    job = _fill(folder, sweep, {**known, "label": label}, {})
    # Read again: before the sweep was there its members counted as cancelled.
    runs = [read_folder(run.folder) for run in made]
    return job, [run for run in runs if isinstance(run, Run)]


def can_retry(job: Job) -> bool:
    """Whether it is over and can be repeated as it is."""
    return job.is_over and _is_repeatable(job.spec) and not job.record.worked_by


def _is_repeatable(spec: JobSpec) -> bool:
    """Return whether a spec can be worked off again: no import, and no opening of a sealed set."""
    is_once = getattr(spec, "imported", None) or getattr(spec, "sealed", None)
    return spec.kind in _REPEATABLE and not is_once


def prepare_retry(workspace: Workspace, job: Job) -> Job:
    """Prepare a new job with the spec, label and device of one that is over, linked to it.

    Raises:
        InputError: it is not over, or its kind is repeated elsewhere.
    """
    if not job.is_over:
        raise InputError(
            say(f"运行 {job.id} 还没有结束。", f"Run {job.id} has not finished."),
            remedy=say("请等它完成，或先取消它。", "Wait until it finishes, or cancel it first."),
        )
    if not _is_repeatable(job.spec):
        raise InputError(
            say(f"{job.id} 不能原样重来。", f"{job.id} cannot be repeated as it is."),
            remedy=say("请在开始它的页面重新开始。", "Start it again on the page that started it."),
        )
    place = DeviceChoice(device=job.record.device, processes=job.record.processes)
    return prepare_job(
        workspace, job.spec, label=job.record.label, version=job.version, place=place, retry_of=job.id
    )


def _fill(folder: Path, spec: JobSpec, known: Mapping[str, object], files: Mapping[str, bytes | Path]) -> Job:
    """Make an empty folder a job; nothing is left of it when the disk is full."""
    record = RunRecord.model_validate({"id": folder.name, "created_at": datetime.now().astimezone(), **known})
    try:
        with guard_disk(folder):
            write_record(folder, record)
            for name, content in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, Path):
                    shutil.copyfile(content, folder / name)
                else:
                    (folder / name).write_bytes(content)
            # spec.json last and in one step: a folder is a run when it has one.
            draft = folder / ".spec.json"
            draft.write_text(absolute(spec, Path.cwd()).model_dump_json(indent=2), encoding="utf-8")
            draft.rename(folder / "spec.json")
    except (OSError, DiskFull):
        shutil.rmtree(folder)
        raise
    return read_folder(folder)


def _new_folder(parent: Path, kind: str) -> Path:
    name = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{kind}"
    for number in range(1, 1000):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError(f"a thousand runs named {name} within a second")
