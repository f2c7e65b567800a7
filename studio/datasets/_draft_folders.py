"""Make the folder in which a version is written, and sweep away what a killed freeze left."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DRAFT = ".freezing-"


@contextmanager
def draft_folder(parent: Path) -> Iterator[Path]:
    """Make a folder to write in, locked while it is; one that a killed freeze left is swept away."""
    parent.mkdir(parents=True, exist_ok=True)
    with _sweeping(parent):
        for old in parent.glob(f"{_DRAFT}*"):
            if not _is_locked_folder(old):
                shutil.rmtree(old, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=parent))
        opened = os.open(draft, os.O_RDONLY)
        fcntl.flock(opened, fcntl.LOCK_EX)
    draft.chmod(0o755)  # mkdtemp makes it private; colleagues read versions
    try:
        yield draft
    finally:
        os.close(opened)


@contextmanager
def _sweeping(parent: Path) -> Iterator[None]:
    """Hold the folder of a dataset's versions: between making and locking a draft nobody sweeps it."""
    opened = os.open(parent, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _is_locked_folder(folder: Path) -> bool:
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:
        return True
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(opened)
