"""`up` keeps the web app and the job process alive, and a workspace has one web app."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli._runs import app as cli
from studio.errors import PortInUse, StudioError, WorkspaceBusy
from studio.jobs import queue as jobs
from studio.operations import supervisor
from studio.workspace import open_workspace
from tests.support.tiny_runs import TINY, end_everything, end_job_process, tiny_run, wait_until
from tests.support.web_process import free_port

UP = """
import sys
from pathlib import Path
from studio.operations.supervisor import up
from studio.workspace import open_workspace
workspace, port, app = open_workspace(Path(sys.argv[1])), int(sys.argv[2]), Path(sys.argv[3])
up(workspace, port, app=app, on_ready=lambda url: print("ready", url, flush=True))
print("ended", flush=True)
"""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_JOBS_WORKER", json.dumps(TINY))
    opened = open_workspace(tmp_path / "home")
    (tmp_path / "app.py").write_text("import streamlit as st\nst.write('hello')\n")
    yield opened
    web = supervisor.running_app(opened)
    if web:
        os.kill(web.pid, signal.SIGKILL)
        wait_until(lambda: supervisor.running_app(opened) is None)
    end_everything(opened)


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def started(workspace, port, tmp_path):
    """Start `up` in a subprocess, with a one-line app that answers."""
    command = [sys.executable, "-c", UP, str(workspace.home), str(port), str(tmp_path / "app.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        first_words = process.stdout.readline()
        yield process
        process.kill()
    assert first_words == f"ready http://127.0.0.1:{port}\n"


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ending_up_ends_the_web_app_and_leaves_running_jobs(workspace, started, port, number):
    run = tiny_run(workspace, steps=40)
    jobs.submit(workspace, run)
    wait_until(lambda: runs.get_run(workspace, run.id).state == "running")
    started.send_signal(number)
    assert started.wait(60) == 0
    assert not answers(port)
    assert supervisor.running_app(workspace) is None
    assert jobs.wait(workspace, run.id).state == "done"


def test_a_second_up_on_the_workspace_names_the_first(workspace, started, port):
    with pytest.raises(WorkspaceBusy, match=f"http://127.0.0.1:{port}"):
        supervisor.up(workspace, port + 1)


def test_a_killed_web_app_is_started_again(workspace, started, port):
    first = supervisor.running_app(workspace)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: supervisor.running_app(workspace).pid not in (first.pid, 0))
    wait_until(lambda: answers(port))
    assert started.poll() is None


def test_the_job_process_is_brought_back(workspace, started):
    wait_until(lambda: jobs.job_process(workspace).is_alive())
    end_job_process(workspace)
    wait_until(lambda: jobs.job_process(workspace).is_alive())


def test_a_killed_up_leaves_a_web_app_that_the_next_up_finds(workspace, started, port):
    started.kill()
    started.wait()
    wait_until(lambda: answers(port))
    with pytest.raises(WorkspaceBusy, match=str(supervisor.running_app(workspace).pid)):
        supervisor.up(workspace, port)


def test_a_port_in_use_is_named_with_another_to_try(workspace, port):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(PortInUse, match=f"--port {port + 1}"):
            supervisor.up(workspace, port)
        shown = CliRunner().invoke(cli, ["up", "--home", str(workspace.home), "--port", str(port)])
    assert shown.exit_code == 1
    assert str(port) in shown.stderr
    assert supervisor.running_app(workspace) is None


def test_an_app_that_cannot_live_is_given_up_with_a_reason(workspace, port, tmp_path):
    with pytest.raises(StudioError, match=r"missing\.py"):
        supervisor.up(workspace, port, app=tmp_path / "missing.py")
    assert threading.active_count() < 10
