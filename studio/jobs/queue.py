"""Jobs: runs wait in a queue and are worked off in their order, one a device.

    submit -> queue.db (huey) -> python -m studio.jobs._process HOME -> worker of the run

The order is in the runs' cards; the queue file carries the word that there is something to do.

This module puts runs into the queue, waits for them and keeps a job process alive; what
that process does is in jobworker. It knows no torch and no page.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

from huey import SqliteHuey  # type: ignore[import-untyped]

from studio import runs
from studio.errors import InputError, QueueUnavailable
from studio.jobs import devices
from studio.jobs.settings import RaySettings
from studio.language import say
from studio.runs import Job, Place, Run
from studio.system import locks
from studio.system import processes as workers
from studio.system.jsonl import read_tail
from studio.workspace import Workspace


def submit(workspace: Workspace, run: Job) -> None:
    """Queue the run, and see to it that a job process works the queue.

    Raises:
        QueueUnavailable: the queue file cannot be used.
    """
    with open_queue(workspace) as (_, run_job):
        run_job(run.id)
    # After the enqueue: a job process about to end looks at the queue once more.
    ensure_worker(workspace)


def resume(workspace: Workspace, run_id: str) -> Job:
    """Let a run that stopped go on from its last checkpoint; it waits in the queue first.

    Raises:
        InputError: it cannot go on, and why.
        QueueUnavailable: the queue file cannot be used; the run waits nevertheless.
    """
    job = runs.make_ready_to_go_on(workspace, run_id)
    submit(workspace, job)
    return job


def retry(workspace: Workspace, run_id: str) -> Job:
    """Queue a new run with the spec, label and place of one that is over.

    Raises:
        InputError: it is not over, or its kind is repeated elsewhere.
        QueueUnavailable: the queue file cannot be used.
    """
    job = runs.prepare_retry(workspace, runs.get_job(workspace, run_id))
    submit(workspace, job)
    return job


def put_on(workspace: Workspace, run_id: str, place: Place) -> None:
    """Choose where a run that waits or is paused shall run.

    Raises:
        InputError: it runs or is over, or no such device is there.
        QueueUnavailable: the queue file cannot be used.
    """
    require_place(place)
    runs.put_on(workspace, run_id, place)
    job = runs.get_job(workspace, run_id)
    if job.state == "queued":
        submit(workspace, job)


def require_place(place: Place) -> None:
    """Nothing when this machine, or the cluster in the settings, has such a place.

    Raises:
        InputError: it has not.
    """
    if place.device != runs.RAY:
        devices.require_place(place.device, place.processes, devices.list_devices())
    elif not RaySettings().address:
        raise InputError(
            say("没有设置 Ray 集群的地址。", "No address of a Ray cluster is set."),
            remedy=say(
                "请设置环境变量 STUDIO_RAY_ADDRESS=http://主机:8265 后重新启动。",
                "Set STUDIO_RAY_ADDRESS=http://host:8265 in the environment and start again.",
            ),
        )


def worker_alive(workspace: Workspace) -> bool:
    """Whether a job process works this workspace's queue."""
    return locks.is_locked(lock_path(workspace))


def ensure_worker(workspace: Workspace) -> None:
    """Start the job process unless there is one; it outlives whoever calls."""
    with lock_path(workspace).open("a") as lock, log_path(workspace).open("ab") as words:
        if not locks.take_lock(lock):
            return
        lock.truncate(0)  # the id of an earlier job process is not to be signalled
        # The lock goes to the child, so that two calls at once cannot start two.
        process = subprocess.Popen(
            [sys.executable, "-m", "studio.jobs._process", str(workspace.home), "--lock", str(lock.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )
        write_pid(lock, process.pid)
    workers.reap(process)


def worker_pid(workspace: Workspace) -> int | None:
    """Process id of the job process; None when there is none."""
    while worker_alive(workspace):
        text = lock_path(workspace).read_text()
        if text.isdigit():
            return int(text)
        time.sleep(0.01)  # started this moment; it writes its id when it is up
    return None


def stop_worker(workspace: Workspace) -> None:
    """End the job process; the worker of a run lives on."""
    pid = worker_pid(workspace)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)


def wait(
    workspace: Workspace,
    run_id: str,
    *,
    on_poll: Callable[[Job], None] | None = None,
    poll_seconds: float = 0.5,
) -> Run:
    """Wait until a submitted run is over and return it as it then stands.

    Raises:
        QueueUnavailable: the job process ends again and again.
    """
    wait_for_job(workspace, run_id, on_poll=on_poll, poll_seconds=poll_seconds)
    return runs.get_run(workspace, run_id)


def wait_for_job(
    workspace: Workspace,
    run_id: str,
    *,
    on_poll: Callable[[Job], None] | None = None,
    poll_seconds: float = 0.5,
) -> Job:
    """`wait` for a job of any kind."""
    deaths = 0
    while not (job := runs.get_job(workspace, run_id)).is_over:
        if on_poll:
            on_poll(job)
        if not worker_alive(workspace):
            deaths += 1
            if deaths > 3:
                raise queue_unavailable(workspace, read_tail(log_path(workspace), 5))
            ensure_worker(workspace)
        time.sleep(poll_seconds)
    return job


@contextmanager
def open_queue(workspace: Workspace, do: Callable[[str], None] | None = None) -> Iterator[tuple[Any, Any]]:
    """The huey queue and its one task; calling the task with a run id queues it.

    Args:
        do: what a job is; only the job process has it.
    """

    def job(run_id: str) -> None:
        assert do is not None, "only the job process does jobs"
        do(run_id)

    try:
        queue = SqliteHuey("jobs", filename=str(workspace.queue), results=False)
        with closing(queue.storage):
            yield queue, queue.task(name="run_job")(job)
    except sqlite3.Error as error:
        raise queue_unavailable(workspace, str(error)) from error


def queue_unavailable(workspace: Workspace, reason: str) -> QueueUnavailable:
    """The error for a queue that does not work, with what the user can do."""
    return QueueUnavailable(
        say("任务队列不可用：{reason}", "The job queue does not work: {reason}", reason=reason),
        remedy=say(
            f"停止 news-studio 后删除 {workspace.queue}，再重新启动；等待中的任务会重新排队。",
            f"Stop news-studio, delete {workspace.queue} and start again; waiting jobs are queued again.",
        ),
    )


def lock_path(workspace: Workspace) -> Path:
    """Locked while a job process lives; holds its process id."""
    return workspace.home / "jobs.lock"


def log_path(workspace: Workspace) -> Path:
    """What the job process said."""
    return workspace.home / "jobs.log"


def write_pid(lock: IO[str], pid: int) -> None:
    """Leave a process id in an open lock file."""
    lock.truncate(0)
    lock.write(str(pid))
    lock.flush()
