"""Schedule waiting jobs in their order, one a device, and watch their workers.

It may be killed at any moment: what it knows it reads again from the run folders. It opens no database.
"""

import logging
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

from studio import runs
from studio.jobs import _ray_cluster as raycluster
from studio.jobs.devices import Device, environment_for, list_devices, place, why_never
from studio.jobs.settings import JobSettings
from studio.modelfiles.settings import unsafe_environment
from studio.runs import RAY, Job
from studio.system import locks
from studio.system import processes as workers
from studio.workspace import Workspace

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """What to do next: start a waiting job on devices, or watch one that runs unwatched."""

    job: Job
    devices: tuple[Device, ...] = ()


class Scheduler:
    """Starts and watches workers, each in a thread of its own.

    `woken` is set whenever there may be something more to assign: `assign` is to be called then.
    """

    def __init__(self, workspace: Workspace, settings: JobSettings) -> None:
        self.workspace, self.settings = workspace, settings
        self.devices = list_devices(settings)
        self.woken = threading.Event()
        self.in_hand: set[str] = set()  # ids of jobs that a thread starts or watches

    @property
    def is_busy(self) -> bool:
        """Whether a job is in hand."""
        return bool(self.in_hand)

    def assign(self) -> None:
        """Assign every job that can start or be watched now.

        Raises:
            DiskFull: the next one's record cannot be written.
        """
        while assignment := self.next_assignment():
            job = assignment.job
            if job.state != "running":
                runs.change_record(job.folder, placed_on=[device.id for device in assignment.devices])
            self.in_hand.add(job.id)
            threading.Thread(target=self._work, args=[assignment], name=job.id, daemon=True).start()

    def next_assignment(self) -> Assignment | None:
        """Choose the next assignment; None when all is in hand or has to wait."""
        jobs = runs.list_unfinished(self.workspace)
        going = [job for job in jobs if job.state == "running" or job.id in self.in_hand]
        for job in going:
            # A member of a sweep is watched with its sweep.
            if job.state == "running" and job.id not in self.in_hand and not job.record.worked_by:
                return Assignment(job=job)
        free = self._free(going)
        for job in runs.in_order(jobs):
            if job.id in self.in_hand:
                continue
            placed = self._place(job, going, free)
            if placed is not None:
                return Assignment(job=job, devices=placed)
            free = self._kept_for(job, free)
        return None

    def _free(self, going: list[Job]) -> list[Device]:
        computing = [job for job in going if _class_of(job) == "device" and not job.record.worked_by]
        if any(not job.record.placed_on for job in computing):
            return []  # somebody started a worker by hand: nobody knows on what
        taken = {name for job in computing for name in job.record.placed_on}
        return [device for device in self.devices if device.id not in taken]

    def _place(self, job: Job, going: list[Job], free: list[Device]) -> tuple[Device, ...] | None:
        kind = _class_of(job)
        if kind == "device":
            return place(job.record.device, job.record.processes, free, self.devices)
        most = self.settings.light_jobs if kind == "light" else self.settings.cluster_jobs
        return () if sum(_class_of(other) == kind for other in going) < most else None

    def _kept_for(self, job: Job, free: list[Device]) -> list[Device]:
        """Devices that later jobs may take: GPUs are reserved, so that a multi-GPU job cannot starve."""
        if _class_of(job) != "device" or why_never(job.record.device, job.record.processes, self.devices):
            return free
        if job.record.processes == 1:
            return [device for device in free if device.id != job.record.device]
        return [device for device in free if not device.is_gpu]

    def _work(self, assignment: Assignment) -> None:
        try:
            self._start_and_watch(assignment)
        finally:
            self.in_hand.discard(assignment.job.id)
            self.woken.set()

    def _start_and_watch(self, assignment: Assignment) -> None:
        job = runs.get_job(self.workspace, assignment.job.id)
        process = None
        attached = job.state == "running" and not workers.is_alive(job.folder)
        if job.state == "queued" or attached:
            log.info("run %s %s %s", job.id, "is looked for" if attached else "starts", _words(assignment))
            process = self._start(job, assignment.devices)
        if process or job.state == "running":
            watch(job, self.settings, process)
        job = runs.get_job(self.workspace, job.id)
        runs.throw_away_if_wanted(job)
        log.info("run %s: %s", job.id, job.state)
        if attached and job.state == "running":
            time.sleep(_AGAIN_SECONDS)  # whoever asked the cluster was killed: not at once again

    def _start(self, job: Job, devices: tuple[Device, ...]) -> "subprocess.Popen[bytes]":
        command = workers.worker_command(job.spec.kind, self.settings.worker)
        if job.record.device == RAY:
            # What a killed one left: its lock is free, and the cluster knows what goes on.
            (job.folder / "alive").unlink(missing_ok=True)
            return workers.start_worker(job.folder, raycluster.CLUSTER_COMMAND, cwd=self.workspace.home)
        command = workers.launched(command, job.record.processes)
        return workers.start_worker(
            job.folder,
            command,
            cwd=self.workspace.home,
            environment={**environment_for(devices), **unsafe_environment(self.workspace)},
        )


def watch(job: Job, settings: JobSettings, process: "subprocess.Popen[bytes] | None" = None) -> None:
    """Wait for the worker's end; one that does not heed a cancel is ended.

    Args:
        process: the worker, when it is a child of this process.
    """
    cancelled_at: float | None = None
    sent: set[signal.Signals] = set()
    try:
        start = (job.folder / "alive").open("rb")
    except FileNotFoundError:
        return  # over and made ready to go on since it was looked at
    with start:
        # This very file: a run that goes on later has another one.
        while locks.is_held(start):
            if process:
                process.poll()
            if cancelled_at is None and runs.is_cancel_wanted(job):
                cancelled_at = time.monotonic()
            if cancelled_at is not None:
                _press(job, time.monotonic() - cancelled_at, settings, sent)
            time.sleep(_POLL_SECONDS)
    if process:
        process.wait()


def _press(job: Job, waited: float, settings: JobSettings, sent: set[signal.Signals]) -> None:
    """Send the signal that is due after `waited` seconds, each one once."""
    until_term = settings.cancel_grace_seconds
    until_kill = until_term + settings.kill_grace_seconds
    for number, due in ((signal.SIGTERM, until_term), (signal.SIGKILL, until_kill)):
        if waited >= due and number not in sent:
            log.warning("run %s did not heed the cancel for %.0f s: %s", job.id, waited, number.name)
            workers.signal_worker(job.folder, number)
            sent.add(number)


def _class_of(job: Job) -> str:
    """Classify a job by what limits how many run at once: a device, the cluster, or next to nothing."""
    if job.record.device == RAY:
        return "cluster"
    return "device" if job.needs_device else "light"


def _words(assignment: Assignment) -> str:
    return f"on {', '.join(device.id for device in assignment.devices)}" if assignment.devices else ""
