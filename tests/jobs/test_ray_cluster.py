"""The same spec as a job of a real Ray node: state, words and cancel as for a run of this machine."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from studio import runs
from studio.errors import InputError
from studio.jobs import queue as jobs
from studio.jobs._ray_cluster import RayJob, submission
from studio.jobs.settings import RaySettings
from studio.runs import Place
from studio.system import processes as workers
from studio.workspace import open_workspace
from tests.support.tiny_runs import TINY, end_everything, end_job_process, tiny_run, wait_until

RAY = Path(sys.executable).with_name("ray")
needs_ray = pytest.mark.skipif(not RAY.exists(), reason="the extra is not installed: make ray-test")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def token():
    return secrets.token_hex(32)


@pytest.fixture(scope="module")
def cluster(token):
    """Address of a Ray node on loopback that wants a token."""
    home = Path(tempfile.mkdtemp(prefix="ray"))  # short: Ray puts sockets there, whose paths are limited
    port, dashboard = free_port(), free_port()
    command = [str(RAY), "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}"]
    command += ["--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", "--num-cpus=2"]
    command += ["--object-store-memory=80000000", f"--temp-dir={home}", "--disable-usage-stats"]
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    # Without it Ray takes the machine's outside address for 127.0.0.1.
    environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    with (home / "out").open("wb") as out:
        node = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    address = f"http://127.0.0.1:{dashboard}"
    try:
        wait_until(lambda: answers(address) or node.poll() is not None, seconds=90)
        assert node.poll() is None, (home / "out").read_text()
        yield address
    finally:
        node.send_signal(signal.SIGTERM)
        try:
            node.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(node.pid, signal.SIGKILL)
        shutil.rmtree(home, ignore_errors=True)


def answers(address):
    try:
        with urllib.request.urlopen(f"{address}/api/version", timeout=1) as answer:
            return answer.status == 200
    except urllib.error.HTTPError as error:
        return error.code in (401, 403)
    except OSError:
        return False


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace whose runs on Ray start the tiny worker there."""
    monkeypatch.setenv("STUDIO_RAY_WORKER", json.dumps(TINY))
    monkeypatch.setenv("STUDIO_RAY_POLL_SECONDS", "0.2")
    monkeypatch.setenv("STUDIO_JOBS_CANCEL_GRACE_SECONDS", "1")
    monkeypatch.setenv("STUDIO_LANG", "en")
    place = open_workspace(tmp_path / "home")
    yield place
    end_everything(place)


@pytest.fixture
def on_ray(workspace, cluster, token, monkeypatch):
    """Submit a tiny run to the cluster."""
    monkeypatch.setenv("STUDIO_RAY_ADDRESS", cluster)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", token)

    def submit(**options):
        run = tiny_run(workspace, device="ray", **options)
        jobs.submit(workspace, run)
        return run

    return submit


def state(workspace, run):
    return runs.get_run(workspace, run.id).state


def ended(workspace, run):
    return jobs.wait(workspace, run.id, poll_seconds=0.1)


def kill(workspace, run):
    """End the job process and whoever stands here for the worker, as a restart of the machine does."""
    end_job_process(workspace)
    workers.signal_worker(run.folder, signal.SIGKILL)
    wait_until(lambda: not workers.is_alive(run.folder))


@needs_ray
@pytest.mark.slow
def test_a_run_on_a_cluster_is_done_and_its_words_are_here(workspace, on_ray):
    run = on_ray(steps=5)
    assert ended(workspace, run).state == "done"
    words = runs.read_log(run)
    assert words.count("began train") == 1 and words.count("ended train done") == 1
    assert [event.step for event in runs.read_events(run)] == [1, 2, 3, 4, 5]
    # No device of this machine was taken, and the worker found the address of no GPU.
    assert runs.get_run(workspace, run.id).record.placed_on == ()


@needs_ray
@pytest.mark.slow
def test_a_run_on_a_cluster_outlives_everything_here_and_is_found_again(workspace, on_ray):
    run = on_ray(steps=120)
    wait_until(lambda: runs.read_events(run), seconds=60)
    kill(workspace, run)
    assert state(workspace, run) == "running"
    jobs.ensure_job_process(workspace)
    assert ended(workspace, run).state == "done"
    assert [event.step for event in runs.read_events(run)] == list(range(1, 121))
    assert runs.read_log(run).count("began train") == 1


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("label", ["", "deaf"])
def test_a_run_on_a_cluster_is_cancelled_whether_it_heeds_or_not(workspace, on_ray, label):
    run = on_ray(steps=2000, label=label)
    wait_until(lambda: runs.read_events(run), seconds=60)
    runs.cancel(workspace, run.id)
    assert ended(workspace, run).state == "cancelled"
    done = len(runs.read_events(run))
    time.sleep(0.5)
    assert len(runs.read_events(run)) == done  # the worker there has ended as well


@needs_ray
@pytest.mark.slow
def test_a_run_on_a_cluster_is_paused_and_goes_on(workspace, on_ray):
    run = on_ray(steps=60)
    wait_until(lambda: runs.read_events(run), seconds=60)
    runs.pause(workspace, run.id)
    assert ended(workspace, run).state == "paused"
    jobs.resume(workspace, run.id)
    assert ended(workspace, run).state == "done"
    assert [event.step for event in runs.read_events(run)] == list(range(1, 61))


@needs_ray
@pytest.mark.slow
def test_a_worker_that_dies_on_the_cluster_is_a_failed_run_with_the_remedy(workspace, on_ray):
    run = ended(workspace, on_ray(label="crash"))
    assert run.state == "failed"
    assert "file system that the nodes share" in run.failure[1]


@needs_ray
@pytest.mark.slow
def test_a_job_that_the_cluster_has_forgotten_is_failed_not_running(workspace, on_ray):
    run = on_ray(steps=400)
    wait_until(lambda: runs.read_events(run), seconds=60)
    kill(workspace, run)
    job = RayJob.model_validate_json((run.folder / "ray.json").read_bytes())
    (run.folder / "ray.json").write_text(job.model_copy(update={"submission_id": "gone"}).model_dump_json())
    jobs.ensure_job_process(workspace)
    assert ended(workspace, run).state == "failed"
    (run.folder / "cancel").touch()  # so that the real one ends too


@needs_ray
@pytest.mark.slow
def test_a_wrong_token_is_told(workspace, on_ray, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    run = ended(workspace, on_ray())
    assert run.state == "failed" and "RAY_AUTH_TOKEN" in run.failure[1]


@needs_ray
@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_told(workspace, on_ray, monkeypatch):
    monkeypatch.setenv("STUDIO_RAY_ADDRESS", f"http://127.0.0.1:{free_port()}")
    run = ended(workspace, on_ray())
    assert run.state == "failed" and "STUDIO_RAY_ADDRESS" in run.failure[1]
    assert not (run.folder / "ray.json").exists()


def test_a_run_for_a_cluster_needs_its_address(workspace, monkeypatch):
    monkeypatch.delenv("STUDIO_RAY_ADDRESS", raising=False)
    with pytest.raises(InputError, match="STUDIO_RAY_ADDRESS"):
        jobs.require_place(Place(device="ray"))


@pytest.mark.skipif(RAY.exists(), reason="the extra is installed")
def test_without_the_extra_the_run_says_what_to_install(workspace, monkeypatch):
    monkeypatch.setenv("STUDIO_RAY_ADDRESS", "http://127.0.0.1:1")
    run = tiny_run(workspace, device="ray")
    jobs.submit(workspace, run)
    run = ended(workspace, run)
    assert run.state == "failed" and "news-studio[ray]" in run.failure[1]


def test_what_the_cluster_is_asked_for(workspace):
    run = tiny_run(workspace, device="ray", processes=4)
    asked = submission(run, RaySettings(worker=("/a b/python", "-m", "backend.{kind}")), gpus=1)
    assert asked["entrypoint"].startswith(
        "'/a b/python' -m torch.distributed.run --standalone --nproc_per_node=4"
    )
    assert asked["entrypoint"].endswith(f"-m backend.train {run.folder}")
    assert (asked["entrypoint_num_gpus"], asked["entrypoint_num_cpus"]) == (4, 4)
    assert asked["runtime_env"]["env_vars"]["HF_HUB_OFFLINE"] == "1"
