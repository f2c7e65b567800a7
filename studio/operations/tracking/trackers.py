"""Choose a tracker, and write the chosen runs for it."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from studio.errors import InputError
from studio.language import say
from studio.operations.tracking.mlflow import write_file_store
from studio.operations.tracking.record import TrackedRun, tracked
from studio.operations.tracking.tensorboard import write_event_folders
from studio.runs import Run
from studio.system.atomic import guard_disk

Tracker = Literal["tensorboard", "mlflow"]
WRITERS: Mapping[Tracker, Callable[[Sequence[TrackedRun], Path], None]] = {
    "tensorboard": write_event_folders,
    "mlflow": write_file_store,
}


def export_runs(runs: Sequence[Run], tracker: Tracker, out: Path) -> list[TrackedRun]:
    """Write runs into a new folder that the tracker opens; nothing is left of it if that fails.

    Raises:
        InputError: the folder is there already, or the tracker is not installed.
        UnreadableFile: the scores of a run cannot be read.
        DiskFull: the disk is full.
    """
    out = out.expanduser().absolute()
    if out.exists():
        raise InputError(
            say(f"{out} 已经存在。", f"{out} is there already."),
            remedy=say("请给一个新文件夹。", "Name a new folder."),
        )
    gathered = [tracked(run) for run in runs]
    try:
        with guard_disk(out.parent), _nothing_left_of(out):
            WRITERS[tracker](gathered, out)
    except ImportError as error:
        raise InputError(
            say(f"没有安装 {tracker}：{error}。", f"{tracker} is not installed: {error}."),
            remedy=say(
                f"请执行 pip install 'news-studio[{tracker}]'。", f"Run: pip install 'news-studio[{tracker}]'"
            ),
        ) from error
    return gathered


@contextmanager
def _nothing_left_of(out: Path) -> Iterator[None]:
    """Make a folder, and remove it where it is not filled; a store knows its own path, so it has no draft."""
    out.mkdir(parents=True)
    try:
        yield
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise


def how_to_open(tracker: Tracker, out: Path) -> str:
    """Name the command that opens an export."""
    if tracker == "tensorboard":
        return f"tensorboard --logdir {out}"
    return (
        f"MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {out.expanduser().absolute().as_uri()}"
    )
