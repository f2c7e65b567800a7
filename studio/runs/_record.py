"""Read and write run.json: label, note, tags, position in the queue, device.

Pages, command line and job process all change records; each change is one step under a
lock on the folder of all runs.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, Field

from studio.system.atomic import guard_disk
from studio.system.documents import read_whole

RAY = "ray"
"""As a device: on the cluster that STUDIO_RAY_ADDRESS names."""


class RunRecord(BaseModel):
    """Label and origin of a run, its place in the queue, and where it shall run."""

    id: str
    label: str = ""
    note: str = ""
    tags: tuple[str, ...] = Field((), description="Words that group runs, such as a question they answer.")
    created_at: datetime
    version: str | None = None
    order: float | None = Field(None, description="The lowest waiting run is next; empty: by its creation.")
    device: str | None = Field(
        None, description="Device it shall run on, such as cuda:1, cpu or ray; empty: the next free one."
    )
    processes: int = Field(1, ge=1, description="Processes of one training, each on a device of its own.")
    placed_on: tuple[str, ...] = Field((), description="Devices that its last start was given.")
    retry_of: str | None = Field(None, description="The run that this one repeats.")
    worked_by: str | None = Field(None, description="The job whose worker does this run, such as a sweep.")
    deleted_at: datetime | None = Field(None, description="When it was moved to the trash, if it is there.")

    @property
    def place_in_queue(self) -> float:
        """What the queue is sorted by; the lowest is next."""
        return self.created_at.timestamp() if self.order is None else self.order


def read_record(folder: Path) -> RunRecord:
    """Read the record of a run folder, or a bare one where there is none.

    Raises:
        OSError: it cannot be read.
        ValidationError: it is no run record.
    """
    file = folder / "run.json"
    if file.exists():
        return RunRecord.model_validate_json(read_whole(file))
    modified = datetime.fromtimestamp((folder / "spec.json").stat().st_mtime).astimezone()
    return RunRecord(id=folder.name, created_at=modified)


def write_record(folder: Path, record: RunRecord) -> None:
    """Move a record into place in one step; to change one, hold the lock from before it was read."""
    unfinished = folder / ".run.json"
    with guard_disk(folder):
        unfinished.write_text(record.model_dump_json(indent=2), encoding="utf-8")
        unfinished.replace(folder / "run.json")


def change_record(folder: Path, **changes: object) -> None:
    """Change fields of one run's record."""
    with changing(folder.parent):
        write_record(folder, RunRecord.model_validate(read_record(folder).model_dump() | changes))


@contextmanager
def changing(runs: Path) -> Iterator[None]:
    """Hold the lock of the folder of all runs: nobody else changes a record or takes up a run."""
    opened = os.open(runs, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)
