"""Take and test lock files (flock), and read what their holder left in them.

A lock is released when the last process that holds it ends, however it ends. POSIX only.
"""

# Why not filelock or portalocker: their release unlocks, and a lock belongs to the opened file, which a
# child shares that inherited it. Here inheriting is the point: the child holds the lock from before its
# first instruction until its end, whatever becomes of the process that took it.

import fcntl
import time
from pathlib import Path
from typing import IO


def is_locked(path: Path) -> bool:
    """Return whether some process holds the exclusive lock of the file."""
    try:
        probe = path.open("rb")
    except FileNotFoundError:
        return False
    with probe:
        return is_held(probe)


def is_held(file: IO[bytes]) -> bool:
    """Return whether some process holds the exclusive lock of this open file, even if it was replaced."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def take_lock(file: IO[str]) -> bool:
    """Acquire the exclusive lock of an open file without blocking; False when another process has it.

    It is released with the last descriptor of this opening, also one inherited by a child.
    """
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if is_locked(Path(file.name)):
                return False
            # Only somebody's glance in is_locked was in the way.
            time.sleep(0.001)
        else:
            return True


def write_note(lock: IO[str], note: str) -> None:
    """Write a note into a lock file that is open and held, such as a process id."""
    lock.truncate(0)
    lock.write(note)
    lock.flush()


def read_note(path: Path) -> str | None:
    """Read the note of the process that holds the lock, once it is written; None: nobody holds it."""
    while is_locked(path):
        if note := path.read_text():
            return note
        time.sleep(0.01)  # taken this moment
    return None
