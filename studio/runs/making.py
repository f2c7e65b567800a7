"""New runs: the folder, the card, the spec.

This module starts nothing and knows no queue.
"""

import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from studio.contract import EvaluateSpec, TrainSpec
from studio.disk import guard_disk
from studio.errors import DiskFull
from studio.runs.job import Job, JobSpec, Run, RunCard, absolute, read_folder
from studio.workspace import Workspace


def prepare_run(
    workspace: Workspace, spec: TrainSpec | EvaluateSpec, *, label: str = "", version: str | None = None
) -> Run:
    """Make the folder of a new run; it is queued once it is submitted.

    Args:
        version: dataset version as `name@3`, when the rows come from one.
    """
    run = prepare_job(workspace, spec, label=label, version=version)
    assert isinstance(run, Run), run
    return run


def prepare_job(
    workspace: Workspace,
    spec: JobSpec,
    *,
    label: str = "",
    version: str | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Job:
    """Make the folder of a new job, with the files that its worker reads beside the spec."""
    now = datetime.now().astimezone()
    folder = _new_folder(workspace.runs, f"{now:%Y%m%d-%H%M%S}-{spec.kind}")
    card = RunCard(id=folder.name, label=label, created_at=now, version=version)
    try:
        with guard_disk(folder):
            (folder / "run.json").write_text(card.model_dump_json(indent=2), encoding="utf-8")
            for name, content in (files or {}).items():
                (folder / name).write_bytes(content)
            # spec.json last and in one step: a folder is a run when it has one.
            draft = folder / ".spec.json"
            draft.write_text(absolute(spec, Path.cwd()).model_dump_json(indent=2), encoding="utf-8")
            draft.rename(folder / "spec.json")
    except (OSError, DiskFull):
        shutil.rmtree(folder)
        raise
    return read_folder(folder)


def _new_folder(parent: Path, name: str) -> Path:
    for number in range(1, 1000):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError(f"a thousand runs named {name} within a second")
