"""A tiny worker, specs for it, and polling with a timeout, for the tests of runs, jobs and servers."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from studio import runs
from studio.contract import EvaluateSpec, TrainSpec
from studio.jobs import queue as jobs
from studio.runs import DeviceChoice, Run
from studio.system import processes as workers
from studio.system.background import reap
from studio.system.locks import read_note
from studio.workspace import Workspace

TINY = (sys.executable, str(Path(__file__).with_name("tiny_worker.py")), "{kind}")
TINY_SERVER = (sys.executable, str(Path(__file__).with_name("tiny_server.py")), "{kind}")


def tiny_spec(steps: int = 3) -> TrainSpec:
    """Build the spec of a training of `steps` steps of 50 ms."""
    return TrainSpec(model_name_or_path=Path("model"), dataset_dir=Path("data"), max_steps=steps)


def tiny_run(
    workspace: Workspace, *, steps: int = 3, label: str = "", device: str | None = None, processes: int = 1
) -> Run:
    """Prepare a training run of `steps` steps of 50 ms."""
    place = DeviceChoice(device=device, processes=processes)
    return runs.prepare_run(workspace, tiny_spec(steps), label=label, place=place)


def tiny_evaluation(workspace: Workspace) -> Run:
    """Prepare an evaluation."""
    return runs.prepare_run(
        workspace, EvaluateSpec(model_name_or_path=Path("model"), dataset_dir=Path("data"))
    )


def start(run: Run) -> None:
    """Start the tiny worker on the run, without any queue."""
    process = workers.start_worker(run.folder, workers.worker_command(run.spec.kind, TINY), cwd=run.folder)
    reap(process)


def wait_until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Poll until a condition holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def end_job_process(workspace: Workspace, number: signal.Signals = signal.SIGKILL) -> None:
    """End the job process, if there is one, and wait for its end; the workers of runs live on."""
    process = jobs.job_process(workspace)
    pid = read_note(process.lock)
    if pid is not None:
        os.kill(int(pid), number)
        wait_until(lambda: not process.is_alive())


def end_everything(workspace: Workspace) -> None:
    """Leave no process behind a test."""
    end_job_process(workspace)
    parents = (workspace.runs, workspace.serving, workspace.previews)
    for folder in [folder for parent in parents for folder in parent.iterdir()]:
        if folder.is_dir():
            workers.signal_worker(folder, signal.SIGKILL)
