"""Start, probe and signal worker processes.

A worker inherits a locked file, `alive`. The lock is released when the last process that
holds it ends, however it ends, so it can neither go stale nor be mistaken for
another process the way a process id can. POSIX only. Forked data-loader children
share the lock. This module knows no spec, no queue and no model.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from studio.system.background import spawn
from studio.system.locks import is_locked

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

_ID_SECONDS = 10.0
# The worker writes its own id into `alive` before it becomes its program: whoever starts it may
# be killed at any moment, and a worker without an id could not be told to stop. Isolated and
# without site-packages this costs about 10 ms.
_BECOME = (
    "import os,sys; os.write(int(sys.argv[1]), b'%d' % os.getpid()); os.execvp(sys.argv[2], sys.argv[2:])"
)
# A process of torchrun is in a session of its own and outlives a launcher that was killed; Linux
# can end it with its parent.
_WITH_PARENT = (
    "import ctypes,os,sys; set_=getattr(ctypes.CDLL(None), 'prctl', None); set_ and set_(1, 9);"
    " os.execvp(sys.argv[1], sys.argv[1:])"
)


def worker_command(kind: str, template: Sequence[str] = DEFAULT_COMMAND) -> list[str]:
    """Build the command for a kind of spec, the folder not yet appended."""
    return [part.replace("{kind}", kind) for part in template]


def launched(command: Sequence[str], processes: int) -> list[str]:
    """Wrap a worker's command in torchrun: so many processes of one distributed training.

    Args:
        command: an interpreter and what it runs, as `worker_command` builds it.
        processes: 1 leaves the command as it is.
    """
    if processes == 1:
        return [*command]
    torchrun = [command[0], "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    return [*torchrun, "--no-python", command[0], "-c", _WITH_PARENT, *command]


def start_worker(
    folder: Path, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `command folder` in its own session, its output appended to log.txt.

    Args:
        folder: the run or serving folder; gets `alive` and log.txt.
        command: the program and its arguments, without the folder.
        cwd: working directory of the worker.
        environment: variables beside those of this process and OFFLINE.

    Raises:
        FileExistsError: a worker was started on this folder before.
        OSError: the program cannot be started; the folder then counts as started.
    """
    # Locked before it gets its name: nobody may see `alive` without its lock.
    nameless = folder / f".alive-{os.getpid()}-{threading.get_ident()}"
    with nameless.open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        try:
            os.link(nameless, folder / "alive")
        finally:
            nameless.unlink()
        if shutil.which(command[0]) is None:
            with (folder / "log.txt").open("a") as log:
                log.write(f"{command[0]} cannot be started: no such program\n")
            raise FileNotFoundError(command[0])
        become = [sys.executable, "-I", "-S", "-c", _BECOME, str(alive.fileno())]
        return spawn(
            [*become, *command, str(folder)],
            lock=alive,
            log=folder / "log.txt",
            cwd=cwd,
            environment={**OFFLINE, **(environment or {})},
        )


def was_started(folder: Path) -> bool:
    """Return whether a worker was ever started on the folder."""
    return (folder / "alive").exists()


def is_alive(folder: Path) -> bool:
    """Return whether the folder's worker, or a child of it, is alive."""
    return is_locked(folder / "alive")


def signal_worker(folder: Path, number: signal.Signals) -> None:
    """Send a signal to the worker and its children; nothing when it has ended.

    The id in `alive` is trusted only while the lock is held: it cannot be reused then.
    """
    deadline = time.monotonic() + _ID_SECONDS
    while is_alive(folder) and time.monotonic() < deadline:
        text = (folder / "alive").read_text()
        if text.isdigit():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(text), number)
            return
        time.sleep(0.01)  # started this moment; it writes its id first of all
