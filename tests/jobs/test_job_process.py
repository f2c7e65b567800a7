"""Jobs are worked off one at a time, can be cancelled, and outlive whoever is killed."""

import json
import signal
import subprocess
import sys
import threading

import pytest

from studio import runs
from studio.errors import JobProcessUnavailable
from studio.jobs import queue as jobs
from studio.system import processes as workers
from studio.workspace import open_workspace
from tests.support.tiny_runs import (
    TINY,
    end_everything,
    end_job_process,
    start,
    tiny_evaluation,
    tiny_run,
    wait_until,
)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace whose job process starts the tiny worker, and is ended after the test."""
    monkeypatch.setenv("STUDIO_JOBS_WORKER", json.dumps(TINY))
    monkeypatch.setenv("STUDIO_JOBS_CANCEL_GRACE_SECONDS", "0.5")
    monkeypatch.setenv("STUDIO_JOBS_KILL_GRACE_SECONDS", "0.5")
    place = open_workspace(tmp_path / "home")
    yield place
    end_everything(place)


def submitted(workspace, **options):
    run = tiny_run(workspace, **options)
    jobs.submit(workspace, run)
    return run


def state(workspace, run):
    return runs.get_run(workspace, run.id).state


def wait_for_state(workspace, run, *states):
    wait_until(lambda: state(workspace, run) in states)


def moments(run):
    """When the worker of a run began and ended, in seconds."""
    words = [line.split() for line in runs.read_log(run).splitlines()]
    return [float(line[-1]) for line in words]


def test_a_submitted_run_is_done_by_and_by(workspace):
    polls = []
    run = jobs.wait(workspace, submitted(workspace).id, on_poll=polls.append, poll_seconds=0.05)
    assert run.state == "done"
    assert polls[0].state == "queued"


def test_an_evaluation_is_a_job_like_a_training(workspace):
    run = tiny_evaluation(workspace)
    jobs.submit(workspace, run)
    assert jobs.wait(workspace, run.id).state == "done"
    assert "began evaluate" in runs.read_log(run)


def test_two_jobs_never_run_at_the_same_time(workspace):
    first, second = submitted(workspace, steps=5), submitted(workspace, steps=1)
    jobs.wait(workspace, second.id)
    assert moments(first)[1] <= moments(second)[0]


def test_many_callers_at_once_start_one_job_process(workspace):
    callers = [threading.Thread(target=jobs.ensure_job_process, args=[workspace]) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    process = jobs.job_process(workspace)
    wait_until(lambda: "working off the queue" in process.log.read_text())
    assert process.is_alive()
    assert process.log.read_text().count("working off the queue") == 1


def test_a_second_job_process_by_hand_ends_at_once(workspace):
    jobs.ensure_job_process(workspace)
    command = [sys.executable, "-m", "studio.jobs._process", str(workspace.home)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
    assert jobs.job_process(workspace).is_alive()


def test_a_job_process_by_hand_works_the_queue(workspace):
    run = tiny_run(workspace)
    process = subprocess.Popen([sys.executable, "-m", "studio.jobs._process", str(workspace.home)])
    wait_for_state(workspace, run, "done")
    end_job_process(workspace, signal.SIGTERM)
    assert process.wait(60) == 0


def test_a_killed_job_process_leaves_the_worker_alone_and_nothing_is_doubled(workspace):
    running, waiting = submitted(workspace, steps=60), submitted(workspace, steps=1)
    wait_for_state(workspace, running, "running")
    end_job_process(workspace)
    assert state(workspace, running) == "running"
    jobs.ensure_job_process(workspace)
    assert jobs.wait(workspace, waiting.id).state == "done"
    assert state(workspace, running) == "done"
    assert len(moments(running)) == 2
    assert moments(running)[1] <= moments(waiting)[0]


def test_the_queue_file_of_an_older_studio_is_left_alone(workspace):
    old = workspace.home / "queue.db"
    old.write_bytes(b"this is no database")
    assert jobs.wait(workspace, submitted(workspace).id).state == "done"
    assert old.read_bytes() == b"this is no database"


def test_a_worker_started_elsewhere_is_waited_for(workspace):
    elsewhere = tiny_run(workspace, steps=15)
    start(elsewhere)
    run = submitted(workspace, steps=1)
    jobs.wait(workspace, run.id)
    assert moments(elsewhere)[1] <= moments(run)[0]


def test_a_cancelled_run_ends_at_its_next_step(workspace):
    run = submitted(workspace, steps=400)
    wait_for_state(workspace, run, "running")
    runs.cancel(workspace, run.id)
    ended = jobs.wait(workspace, run.id)
    assert ended.state == "cancelled"
    assert ended.result is not None


@pytest.mark.parametrize(("label", "sent"), [("deaf", "SIGTERM"), ("deaf stubborn", "SIGKILL")])
def test_a_worker_that_does_not_heed_a_cancel_is_ended(workspace, label, sent):
    run = submitted(workspace, steps=400, label=label)
    wait_until(lambda: "began" in runs.read_log(run))
    runs.cancel(workspace, run.id)
    assert jobs.wait(workspace, run.id).state == "cancelled"
    assert sent in jobs.job_process(workspace).log.read_text()


def test_a_cancel_reaches_a_worker_whose_job_process_was_killed(workspace):
    run = submitted(workspace, steps=400, label="deaf")
    wait_for_state(workspace, run, "running")
    end_job_process(workspace)
    runs.cancel(workspace, run.id)
    jobs.ensure_job_process(workspace)
    wait_for_state(workspace, run, "cancelled")


def test_a_run_cancelled_while_it_waits_never_starts(workspace):
    running, waiting = submitted(workspace, steps=2000), submitted(workspace)
    runs.cancel(workspace, waiting.id)
    last = submitted(workspace, steps=1)
    runs.cancel(workspace, running.id)
    jobs.wait(workspace, last.id)
    assert state(workspace, waiting) == "cancelled"
    assert not workers.was_started(waiting.folder)


def test_a_crashed_worker_does_not_stop_the_next_job(workspace):
    crashed, following = submitted(workspace, label="crash"), submitted(workspace)
    assert jobs.wait(workspace, following.id).state == "done"
    assert state(workspace, crashed) == "lost"


def test_a_worker_program_that_is_missing_ends_the_run_not_the_queue(workspace, monkeypatch):
    monkeypatch.setenv("STUDIO_JOBS_WORKER", '["/no/such/python"]')
    first, second = submitted(workspace), submitted(workspace)
    assert jobs.wait(workspace, second.id).state == "lost"
    assert "/no/such/python" in runs.read_log(first)


def test_stopping_the_job_process_leaves_the_worker_alone(workspace):
    run = submitted(workspace, steps=20)
    wait_until(lambda: "began" in runs.read_log(run))
    end_job_process(workspace, signal.SIGTERM)
    wait_for_state(workspace, run, "done")


def test_waiting_ends_when_no_job_process_stays_alive(workspace, monkeypatch):
    monkeypatch.setenv("STUDIO_JOBS_LOOK_SECONDS", "often")
    run = tiny_run(workspace)
    with pytest.raises(JobProcessUnavailable, match="look_seconds") as error:
        jobs.wait(workspace, run.id, poll_seconds=0.05)
    assert "jobs.log" in error.value.remedy
    assert state(workspace, run) == "queued"
