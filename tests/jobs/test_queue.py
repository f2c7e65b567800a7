"""Waiting runs have an order and devices, can be paused, resumed, repeated and discarded."""

import fcntl
import json
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli.main import app
from studio.contract import BehaviourSpec, DownloadSpec
from studio.errors import DiskFull, InputError, RunFailed
from studio.jobs import queue as jobs
from studio.jobs._scheduler import Scheduler
from studio.jobs.settings import JobSettings
from studio.runs import DeviceChoice
from studio.system import processes as workers
from studio.workspace import open_workspace
from tests.support.full_disk import error_on_a_full_disk
from tests.support.tiny_runs import (
    TINY,
    end_everything,
    end_job_process,
    start,
    tiny_evaluation,
    tiny_run,
    tiny_spec,
    wait_until,
)

LONG = 2000
"""Steps of a run that does not end by itself: 100 seconds."""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace whose job process has two devices and starts the tiny worker."""
    monkeypatch.setenv("STUDIO_JOBS_WORKER", json.dumps(TINY))
    monkeypatch.setenv("STUDIO_JOBS_DEVICES", '["cuda:0", "cuda:1"]')
    monkeypatch.setenv("STUDIO_JOBS_CANCEL_GRACE_SECONDS", "0.5")
    monkeypatch.setenv("STUDIO_JOBS_KILL_GRACE_SECONDS", "0.5")
    place = open_workspace(tmp_path / "home")
    yield place
    end_everything(place)


@pytest.fixture
def one_device(monkeypatch):
    monkeypatch.setenv("STUDIO_JOBS_DEVICES", '["cpu"]')


def submitted(workspace, **options):
    run = tiny_run(workspace, **options)
    jobs.submit(workspace, run)
    return run


def now(workspace, run):
    return runs.get_job(workspace, run.id)


def state(workspace, run):
    return now(workspace, run).state


def wait_for_state(workspace, run, *states):
    wait_until(lambda: state(workspace, run) in states)


def ended(workspace, run):
    """The run as it stands when it is over."""
    return jobs.wait(workspace, run.id, poll_seconds=0.02)


def steps(run):
    return [event.step for event in runs.read_events(run)]


def began(run):
    return float(runs.read_log(run).split()[2])


def seen(run, rank=0):
    return json.loads((run.folder / f"seen-{rank}.json").read_text())


@contextmanager
def as_if_running(run, devices=()):
    """The run as it is while a worker holds its lock."""
    runs.change_record(run.folder, placed_on=devices)
    with (run.folder / "alive").open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        yield


def next_up(workspace, *devices):
    """What a scheduler would assign next, and to what; no process is started."""
    settings = JobSettings(devices=devices or ("cuda:0", "cuda:1"))
    found = Scheduler(workspace, settings).next_assignment()
    return found and (found.job.id, [device.id for device in found.devices])


# Order


def test_a_moved_run_has_its_new_place(workspace):
    a, b, c = (tiny_run(workspace).id for _ in range(3))
    for run_id, to, order in [
        (c, "first", [c, a, b]),
        (c, "down", [a, c, b]),
        (b, "up", [a, b, c]),
        (a, "up", [a, b, c]),
        (a, "last", [b, c, a]),
        (a, "down", [b, c, a]),
    ]:
        runs.move(workspace, run_id, to)
        assert [job.id for job in runs.waiting(workspace)] == order


def test_what_does_not_wait_cannot_be_moved(workspace):
    run = tiny_run(workspace)
    runs.cancel(workspace, run.id)
    with pytest.raises(InputError, match="news-studio runs"):
        runs.move(workspace, run.id, "first")


def test_the_order_outlives_the_job_process(workspace, one_device):
    first = submitted(workspace, steps=LONG)
    wait_for_state(workspace, first, "running")
    b, c, d = (submitted(workspace, steps=1) for _ in range(3))
    runs.move(workspace, d.id, "first")
    runs.move(workspace, b.id, "last")
    end_job_process(workspace)
    runs.cancel(workspace, first.id)
    jobs.ensure_job_process(workspace)
    for run in (b, c, d):
        assert ended(workspace, run).state == "done"
    assert began(d) < began(c) < began(b)


# Devices


def test_two_devices_do_two_runs_at_once_and_the_third_waits(workspace):
    one, two = submitted(workspace, steps=LONG), submitted(workspace, steps=LONG)
    three = submitted(workspace, steps=1)
    wait_until(lambda: (two.folder / "seen-0.json").exists() and (one.folder / "seen-0.json").exists())
    assert [state(workspace, run) for run in (one, two, three)] == ["running", "running", "queued"]
    assert {seen(one)["cuda"], seen(two)["cuda"]} == {"0", "1"}
    runs.cancel(workspace, two.id)
    assert ended(workspace, three).state == "done"
    assert now(workspace, three).record.placed_on == now(workspace, two).record.placed_on


def test_a_download_does_not_wait_for_a_training(workspace, one_device):
    training = submitted(workspace, steps=LONG)
    wait_for_state(workspace, training, "running")
    spec = DownloadSpec(model_id="a/b", target=Path("model"))
    download = runs.prepare_job(workspace, spec)
    jobs.submit(workspace, download)
    assert jobs.wait_for_job(workspace, download.id, poll_seconds=0.02).state == "done"
    assert state(workspace, training) == "running"


def test_a_restarted_job_process_gives_no_device_away_twice(workspace):
    going = submitted(workspace, steps=LONG, device="cuda:1")
    wait_until(lambda: (going.folder / "seen-0.json").exists())
    end_job_process(workspace)
    second, third = submitted(workspace, steps=8), submitted(workspace, steps=1)
    ended(workspace, third)
    assert (seen(going)["cuda"], seen(second)["cuda"], seen(third)["cuda"]) == ("1", "0", "0")
    assert state(workspace, going) == "running"


def test_who_waits_for_a_device_of_his_own_is_passed_by(workspace):
    going, pinned, free = tiny_run(workspace), tiny_run(workspace, device="cuda:0"), tiny_run(workspace)
    with as_if_running(going, ["cuda:0"]):
        scheduler = Scheduler(workspace, JobSettings())
        scheduler.in_hand.add(going.id)
        assert scheduler.next_assignment().job.id == free.id
    assert pinned.record.device == "cuda:0"


def test_who_waits_for_several_gpus_is_not_passed_by_for_ever(workspace):
    going, _both, _single = tiny_run(workspace), tiny_run(workspace, processes=2), tiny_run(workspace)
    with as_if_running(going, ["cuda:0"]):
        scheduler = Scheduler(workspace, JobSettings())
        scheduler.in_hand.add(going.id)
        assert scheduler.next_assignment() is None


def test_a_wish_that_cannot_come_true_holds_nobody_up(workspace):
    _nowhere, run = tiny_run(workspace, device="cuda:7"), tiny_run(workspace)
    assert next_up(workspace) == (run.id, ["cuda:0"])
    with pytest.raises(InputError, match="cuda:7"):
        jobs.put_on(workspace, run.id, DeviceChoice(device="cuda:7"))


def test_a_run_that_was_given_a_device_but_never_started_is_next_again(workspace):
    run = tiny_run(workspace)
    runs.change_record(run.folder, placed_on=["cuda:1"])
    assert next_up(workspace) == (run.id, ["cuda:0"])


def test_a_worker_that_nobody_watches_is_watched_first(workspace):
    waiting, going = tiny_run(workspace), tiny_run(workspace)
    with as_if_running(going, ["cuda:1"]):
        assert next_up(workspace) == (going.id, [])
    assert next_up(workspace)[0] == waiting.id


def test_another_device_lets_a_waiting_run_start(workspace):
    going, pinned = submitted(workspace, steps=LONG, device="cuda:0"), submitted(workspace, device="cuda:0")
    wait_for_state(workspace, going, "running")
    jobs.put_on(workspace, pinned.id, DeviceChoice())
    assert ended(workspace, pinned).state == "done"
    assert state(workspace, going) == "running"


def test_a_full_disk_leaves_no_run_in_hand_that_was_not_started(workspace):
    tiny_run(workspace)
    scheduler = Scheduler(workspace, JobSettings(devices=("cpu",)))
    error = error_on_a_full_disk(10, lambda: _assign_in_vain(scheduler))
    assert error == ""


def _assign_in_vain(scheduler):
    with pytest.raises(DiskFull):
        scheduler.assign()
    assert not scheduler.is_busy


# Pause and resume


def test_a_paused_run_goes_on_where_it_stopped(workspace):
    run = submitted(workspace, steps=60)
    wait_until(lambda: steps(run))
    runs.pause(workspace, run.id)
    paused = ended(workspace, run)
    assert (paused.state, paused.is_over) == ("paused", True)
    with pytest.raises(RunFailed, match="runs resume"):
        runs.require_done(paused)
    jobs.resume(workspace, run.id)
    assert ended(workspace, run).state == "done"
    assert steps(run) == list(range(1, 61))
    assert runs.read_log(run).count("began") == 2


def test_a_waiting_run_can_be_put_aside_and_taken_up_again(workspace, one_device):
    going, aside, last = (
        submitted(workspace, steps=LONG),
        submitted(workspace, steps=1),
        tiny_run(workspace, steps=1),
    )
    runs.pause(workspace, aside.id)
    jobs.submit(workspace, last)
    runs.cancel(workspace, going.id)
    assert ended(workspace, last).state == "done"
    assert (state(workspace, aside), workers.was_started(aside.folder)) == ("paused", False)
    jobs.resume(workspace, aside.id)
    assert ended(workspace, aside).state == "done"


def test_a_resumed_run_waits_at_the_end_of_the_queue(workspace):
    first, second = tiny_run(workspace), tiny_run(workspace)
    runs.pause(workspace, first.id)
    runs.make_ready_to_go_on(workspace, first.id)
    assert [job.id for job in runs.waiting(workspace)] == [second.id, first.id]


@pytest.mark.parametrize("victims", ["worker", "job process", "both"])
def test_whoever_is_killed_nothing_is_lost_and_nothing_is_called_running_wrongly(
    workspace, one_device, victims
):
    going, waiting = submitted(workspace, steps=60, label="saves"), submitted(workspace, steps=1)
    wait_until(lambda: len(steps(going)) > 2)
    if victims != "worker":
        end_job_process(workspace)
    if victims != "job process":
        workers.signal_worker(going.folder, signal.SIGKILL)
        wait_for_state(workspace, going, "lost")
    jobs.ensure_job_process(workspace)
    assert ended(workspace, waiting).state == "done"
    if victims == "job process":
        assert state(workspace, going) == "done"
        return
    assert "step_" in now(workspace, going).failure[1]
    jobs.resume(workspace, going.id)
    assert ended(workspace, going).state == "done"
    assert sorted(set(steps(going))) == list(range(1, 61))


def test_a_cancelled_run_with_a_checkpoint_can_go_on(workspace):
    run = submitted(workspace, steps=60, label="saves")
    wait_until(lambda: steps(run))
    runs.cancel(workspace, run.id)
    assert ended(workspace, run).state == "cancelled"
    jobs.resume(workspace, run.id)
    assert ended(workspace, run).state == "done"


def test_a_paused_run_can_be_cancelled(workspace):
    run = submitted(workspace, steps=LONG)
    wait_until(lambda: steps(run))
    runs.pause(workspace, run.id)
    ended(workspace, run)
    runs.cancel(workspace, run.id)
    assert state(workspace, run) == "cancelled"
    assert now(workspace, run).resume_point is not None


def test_what_cannot_go_on_says_why(workspace):
    lost, queued, done = tiny_run(workspace), tiny_run(workspace), tiny_run(workspace)
    (lost.folder / "alive").touch()
    (done.folder / "result.json").write_text('{"status":"done","seconds":1,"peak_memory_gib":1}')
    tests = runs.prepare_job(workspace, BehaviourSpec(model_name_or_path=Path("model"), run="some"))
    (tests.folder / "alive").touch()
    reasons = set()
    for run in (lost, queued, done, tests):
        reason = runs.why_not_resumable(now(workspace, run))
        with pytest.raises(InputError, match="runs retry") as error:
            jobs.resume(workspace, run.id)
        assert reason in error.value.problem
        reasons.add(reason)
    assert len(reasons) == 4


def test_an_evaluation_that_was_killed_goes_on_with_what_its_files_lack(workspace):
    evaluation = tiny_evaluation(workspace)
    (evaluation.folder / "alive").touch()
    assert "继续" in now(workspace, evaluation).failure[1]
    assert jobs.resume(workspace, evaluation.id).state == "queued"


def test_work_that_cannot_go_on_later_is_not_paused(workspace):
    evaluation = tiny_evaluation(workspace)
    with as_if_running(evaluation), pytest.raises(InputError, match="取消"):
        runs.pause(workspace, evaluation.id)
    assert not (evaluation.folder / "pause").exists()


def test_an_interrupted_resume_can_be_resumed(workspace):
    run = tiny_run(workspace)
    (run.folder / "checkpoints/step_000002/resume").mkdir(parents=True)
    (run.folder / "checkpoints/step_000002/resume/loop.json").touch()
    for left in (["alive"], ["alive", "pause"], ["alive", "cancel", "pause"]):
        for name in left:
            (run.folder / name).touch()
        assert state(workspace, run) in ("lost", "cancelled")
        assert runs.make_ready_to_go_on(workspace, run.id).state == "queued"


# Retry and discard


def test_a_retry_is_a_new_run_with_the_same_spec(workspace):
    run = submitted(workspace, label="crash")
    ended(workspace, run)
    again = jobs.retry(workspace, run.id)
    assert (again.spec, again.label, again.record.retry_of) == (run.spec, run.label, run.id)
    ended(workspace, again)
    assert state(workspace, run) == "lost"


def test_what_goes_on_cannot_be_repeated(workspace):
    run = tiny_run(workspace)
    with pytest.raises(InputError, match=run.id):
        jobs.retry(workspace, run.id)


@pytest.mark.parametrize("label", ["saves", "saves deaf stubborn"])
def test_a_discarded_run_ends_without_its_checkpoints(workspace, label):
    run = submitted(workspace, steps=LONG, label=label)
    wait_until(lambda: (run.folder / "checkpoints").exists())
    runs.discard(workspace, run.id)
    assert ended(workspace, run).state == "cancelled"
    wait_until(lambda: not (run.folder / "checkpoints").exists())
    assert runs.why_not_resumable(now(workspace, run))
    with pytest.raises(RunFailed):
        runs.trained_model(now(workspace, run))


def test_checkpoints_of_a_run_that_is_over_go_at_once_but_never_those_of_a_done_one(workspace):
    lost, done = tiny_run(workspace), tiny_run(workspace)
    for run in (lost, done):
        (run.folder / "checkpoints/step_000001").mkdir(parents=True)
    (lost.folder / "alive").touch()
    (done.folder / "result.json").write_text('{"status":"done","seconds":1,"peak_memory_gib":1}')
    runs.discard(workspace, lost.id)
    with pytest.raises(InputError):
        runs.discard(workspace, done.id)
    assert not (lost.folder / "checkpoints").exists() and (done.folder / "checkpoints").exists()


def test_a_job_process_throws_away_what_a_killed_one_left(workspace):
    run, following = tiny_run(workspace), tiny_run(workspace, steps=1)
    (run.folder / "checkpoints/step_000001").mkdir(parents=True)
    for name in ("alive", "cancel", "discard"):
        (run.folder / name).touch()
    jobs.submit(workspace, following)
    ended(workspace, following)
    assert not (run.folder / "checkpoints").exists()


# Several processes, sweeps


@pytest.mark.slow
def test_several_processes_train_one_run_and_end_with_their_launcher(workspace):
    run = submitted(workspace, steps=600, processes=2)
    wait_until(
        lambda: (run.folder / "seen-0.json").exists() and (run.folder / "seen-1.json").exists(), seconds=60
    )
    wait_until(lambda: seen(run, 1)["pid"])
    assert [seen(run, rank)["world"] for rank in (0, 1)] == ["2", "2"]
    assert now(workspace, run).record.placed_on == ("cuda:0", "cuda:1")
    assert seen(run)["cuda"] == "0,1"
    workers.signal_worker(run.folder, signal.SIGKILL)
    wait_for_state(workspace, run, "lost")
    for rank in (0, 1):
        wait_until(lambda rank=rank: not _is_there(seen(run, rank)["pid"]))


def _is_there(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_the_members_of_a_sweep_are_left_to_it(workspace):
    sweep, members = runs.prepare_sweep(workspace, [("a", tiny_spec()), ("b", tiny_spec())])
    assert [run.state for run in members] == ["queued", "queued"]
    assert [job.id for job in runs.waiting(workspace)] == [sweep.id]
    assert sweep.spec.runs == tuple(run.folder for run in members)
    runs.cancel(workspace, sweep.id)
    assert [state(workspace, run) for run in members] == ["cancelled", "cancelled"]


def test_a_member_that_runs_takes_no_device_of_its_own(workspace):
    sweep, members = runs.prepare_sweep(workspace, [("a", tiny_spec())])
    other = tiny_run(workspace)
    with as_if_running(sweep, ["cuda:0"]), as_if_running(members[0]):
        scheduler = Scheduler(workspace, JobSettings())
        scheduler.in_hand.add(sweep.id)
        found = scheduler.next_assignment()
        assert (found.job.id, [device.id for device in found.devices]) == (other.id, ["cuda:1"])


def test_a_run_started_by_hand_holds_every_device_up(workspace):
    by_hand = tiny_run(workspace, steps=20)
    start(by_hand)
    run = submitted(workspace, steps=1)
    assert ended(workspace, run).state == "done"
    assert state(workspace, by_hand) == "done"


# The command line


def invoke(workspace, *arguments):
    done = CliRunner().invoke(app, ["runs", *arguments, "--home", str(workspace.home), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_command_line_orders_pauses_resumes_repeats_and_discards(workspace, one_device):
    going = submitted(workspace, steps=LONG, label="saves")
    first, second = submitted(workspace, steps=1), submitted(workspace, steps=1)
    wait_until(lambda: steps(going))
    assert [entry["place"] for entry in invoke(workspace, "move", second.id, "first")] == [1]
    assert [entry["state"] for entry in invoke(workspace, "pause", first.id, second.id)] == [
        "paused",
        "paused",
    ]
    assert [entry["device"] for entry in invoke(workspace, "place", first.id, "--device", "cpu")] == ["cpu"]
    invoke(workspace, "pause", going.id)
    assert ended(workspace, going).state == "paused"
    assert {entry["id"]: entry["resumable"] for entry in invoke(workspace)}[going.id]
    invoke(workspace, "resume", going.id)
    wait_for_state(workspace, going, "running")
    invoke(workspace, "cancel", "--discard", going.id)
    assert ended(workspace, going).state == "cancelled"
    again = invoke(workspace, "retry", going.id)[0]
    assert (again["retry_of"], again["label"]) == (going.id, "saves")


def test_the_home_may_stand_before_the_word(workspace, monkeypatch, tmp_path):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "other"))
    run = tiny_run(workspace)
    done = CliRunner().invoke(app, ["runs", "--home", str(workspace.home), "--json", "pause", run.id])
    assert json.loads(done.stdout)[0]["state"] == state(workspace, run) == "paused"


@pytest.mark.parametrize(
    ("arguments", "code"), [(["resume", "{}"], 2), (["pause", "none"], 2), (["move", "{}", "away"], 2)]
)
def test_what_cannot_be_done_is_told_on_the_command_line(workspace, arguments, code):
    run = tiny_run(workspace)
    words = [word.format(run.id) for word in arguments]
    done = CliRunner().invoke(app, ["runs", *words, "--home", str(workspace.home)])
    assert done.exit_code == code and done.stdout == "" and done.stderr


def test_train_on_the_command_line_runs_where_it_is_told(workspace):
    options = ["--device", "cuda:1", "--processes", "2", "--set", "max_steps=1"]
    done = CliRunner().invoke(app, ["train", *options, "--home", str(workspace.home), "--json"])
    assert done.exit_code == 0, done.output
    run = runs.get_run(workspace, json.loads(done.stdout)["run"])
    assert (run.record.device, run.record.processes) == ("cuda:1", 2)
    assert (run.record.placed_on, seen(run)["cuda"], seen(run)["world"]) == (("cuda:1", "cuda:0"), "1,0", "2")
