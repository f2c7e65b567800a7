"""Submit runs, wait for them, and keep a job process alive that works them off.

    submit -> run folder, touched jobs.lock -> python -m studio.jobs._process HOME -> worker of the run

It knows no torch and no page.
"""

import time
from collections.abc import Callable

from studio import runs
from studio.errors import InputError, JobProcessUnavailable
from studio.jobs import devices
from studio.jobs.settings import RaySettings
from studio.language import say
from studio.runs import DeviceChoice, Job, Run
from studio.system.atomic import guard_disk
from studio.system.background import Background
from studio.system.jsonl import read_tail
from studio.team.rights import require_right
from studio.workspace import Workspace


def submit(workspace: Workspace, run: Job) -> None:
    """Have a prepared run worked off: start the job process, or wake the one that lives."""
    require_right("run_jobs")
    assert run.folder.parent == workspace.runs, run.folder
    process = job_process(workspace)
    # One that is about to end, and held the lock just now, looks once more without it.
    with guard_disk(process.lock):
        if not process.start():
            process.lock.touch()


def resume(workspace: Workspace, run_id: str) -> Job:
    """Let a run that stopped go on from its last checkpoint; it waits in the queue first.

    Raises:
        InputError: it cannot go on, and why.
    """
    require_right("run_jobs")
    job = runs.make_ready_to_go_on(workspace, run_id)
    submit(workspace, job)
    return job


def retry(workspace: Workspace, run_id: str) -> Job:
    """Queue a new run with the spec, label and place of one that is over.

    Raises:
        InputError: it is not over, or its kind is repeated elsewhere.
    """
    require_right("run_jobs")
    job = runs.prepare_retry(workspace, runs.get_job(workspace, run_id))
    submit(workspace, job)
    return job


def put_on(workspace: Workspace, run_id: str, place: DeviceChoice) -> None:
    """Choose where a run that waits or is paused shall run.

    Raises:
        InputError: it runs or is over, or no such device is there.
    """
    require_right("change_runs")
    require_place(place)
    runs.put_on(workspace, run_id, place)
    job = runs.get_job(workspace, run_id)
    if job.state == "queued":
        submit(workspace, job)


def require_place(place: DeviceChoice) -> None:
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


def job_process(workspace: Workspace) -> Background:
    """Return the process that works this workspace's queue; its lock file is touched to wake it."""
    return Background(
        module="studio.jobs._process",
        home=workspace.home,
        lock=workspace.home / "jobs.lock",
        log=workspace.home / "jobs.log",
        keeps_log=True,
    )


def ensure_job_process(workspace: Workspace) -> None:
    """Start the job process unless there is one; it outlives whoever calls."""
    job_process(workspace).start()


def wait(
    workspace: Workspace,
    run_id: str,
    *,
    on_poll: Callable[[Job], None] | None = None,
    poll_seconds: float = 0.5,
) -> Run:
    """Wait until a submitted run is over and return it as it then stands.

    Raises:
        JobProcessUnavailable: the job process ends again and again.
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
    deaths, process = 0, job_process(workspace)
    while not (job := runs.get_job(workspace, run_id)).is_over:
        if on_poll:
            on_poll(job)
        if not process.is_alive():
            deaths += 1
            if deaths > 3:
                raise _keeps_ending(process)
            process.start()
        time.sleep(poll_seconds)
    return job


def _keeps_ending(process: Background) -> JobProcessUnavailable:
    words = read_tail(process.log, 5)
    return JobProcessUnavailable(
        say(f"任务进程反复退出：\n{words}", f"The job process keeps exiting:\n{words}"),
        remedy=say(
            f"请按上面的原因处理（{process.log}）；任务仍在排队，news-studio doctor 会检查环境。",
            f"Fix the cause above ({process.log}); the job stays queued, and news-studio doctor checks the"
            " environment.",
        ),
    )
