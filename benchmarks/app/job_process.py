"""How soon a submitted run starts, and what the job process costs while it has nothing to do.

    python -m benchmarks.app.job_process [--finished 1000] [--rounds 24] [--idle-seconds 60]

Seconds from `submit` to the worker's lock file, with a job process that waits (warm) and
without one (cold); processor time of the waiting job process. The worker is `true`.
"""

import argparse
import os
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from studio import runs
from studio.contract import TrainSpec
from studio.jobs import queue as jobs
from studio.runs import Run
from studio.system.locks import read_note
from studio.workspace import Workspace, open_workspace

RESULT = '{"status": "done", "seconds": 1, "peak_memory_gib": 1}'


def main() -> None:
    """Make a workspace, measure, and say it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--finished", type=int, default=1000, help="finished runs in the workspace")
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--idle-seconds", type=float, default=60)
    options = parser.parse_args()
    os.environ["STUDIO_JOBS_WORKER"] = '["true"]'
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(Path(folder))
        for _ in range(options.finished):
            finish(prepare(workspace))
        cold = [start_cold(workspace) for _ in range(max(3, options.rounds // 4))]
        seconds_to_start(workspace)
        warm = [start_warm(workspace) for _ in range(options.rounds)]
        cost = idle_cost(workspace, options.idle_seconds)
        end_job_process(workspace)
    print(
        f"{options.finished} finished runs: cold {told(cold)}; warm {told(warm)}; idle {cost:.2f} s a minute"
    )


def prepare(workspace: Workspace) -> Run:
    """Make a run that waits."""
    return runs.prepare_run(workspace, TrainSpec(model_name_or_path=Path("m"), dataset_dir=Path("d")))


def finish(run: Run) -> None:
    """Make a run one that is done."""
    (run.folder / "alive").touch()
    (run.folder / "result.json").write_text(RESULT)


def seconds_to_start(workspace: Workspace) -> float:
    """From `submit` to the lock file of the worker."""
    run = prepare(workspace)
    began = time.monotonic()
    jobs.submit(workspace, run)
    wait_for((run.folder / "alive").exists)
    took = time.monotonic() - began
    wait_for(lambda: runs.get_run(workspace, run.id).state == "lost")
    (run.folder / "result.json").write_text(RESULT)
    return took


def start_cold(workspace: Workspace) -> float:
    """Measure the same without a job process."""
    end_job_process(workspace)
    return seconds_to_start(workspace)


def start_warm(workspace: Workspace) -> float:
    """Measure the same while one waits, at a random moment of its polling."""
    time.sleep(random.uniform(0.7, 1.3))
    return seconds_to_start(workspace)


def idle_cost(workspace: Workspace, seconds: float) -> float:
    """Processor seconds of the job process in a minute without work."""
    process = Path(f"/proc/{read_note(jobs.job_process(workspace).lock)}/stat")
    time.sleep(2)
    began = time.monotonic(), cpu_seconds(process)
    time.sleep(seconds)
    return 60 * (cpu_seconds(process) - began[1]) / (time.monotonic() - began[0])


def cpu_seconds(stat: Path) -> float:
    """User and system time that a process has used."""
    fields = stat.read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def end_job_process(workspace: Workspace) -> None:
    """End the job process, if there is one."""
    process = jobs.job_process(workspace)
    if pid := read_note(process.lock):
        os.kill(int(pid), signal.SIGKILL)
        wait_for(lambda: not process.is_alive())


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for it, a millisecond exact."""
    while not condition():
        time.sleep(0.001)


def told(seconds: Sequence[float]) -> str:
    """Median and worst, in milliseconds."""
    return f"{1000 * statistics.median(seconds):.0f} ms (worst {1000 * max(seconds):.0f})"


if __name__ == "__main__":
    main()
