"""Run the job process of a workspace: `python -m studio.jobs._process HOME`.

It starts the workers of queued runs, one a device, waits for them and ends those that do not heed a
cancel. Without work it ends when idle, and at once where whoever started it is gone. It may be killed
at any moment: workers live on, and the next job process watches them and takes up what was waiting.
It opens no database and never imports torch.
"""

import logging
import os
import signal
import sys
import time
from types import FrameType
from typing import IO

from studio import runs
from studio.errors import DiskFull
from studio.jobs import queue as jobs
from studio.jobs._scheduler import Scheduler
from studio.jobs.settings import JobSettings
from studio.system.background import parse_arguments
from studio.system.ownership import is_orphan
from studio.workspace import Workspace, open_workspace

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_ORPHAN_SECONDS = 1.0
_TICK_SECONDS = 0.02
"""More than one tick of the clock that file times are taken from."""


def serve_queue(workspace: Workspace, settings: JobSettings, inherited: int | None = None) -> None:
    """Work the queue until idle; nothing when another process does.

    Args:
        inherited: descriptor of jobs.lock, locked by the process that started this one.
    """
    scheduler = Scheduler(workspace, settings)
    while True:
        with jobs.job_process(workspace).held(inherited) as lock:
            if lock is None:
                return
            inherited = None
            log.info("working off the queue of %s", workspace.home)
            runs.finish_discards(workspace)
            _work(scheduler, lock)
        # Looked at without the lock: whoever submitted a run before this found the lock held.
        if scheduler.next_assignment() is None:
            return


def _work(scheduler: Scheduler, lock: IO[str]) -> None:
    """Assign jobs whenever there may be something to assign, until it was idle for long enough."""
    touched, last_look, last_busy = 0, 0.0, time.monotonic()
    while True:
        now = time.monotonic()
        if (moment := os.fstat(lock.fileno()).st_mtime_ns) != touched:
            touched = moment
            time.sleep(_TICK_SECONDS)  # a second touch within the same tick leaves the same time
            scheduler.woken.set()
        if scheduler.woken.is_set() or now - last_look > scheduler.settings.look_seconds:
            scheduler.woken.clear()
            last_look = now
            _assign(scheduler)
        if scheduler.is_busy:
            last_busy = now
        elif now - last_busy > scheduler.settings.idle_seconds:
            return
        elif now - last_busy > _ORPHAN_SECONDS and is_orphan():
            log.info("whoever started this process is gone, and there is nothing to do")
            return
        scheduler.woken.wait(_POLL_SECONDS)


def _assign(scheduler: Scheduler) -> None:
    try:
        scheduler.assign()
    except DiskFull as error:
        log.warning("nothing is started: %s", error)  # tried again before long


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit()


def main() -> None:
    """Work the queue of one workspace until idle or told to stop."""
    options = parse_arguments("studio.jobs._process", main.__doc__)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    serve_queue(open_workspace(options.home), JobSettings(), options.lock)


if __name__ == "__main__":
    main()
