"""The job process: `python -m studio.jobs._process HOME`.

It starts the workers of queued runs, one a device, waits for them and ends those that
do not heed a cancel. It may be killed at any moment: workers live on, and the next job
process watches them and takes up what was waiting. It opens no database but the queue
and never imports torch.
"""

import argparse
import logging
import os
import threading
import time
from pathlib import Path
from typing import Literal

from huey.consumer import ConsumerStopped  # type: ignore[import-untyped]

from studio import runs
from studio.errors import DiskFull
from studio.jobs import queue as jobs
from studio.jobs._scheduler import Dispatcher
from studio.jobs.settings import JobSettings
from studio.system import locks
from studio.workspace import Workspace, open_workspace

log = logging.getLogger(__name__)

End = Literal["stopped", "idle", "replaced"]
"""Why a queue is worked no more: a signal, nothing to do, or its file is another one."""


def serve_queue(workspace: Workspace, settings: JobSettings, inherited: int | None = None) -> None:
    """Work the queue until idle or told to stop; nothing when another process does.

    Args:
        inherited: descriptor of jobs.lock, locked by the process that started this one.
    """
    ended: End = "idle"
    while ended != "stopped":
        path = jobs.lock_path(workspace)
        with path.open("a") if inherited is None else os.fdopen(inherited, "a") as lock:
            if inherited is None and not locks.take_lock(lock):
                return
            inherited = None
            jobs.write_pid(lock, os.getpid())
            ended = QueueServer(workspace, settings).serve()
        # Looked at without the lock: whoever queued a run before this saw the lock held.
        if not _has_waiting(workspace):
            return


class QueueServer:
    """The dispatcher with the queue that wakes it.

    What is in the queue says only that there may be something to take up; which job is
    next stands in the run folders, so that an order can change and a queue can be lost.
    """

    def __init__(self, workspace: Workspace, settings: JobSettings) -> None:
        self.workspace, self.settings = workspace, settings
        self.dispatcher = Dispatcher(workspace, settings, self._wake)
        self._told = threading.Event()

    def _wake(self) -> None:
        self._told.set()

    def serve(self) -> End:
        """Work the queue, also when its file is replaced by another."""
        for run in runs.list_jobs(self.workspace):
            runs.throw_away_if_wanted(run)
        ended: End = "replaced"
        while ended == "replaced":
            self._wake()
            ended = self._serve_file()
        return ended

    def _serve_file(self) -> End:
        with jobs.open_queue(self.workspace, lambda _: self._wake()) as (queue, _):
            file = _inode(self.workspace.queue)
            consumer = queue.create_consumer(workers=1, periodic=False, max_delay=0.5)
            consumer.start()
            last_busy = last_look = time.monotonic()
            while True:
                try:
                    consumer.loop(None)
                except ConsumerStopped:
                    return "stopped"
                now = time.monotonic()
                if self._told.is_set() or now - last_look > self.settings.look_seconds:
                    self._told.clear()
                    last_look = now
                    self._look()
                if self.dispatcher.is_busy:
                    last_busy = now
                idle = now - last_busy > self.settings.idle_seconds
                if idle or _inode(self.workspace.queue) != file:
                    consumer.stop(graceful=True)
                    # What the queue said while it was being closed counts.
                    return "idle" if idle and not self._told.is_set() else "replaced"

    def _look(self) -> None:
        try:
            self.dispatcher.look()
        except DiskFull as error:
            log.warning("nothing is started: %s", error)  # looked at again before long


def _inode(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None


def _has_waiting(workspace: Workspace) -> bool:
    if not workspace.queue.exists():
        return False
    with jobs.open_queue(workspace) as (queue, _):
        return len(queue) > 0


def main(arguments: list[str] | None = None) -> None:
    """Work the queue of one workspace until idle or told to stop."""
    parser = argparse.ArgumentParser(prog="python -m studio.jobs._process", description=main.__doc__)
    parser.add_argument("home", type=Path, help="workspace folder")
    parser.add_argument("--lock", type=int, help="descriptor of jobs.lock, locked by the starting process")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    serve_queue(open_workspace(options.home), JobSettings(), options.lock)


if __name__ == "__main__":
    main()
