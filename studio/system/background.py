"""Background processes: start one that outlives its caller, at most one for each lock file.

    start   takes the lock and gives it to `python -m MODULE HOME --lock DESCRIPTOR`
    held    in that process: the lock it inherited, or takes when somebody started it by hand

A lock goes with its process, however that ends, so there is nothing to clean up. This module knows
no workspace and no run.
"""

import argparse
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from studio.system.locks import is_locked, take_lock, write_note
from studio.system.ownership import owner_environment


@dataclass(frozen=True, kw_only=True, slots=True)
class Background:
    """A program that runs at most once for its lock file: `python -m module home`.

    While it runs `lock` is held and names its process id; `log` has its output, of the last start
    alone unless `keeps_log`.
    """

    module: str
    home: Path
    lock: Path
    log: Path
    keeps_log: bool = False

    def is_alive(self) -> bool:
        """Return whether it runs."""
        return is_locked(self.lock)

    def start(self) -> bool:
        """Start it; False when it runs already."""
        with self.lock.open("a") as lock:
            if not take_lock(lock):
                return False
            lock.truncate(0)  # the id of an earlier process is not to be signalled
            if not self.keeps_log:
                self.log.unlink(missing_ok=True)
            # The lock goes to the child, so that two calls at once cannot start two.
            command = [sys.executable, "-m", self.module, str(self.home), "--lock", str(lock.fileno())]
            environment = {"PYTHONSAFEPATH": "1", **owner_environment(self.home)}
            reap(spawn(command, lock=lock, log=self.log, cwd=self.home, environment=environment))
        return True

    @contextmanager
    def held(self, inherited: int | None) -> Iterator[IO[str] | None]:
        """Hold the lock in the process itself; None when another process has it.

        Args:
            inherited: descriptor of the lock that `start` took; None: take it now.
        """
        with self.lock.open("a") if inherited is None else os.fdopen(inherited, "a") as lock:
            if inherited is None and not take_lock(lock):
                yield None
            else:
                write_note(lock, str(os.getpid()))
                yield lock


def spawn(
    command: Sequence[str], *, lock: IO[Any], log: Path, cwd: Path, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Start a process that inherits an open, locked file; its output is appended to `log`.

    In a session of its own: neither Ctrl-C nor the end of the terminal reaches it.

    Args:
        command: the program and its arguments.
        lock: stays locked until the process and its children have ended.
        log: created if needed.
        cwd: working directory of the process.
        environment: variables beside those of this process.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )


def reap(process: "subprocess.Popen[bytes]") -> None:
    """Collect the exit status in the background, so that no zombie stays behind."""
    threading.Thread(target=process.wait, name=f"reap-{process.pid}", daemon=True).start()


def parse_arguments(module: str, description: str | None) -> argparse.Namespace:
    """Parse the command line of a background process, `home` and `lock`, and log to its log file."""
    os.umask(0o077)  # what a process of ours writes into the workspace is its owner's alone
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("home", type=Path, help="workspace folder")
    parser.add_argument("--lock", type=int, help="descriptor of the lock, held by the starting process")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    return parser.parse_args()
