"""The job process: `python -m studio.jobworker HOME`.

It starts the workers of queued runs one at a time, waits for them and ends those that
do not heed a cancel. It may be killed at any moment: workers live on, and the next job
process watches them and queues again what was waiting. It opens no database but the
queue and never imports torch.
"""

import argparse
import logging
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from huey.consumer import ConsumerStopped  # type: ignore[import-untyped]
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from studio import jobs, runs, workers
from studio.model_settings import unsafe_environment
from studio.runs import Job
from studio.workspace import Workspace, open_workspace

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.1


class JobSettings(BaseSettings):
    """Read from the environment: STUDIO_JOBS_CANCEL_GRACE_SECONDS and so on."""

    model_config = SettingsConfigDict(env_prefix="STUDIO_JOBS_", extra="ignore")

    worker: tuple[str, ...] = Field(
        default=workers.DEFAULT_COMMAND,
        description="Command of a worker as a JSON list; {kind} is train, evaluate or draft, the folder is appended.",
    )
    cancel_grace_seconds: float = Field(default=20, ge=0, description="From a cancel to SIGTERM.")
    kill_grace_seconds: float = Field(default=10, ge=0, description="From SIGTERM to SIGKILL.")
    idle_seconds: float = Field(default=900, gt=0, description="End after this long without a job.")


def run_job(workspace: Workspace, run_id: str, settings: JobSettings) -> None:
    """Do one job: wait for the device, start the worker, wait for its end."""
    for other in runs.list_jobs(workspace):
        if other.state == "running" and other.id != run_id:
            log.info("run %s waits for the worker of run %s", run_id, other.id)
            _watch(other, settings)
    run = runs.get_job(workspace, run_id)
    if run.state == "queued":
        log.info("run %s starts", run_id)
        command = workers.worker_command(run.spec.kind, settings.worker)
        allowed = unsafe_environment(workspace)
        process = workers.start_worker(run.folder, command, cwd=workspace.home, environment=allowed)
        _watch(run, settings, process)
    elif run.state == "running":
        _watch(run, settings)
    log.info("run %s: %s", run_id, runs.get_job(workspace, run_id).state)


def _watch(run: Job, settings: JobSettings, process: "subprocess.Popen[bytes] | None" = None) -> None:
    """Wait for the worker's end; one that does not heed a cancel is ended.

    Args:
        process: the worker, when it is a child of this process.
    """
    cancelled_at: float | None = None
    sent: set[signal.Signals] = set()
    while workers.is_alive(run.folder):
        if process:
            process.poll()
        if cancelled_at is None and runs.is_cancel_wanted(run):
            cancelled_at = time.monotonic()
        if cancelled_at is not None:
            _press(run, time.monotonic() - cancelled_at, settings, sent)
        time.sleep(_POLL_SECONDS)
    if process:
        process.wait()


def _press(run: Job, waited: float, settings: JobSettings, sent: set[signal.Signals]) -> None:
    """Send the signal that is due after `waited` seconds, each one once."""
    until_term = settings.cancel_grace_seconds
    until_kill = until_term + settings.kill_grace_seconds
    for number, due in ((signal.SIGTERM, until_term), (signal.SIGKILL, until_kill)):
        if waited >= due and number not in sent:
            log.warning("run %s did not heed the cancel for %.0f s: %s", run.id, waited, number.name)
            workers.signal_worker(run.folder, number)
            sent.add(number)


def serve_queue(workspace: Workspace, settings: JobSettings, inherited: int | None = None) -> None:
    """Work the queue until idle or told to stop; nothing when another process does.

    Args:
        inherited: descriptor of jobs.lock, locked by the process that started this one.
    """
    told_to_stop = False
    while not told_to_stop:
        path = jobs.lock_path(workspace)
        with path.open("a") if inherited is None else os.fdopen(inherited, "a") as lock:
            if inherited is None and not workers.take_lock(lock):
                return
            inherited = None
            jobs.write_pid(lock, os.getpid())
            told_to_stop = _work(workspace, settings)
        # Looked at without the lock: whoever queued a run before this saw the lock held.
        if not _has_waiting(workspace):
            return


def _work(workspace: Workspace, settings: JobSettings) -> bool:
    """Work the queue; True when told to stop, False when idle or the queue file changed."""
    busy = threading.Lock()

    def do(run_id: str) -> None:
        with busy:
            run_job(workspace, run_id, settings)

    with jobs.open_queue(workspace, do) as (queue, task):
        _recover(workspace, queue, task)
        file = _inode(workspace.queue)
        consumer = queue.create_consumer(workers=1, periodic=False, max_delay=0.5)
        consumer.start()
        last_busy = time.monotonic()
        while True:
            try:
                consumer.loop(None)
            except ConsumerStopped:
                return True
            if busy.locked():
                last_busy = time.monotonic()
            elif time.monotonic() - last_busy > settings.idle_seconds or _inode(workspace.queue) != file:
                consumer.stop(graceful=True)
                return False


def _recover(workspace: Workspace, queue: Any, task: Any) -> None:
    """Queue what an ended job process left: workers to watch first, then lost places."""
    queued = {pending.args[0] for pending in queue.pending()}
    for run in reversed(runs.list_jobs(workspace)):
        if run.state == "running":
            task(run.id, priority=1)
        elif run.state == "queued" and run.id not in queued:
            log.info("run %s is queued again", run.id)
            task(run.id)


def _inode(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None


def _has_waiting(workspace: Workspace) -> bool:
    if not workspace.queue.exists():
        return False
    with jobs.open_queue(workspace) as (queue, _):
        return len(queue) > 0


def main(arguments: list[str] | None = None) -> None:
    """Work the queue of one workspace until idle or told to stop."""
    parser = argparse.ArgumentParser(prog="python -m studio.jobworker", description=main.__doc__)
    parser.add_argument("home", type=Path, help="workspace folder")
    parser.add_argument("--lock", type=int, help="descriptor of jobs.lock, locked by the starting process")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    serve_queue(open_workspace(options.home), JobSettings(), options.lock)


if __name__ == "__main__":
    main()
