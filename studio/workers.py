"""Worker processes: start one on a folder, tell whether it lives, end it.

A worker inherits a locked file, `alive`. The lock goes when the last process that
holds it ends, however it ends, so it can neither go stale nor be mistaken for
another process the way a process id can. POSIX only. Forked data-loader children
share the lock. This module knows no spec, no queue and no model.
"""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

DEFAULT_COMMAND = (sys.executable, "-m", "backend.{kind}")
"""Command of a worker; `{kind}` is the kind of its spec, the folder is appended."""

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
    # `-m` puts the current folder on the path; the workspace's datasets/ would pass for the package.
    "PYTHONSAFEPATH": "1",
}


def worker_command(kind: str, template: Sequence[str] = DEFAULT_COMMAND) -> list[str]:
    """The command for a kind of spec, the folder not yet appended."""
    return [part.replace("{kind}", kind) for part in template]


def start_worker(
    folder: Path, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `command folder` in its own session, its words going to log.txt.

    Args:
        environment: variables beside those of this process and OFFLINE.

    Raises:
        FileExistsError: a worker was started on this folder before.
        OSError: the program cannot be started; the folder then counts as started.
    """
    # Locked before it gets its name: nobody may see `alive` without its lock.
    nameless = folder / f".alive-{os.getpid()}-{threading.get_ident()}"
    with nameless.open("w") as alive, (folder / "log.txt").open("ab") as log:
        fcntl.flock(alive, fcntl.LOCK_EX)
        try:
            os.link(nameless, folder / "alive")
        finally:
            nameless.unlink()
        try:
            process = subprocess.Popen(
                [*command, str(folder)],
                cwd=cwd,
                env={**os.environ, **OFFLINE, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[alive.fileno()],
            )
        except OSError as error:
            log.write(f"{command[0]} cannot be started: {error}\n".encode())
            raise
        alive.write(str(process.pid))
    return process


def was_started(folder: Path) -> bool:
    """Whether a worker was ever started on the folder."""
    return (folder / "alive").exists()


def is_alive(folder: Path) -> bool:
    """Whether the folder's worker, or a child of it, lives."""
    return is_locked(folder / "alive")


def is_locked(path: Path) -> bool:
    """Whether some process holds the exclusive lock of the file."""
    try:
        probe = path.open("rb")
    except FileNotFoundError:
        return False
    with probe:
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def take_lock(file: IO[str]) -> bool:
    """Take the exclusive lock of an open file; False when another process has it.

    It goes with the last descriptor of this opening, also one given to a child.
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


def signal_worker(folder: Path, number: signal.Signals) -> None:
    """Send a signal to the worker and its children; nothing when it has ended.

    The id in `alive` is trusted only while the lock is held: it cannot be reused then.
    """
    text = (folder / "alive").read_text() if is_alive(folder) else ""
    if text.isdigit():
        try:
            os.killpg(int(text), number)
        except ProcessLookupError:
            return


def reap(process: subprocess.Popen[bytes]) -> None:
    """Collect the exit status in the background, so that no zombie stays behind."""
    threading.Thread(target=process.wait, name=f"reap-{process.pid}", daemon=True).start()
