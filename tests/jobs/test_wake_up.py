"""A submitted run is taken up at once, whoever goes idle, is stopped or killed at that moment."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from studio import runs
from studio.jobs import queue as jobs
from studio.jobs._process import serve_queue
from studio.jobs.settings import JobSettings
from studio.system import processes as workers
from studio.system.locks import read_note, take_lock
from studio.workspace import open_workspace
from tests.support.tiny_runs import TINY, end_everything, tiny_run, wait_until

SUBMIT = """
import sys
from pathlib import Path
from studio.jobs import queue as jobs
from studio.workspace import open_workspace
from tests.support.tiny_runs import tiny_run
workspace = open_workspace(Path(sys.argv[1]))
print("ready", flush=True)
for _ in range(12):
    jobs.submit(workspace, tiny_run(workspace, steps=1))
"""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace whose job process looks at the run folders only when it is woken."""
    monkeypatch.setenv("STUDIO_JOBS_WORKER", json.dumps(TINY))
    monkeypatch.setenv("STUDIO_JOBS_LOOK_SECONDS", "600")
    place = open_workspace(tmp_path / "home")
    yield place
    end_everything(place)


def submitted(workspace, **options):
    run = tiny_run(workspace, steps=1, **options)
    jobs.submit(workspace, run)
    return run


def wait_for_done(workspace, run):
    wait_until(lambda: runs.get_run(workspace, run.id).state == "done")


def test_a_run_wakes_a_job_process_that_has_nothing_to_do(workspace):
    wait_for_done(workspace, submitted(workspace))
    time.sleep(0.5)
    run = submitted(workspace)
    wait_until(lambda: workers.was_started(run.folder))


def test_runs_submitted_at_the_same_moment_are_all_taken_up(workspace):
    jobs.ensure_job_process(workspace)
    submitters = [threading.Thread(target=submitted, args=[workspace]) for _ in range(8)]
    for submitter in submitters:
        submitter.start()
    wait_until(
        lambda: [run.state for run in runs.list_runs(workspace, sample=workspace.home)] == ["done"] * 8
    )


def test_an_idle_job_process_ends_and_the_next_run_brings_it_back(workspace, monkeypatch):
    monkeypatch.setenv("STUDIO_JOBS_IDLE_SECONDS", "0.3")
    wait_for_done(workspace, submitted(workspace))
    wait_until(lambda: not jobs.job_process(workspace).is_alive())
    wait_for_done(workspace, submitted(workspace))


def test_no_run_is_forgotten_while_job_processes_come_and_go(workspace, monkeypatch):
    monkeypatch.setenv("STUDIO_JOBS_IDLE_SECONDS", "0.01")
    for _ in range(8):
        wait_for_done(workspace, submitted(workspace))
        time.sleep(random.uniform(0, 0.3))


def test_a_run_that_finds_the_lock_held_is_seen_by_whoever_holds_it(workspace):
    """The moment between the last look of a job process that goes idle and the end of its lock."""
    for _ in range(100):  # they make a look long
        (tiny_run(workspace).folder / "alive").touch()
    settings, found_held = JobSettings(worker=("true",), idle_seconds=1e-9), 0
    for attempt in range(200):
        if found_held and attempt >= 8:
            break
        server = threading.Thread(target=serve_queue, args=[workspace, settings])
        server.start()
        time.sleep(random.uniform(0.02, 0.06))
        run = tiny_run(workspace)
        with jobs.job_process(workspace).lock.open("a") as lock:
            is_held = not take_lock(lock)
        server.join()
        assert not is_held or runs.get_run(workspace, run.id).state != "queued"
        found_held += is_held
        wait_until(lambda run=run: not workers.is_alive(run.folder))
        shutil.rmtree(run.folder)
    assert found_held


def test_a_stopped_job_process_takes_up_what_came_meanwhile(workspace, monkeypatch):
    monkeypatch.setenv("STUDIO_JOBS_IDLE_SECONDS", "1.5")
    wait_for_done(workspace, submitted(workspace))
    pid = int(read_note(jobs.job_process(workspace).lock))
    os.kill(pid, signal.SIGSTOP)
    run = submitted(workspace)
    time.sleep(1.6)
    os.kill(pid, signal.SIGCONT)
    wait_for_done(workspace, run)


def test_a_run_whose_submitter_was_killed_before_the_wake_up_is_found(workspace, monkeypatch):
    monkeypatch.setenv("STUDIO_JOBS_LOOK_SECONDS", "0.3")
    jobs.ensure_job_process(workspace)
    wait_until(lambda: "working off" in jobs.job_process(workspace).log.read_text())
    wait_for_done(workspace, tiny_run(workspace, steps=1))


@pytest.mark.parametrize("victim", ["submitter", "job process"])
def test_whoever_is_killed_among_many_runs_none_is_left_behind(workspace, victim):
    jobs.ensure_job_process(workspace)
    pid = int(read_note(jobs.job_process(workspace).lock))
    command = [sys.executable, "-c", SUBMIT, str(workspace.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as submitter:
        assert submitter.stdout.readline() == "ready\n"
        time.sleep(random.uniform(0, 0.03))
        os.kill(submitter.pid if victim == "submitter" else pid, signal.SIGKILL)
    jobs.ensure_job_process(workspace)
    wait_until(lambda: not runs.waiting(workspace))
    assert runs.unreadable_runs(workspace) == []
