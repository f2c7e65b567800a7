"""What a command or the web app started ends with it, however it ends; real processes, no mocks."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio import runs
from studio.jobs import queue
from studio.operations import supervisor
from studio.serving import servers as serving
from studio.system import processes as workers
from studio.workspace import BUNDLED_MODEL, open_workspace
from tests.support.tiny_runs import TINY_SERVER, end_everything, tiny_run, wait_until
from tests.support.web_process import free_port

ENDINGS = [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]
MAIN = "from studio.cli.main import main; main()"
SERVE = """
import sys
from pathlib import Path
from studio.serving.servers import serve_here
from studio.workspace import open_workspace
serve_here(open_workspace(Path(sys.argv[1])), model=Path("/model"), adapter=None, template="auto", name=sys.argv[3],
           port=int(sys.argv[2]), command=sys.argv[4:])
"""


@pytest.fixture
def here(workspace):
    yield workspace
    end_everything(workspace)


def ensure(workspace, name="tiny"):
    return serving.ensure_server(workspace, model=Path("/model"), name=name, command=TINY_SERVER)


def is_served(folder):
    return workers.is_alive(folder)


@pytest.mark.parametrize("number", ENDINGS)
@pytest.mark.parametrize("name", ["tiny", "stubborn"])
def test_a_server_in_the_foreground_ends_with_its_command(here, number, name):
    port = free_port()
    command = [sys.executable, "-c", SERVE, str(here.home), str(port), name, *TINY_SERVER]
    with subprocess.Popen(command) as serve:
        folder = here.serving / f"port-{port}"
        wait_until(lambda: (folder / "address.json").exists())
        serve.send_signal(number)
        serve.wait(20)
        wait_until(lambda: not is_served(folder))


@pytest.mark.slow
def test_the_real_server_ends_when_its_command_is_killed(here):
    port = free_port()
    command = [sys.executable, "-c", MAIN, "serve", "bundled", "--home", str(here.home), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as serve:
        assert BUNDLED_MODEL.exists()
        wait_until(lambda: listens(port), seconds=90)
        serve.kill()
        serve.wait()
        wait_until(lambda: not listens(port) and not is_served(here.serving / f"port-{port}"), seconds=15)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


OWNER = """
import sys, time
from pathlib import Path
from studio.serving.servers import ensure_server
from studio.workspace import open_workspace
ensure_server(open_workspace(Path(sys.argv[1])), model=Path("/model"), name="tiny", command=sys.argv[2:])
print("ready", flush=True)
time.sleep(600)
"""


def test_a_model_server_ends_with_the_process_that_asked_for_it(here):
    command = [sys.executable, "-c", OWNER, str(here.home), *TINY_SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout.readline() == b"ready\n"
        (server,) = serving.servers(here)
        owner.kill()
        owner.wait()
        wait_until(lambda: not is_served(server.folder))


@pytest.mark.parametrize("number", ENDINGS)
def test_web_app_model_server_and_idle_job_process_end_with_up(here, number):
    port = free_port()
    command = [sys.executable, "-c", MAIN, "up", "--home", str(here.home), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as up:
        assert str(port) in up.stdout.readline()
        wait_until(lambda: queue.job_process(here).is_alive())
        ensure(here)
        (server,) = serving.servers(here)
        web = supervisor.running_app(here).pid
        up.send_signal(number)
        up.wait(20)
        wait_until(lambda: not Path(f"/proc/{web}").exists(), seconds=15)
        wait_until(lambda: not is_served(server.folder), seconds=15)
        wait_until(lambda: not queue.job_process(here).is_alive(), seconds=15)
    assert supervisor.running_app(here) is None


def test_a_job_process_with_work_stays_until_it_is_done(here):
    code = "import sys, os; from pathlib import Path; from studio.workspace import open_workspace; from studio.jobs import queue; from studio import runs; w = open_workspace(Path(sys.argv[1])); queue.submit(w, runs.get_run(w, sys.argv[2])); os.kill(os.getpid(), 9)"
    run = tiny_run(here, steps=60)
    subprocess.run([sys.executable, "-c", code, str(here.home), run.id], check=False)
    wait_until(lambda: runs.get_run(here, run.id).state == "running")
    time.sleep(2)
    assert queue.job_process(here).is_alive()
    wait_until(lambda: runs.get_run(here, run.id).state == "done")
    wait_until(lambda: not queue.job_process(here).is_alive(), seconds=15)


def test_of_many_servers_the_least_recently_used_ends(here, monkeypatch):
    monkeypatch.setenv(serving.MOST_VARIABLE, "2")
    first = ensure(here, "one")
    ensure(here, "two")
    assert ensure(here, "one") == first
    ensure(here, "three")
    alive = {server.spec.name for server in serving.servers(here) if server.state != "ended"}
    assert alive == {"one", "three"}


def test_where_the_memory_does_not_suffice_the_others_end(here, tmp_path):
    ensure(here, "one")
    ensure(here, "two")
    huge = tmp_path / "huge"
    huge.mkdir()
    with (huge / "model.safetensors").open("wb") as file:
        file.truncate(2**42)  # a sparse file of 4 TiB
    serving.ensure_server(here, model=huge, name="huge", command=TINY_SERVER)
    assert {server.spec.name for server in serving.servers(here) if server.state != "ended"} == {"huge"}


def test_the_locks_of_owners_that_are_gone_are_swept(here):
    (here.home / "owners").mkdir()
    (here.home / "owners/4000001.lock").touch()
    ensure(here)
    assert [path.name for path in (here.home / "owners").iterdir()] == [f"{os.getpid()}.lock"]
    assert open_workspace(here.home) == here
