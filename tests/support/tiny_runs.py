"""What the tests of runs, jobs and servers share: a tiny worker, specs for it, patience."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from studio import runs
from studio.contract import EvaluateSpec, TrainSpec
from studio.jobs import queue as jobs
from studio.runs import Place, Run
from studio.system import processes as workers
from studio.workspace import Workspace

TINY = (sys.executable, str(Path(__file__).with_name("tiny_worker.py")), "{kind}")
TINY_SERVER = (sys.executable, str(Path(__file__).with_name("tiny_server.py")), "{kind}")


def tiny_spec(steps: int = 3) -> TrainSpec:
    """A training of `steps` steps of 50 ms."""
    return TrainSpec(model_name_or_path=Path("model"), dataset_dir=Path("data"), max_steps=steps)


def tiny_run(
    workspace: Workspace, *, steps: int = 3, label: str = "", device: str | None = None, processes: int = 1
) -> Run:
    """A prepared training run that takes `steps` steps of 50 ms."""
    place = Place(device=device, processes=processes)
    return runs.prepare_run(workspace, tiny_spec(steps), label=label, place=place)


def tiny_evaluation(workspace: Workspace) -> Run:
    """A prepared evaluation."""
    return runs.prepare_run(
        workspace, EvaluateSpec(model_name_or_path=Path("model"), dataset_dir=Path("data"))
    )


def start(run: Run) -> None:
    """Start the tiny worker on the run, without any queue."""
    process = workers.start_worker(run.folder, workers.worker_command(run.spec.kind, TINY), cwd=run.folder)
    workers.reap(process)


def wait_until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait for something that must come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def end_everything(workspace: Workspace) -> None:
    """Leave no process behind a test."""
    pid = jobs.worker_pid(workspace)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not jobs.worker_alive(workspace))
    parents = (workspace.runs, workspace.serving, workspace.previews)
    for folder in [folder for parent in parents for folder in parent.iterdir()]:
        if folder.is_dir():
            workers.signal_worker(folder, signal.SIGKILL)
