"""A run's state follows from its folder, whatever killed whom; what it brought back can be read."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio import runs
from studio.contract import EvaluateSpec, TrainSpec
from studio.errors import InputError, RunFailed, StudioError, UnreadableFile
from studio.system import locks
from studio.system import processes as workers
from studio.workspace import open_workspace
from tests.support.full_disk import error_on_a_full_disk
from tests.support.tiny_runs import TINY, end_everything, start, tiny_evaluation, tiny_run, wait_until

STEP = (
    '{"event":"step","step":%d,"total_steps":10,"epoch":1,"loss":2.5,"learning_rate":0.1,"tokens_per_second":9,'
    '"tokens_seen":5,"elapsed_seconds":1,"eta_seconds":4,"memory_gib":1}\n'
)


@pytest.fixture
def workspace(tmp_path):
    place = open_workspace(tmp_path / "home")
    yield place
    end_everything(place)


def state(workspace, run):
    return runs.get_run(workspace, run.id).state


def test_a_prepared_run_is_queued(workspace):
    run = tiny_run(workspace, label="first try")
    assert (run.state, run.label, run.result) == ("queued", "first try", None)
    assert runs.list_runs(workspace, sample=Path("none")) == [run]


def test_a_run_is_running_while_its_worker_lives_and_then_what_the_result_says(workspace):
    run = tiny_run(workspace, steps=40)
    start(run)
    assert state(workspace, run) == "running"
    wait_until(lambda: state(workspace, run) != "running")
    assert state(workspace, run) == "done"


@pytest.mark.parametrize("label", ["crash", "killed"])
def test_a_worker_that_dies_without_a_result_is_lost(workspace, label):
    run = tiny_run(workspace, steps=200, label=label)
    start(run)
    if label == "killed":
        workers.signal_worker(run.folder, signal.SIGKILL)
    wait_until(lambda: state(workspace, run) != "running")
    lost = runs.get_run(workspace, run.id)
    assert lost.state == "lost"
    with pytest.raises(RunFailed, match="重新开始"):
        runs.require_done(lost)


def test_a_worker_outlives_the_process_that_started_it(workspace):
    run = tiny_run(workspace, steps=40)
    code = (
        "import os, sys; from pathlib import Path; from studio.system.processes import start_worker;"
        "start_worker(Path(sys.argv[1]), sys.argv[2:], cwd=Path('/')); os._exit(9)"
    )
    command = workers.worker_command("train", TINY)
    assert (
        subprocess.run([sys.executable, "-c", code, str(run.folder), *command], check=False).returncode == 9
    )
    assert state(workspace, run) == "running"
    wait_until(lambda: state(workspace, run) == "done")


def test_a_worker_is_never_started_twice(workspace):
    run = tiny_run(workspace)
    start(run)
    with pytest.raises(FileExistsError):
        start(run)
    wait_until(lambda: state(workspace, run) == "done")
    assert runs.read_log(run).count("began") == 1


def test_a_worker_that_cannot_be_started_says_why_in_the_log(workspace):
    run = tiny_run(workspace)
    with pytest.raises(FileNotFoundError):
        workers.start_worker(run.folder, ["/no/such/python"], cwd=run.folder)
    assert state(workspace, run) == "lost"
    assert "/no/such/python" in runs.read_log(run)


def test_cancelling_a_waiting_run_ends_it_at_once(workspace):
    run = tiny_run(workspace)
    runs.cancel(workspace, run.id)
    assert state(workspace, run) == "cancelled"


def test_cancelling_a_running_run_ends_it_at_its_next_step(workspace):
    run = tiny_run(workspace, steps=200)
    start(run)
    runs.cancel(workspace, run.id)
    wait_until(lambda: state(workspace, run) == "cancelled")


def test_a_run_killed_after_a_cancel_is_cancelled_not_lost(workspace):
    run = tiny_run(workspace, steps=200, label="deaf")
    start(run)
    runs.cancel(workspace, run.id)
    workers.signal_worker(run.folder, signal.SIGKILL)
    wait_until(lambda: state(workspace, run) == "cancelled")


def test_cancelling_what_is_over_changes_nothing(workspace):
    run = tiny_run(workspace, steps=1)
    start(run)
    wait_until(lambda: state(workspace, run) == "done")
    runs.cancel(workspace, run.id)
    assert state(workspace, run) == "done"
    assert not (run.folder / "cancel").exists()


def test_the_lock_goes_free_for_a_glance_and_stays_free_after_it(workspace):
    lock = workspace.home / "some.lock"
    with lock.open("a") as first, lock.open("a") as second:
        assert locks.take_lock(first)
        assert locks.is_locked(lock)
        assert not locks.take_lock(second)
    assert not locks.is_locked(lock)


def test_a_stale_process_id_is_never_signalled(workspace):
    run = tiny_run(workspace)
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    (run.folder / "alive").write_text(str(bystander.pid))
    workers.signal_worker(run.folder, signal.SIGKILL)
    time.sleep(0.1)
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_runs_of_the_same_second_have_different_ids(workspace):
    made = [tiny_run(workspace) for _ in range(3)]
    assert len({run.id for run in made}) == 3
    assert [run.id for run in runs.list_runs(workspace)][:3] == [run.id for run in reversed(made)]


def test_what_waits_or_runs_is_listed_without_what_is_done(workspace):
    waiting, ending, done = (tiny_run(workspace) for _ in range(3))
    for run in (ending, done):
        (run.folder / "result.json").write_text('{"status":"done","seconds":1,"peak_memory_gib":1}')
    with (ending.folder / "alive").open("w") as alive:
        assert locks.take_lock(alive)
        found = [(run.id, run.state) for run in runs.list_unfinished(workspace)]
    assert found == [(ending.id, "running"), (waiting.id, "queued")]


def test_paths_in_a_spec_become_absolute(workspace, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = tiny_run(workspace)
    assert run.spec.model_name_or_path == tmp_path / "model"
    assert TrainSpec.model_validate_json((run.folder / "spec.json").read_bytes()) == run.spec


def test_the_recorded_sample_comes_last_and_reads_like_any_run(workspace, tmp_path):
    recorded = tmp_path / "sample_run"
    tiny = tiny_run(workspace)
    recorded.mkdir()
    spec = EvaluateSpec(model_name_or_path=Path("data/base_model"), dataset_dir=Path("data/news_300"))
    (recorded / "spec.json").write_text(spec.model_dump_json())
    (recorded / "result.json").write_text('{"status":"done","seconds":1,"peak_memory_gib":1}')
    listed = runs.list_runs(workspace, sample=recorded)
    assert [(run.id, run.recorded) for run in listed] == [(tiny.id, False), ("sample_run", True)]
    assert listed[-1].state == "done"
    assert listed[-1].spec.model_name_or_path.is_absolute()
    assert runs.get_run(workspace, "sample_run", sample=recorded).recorded


@pytest.mark.parametrize("run_id", ["nothing", "../runs", "", ".", "a/b"])
def test_an_unknown_run_is_named_with_the_remedy(workspace, run_id):
    with pytest.raises(InputError, match="news-studio runs"):
        runs.get_run(workspace, run_id)


def test_an_unreadable_run_is_reported_and_hides_no_other(workspace):
    good, bad = tiny_run(workspace), tiny_run(workspace)
    (bad.folder / "spec.json").write_text('{"kind": "train", "from_the_future": 1}')
    assert [run.id for run in runs.list_runs(workspace, sample=Path("none"))] == [good.id]
    assert [str(bad.folder) in error.problem for error in runs.unreadable_runs(workspace)] == [True]
    with pytest.raises(UnreadableFile):
        runs.get_run(workspace, bad.id)


def test_events_tolerate_a_line_that_is_still_being_written(workspace):
    run = tiny_run(workspace)
    assert runs.read_events(run) == []
    (run.folder / "metrics.jsonl").write_text(STEP % 1 + STEP % 2 + STEP[:40])
    assert [event.step for event in runs.read_events(run)] == [1, 2]


def test_a_torn_or_unknown_line_costs_only_itself(workspace, caplog):
    run = tiny_run(workspace)
    (run.folder / "metrics.jsonl").write_text(STEP[:50] + "\n" + '{"event":"later"}\n' + STEP % 3)
    assert [event.step for event in runs.read_events(run)] == [3]
    assert "left out" in caplog.text


def test_progress_tells_the_latest_phase_and_the_last_step(workspace):
    run = tiny_run(workspace)
    assert runs.progress(run).phase == "waiting"
    events = run.folder / "metrics.jsonl"
    events.write_text('{"event":"progress","phase":"loading"}\n' + STEP % 5)
    assert (runs.progress(run).phase, runs.progress(run).fraction, runs.progress(run).eta_seconds) == (
        "training",
        0.5,
        4,
    )
    with events.open("a") as file:
        file.write('{"event":"progress","phase":"evaluating","done":3,"total":12,"answer":"chain"}\n')
    now = runs.progress(run)
    assert (now.phase, now.done, now.total, now.answer) == ("evaluating", 3, 12, "chain")
    assert now.last is not None
    assert now.last.step == 5


def test_the_log_shows_what_a_progress_bar_left_standing(workspace):
    run = tiny_run(workspace)
    assert runs.read_log(run) == ""
    (run.folder / "log.txt").write_bytes("a\n 10%\r 50%\r100%\n完成\n".encode() + b"\xff\n")
    assert runs.read_log(run, tail=3).splitlines() == ["100%", "完成", "�"]


def test_predictions_of_one_way_of_answering_in_the_order_of_the_file(workspace):
    run = tiny_run(workspace)
    row = '{"row":%d,"title":"t","label":"a","label_chain":"","answer":"%s","predicted":null,"chain":null,"text":""}\n'
    (run.folder / "predictions.jsonl").write_text(
        row % (1, "chain") + row % (0, "direct") + row % (0, "chain")
    )
    assert [found.row for found in runs.load_predictions(run, "chain")] == [0, 1]
    assert len(runs.load_predictions(run, "direct")) == 1


def test_scores_are_none_until_measured_and_an_error_when_damaged(workspace):
    run = tiny_evaluation(workspace)
    assert runs.load_scores(run) is None
    (run.folder / "scores.json").write_text("{")
    with pytest.raises(UnreadableFile, match=r"scores\.json"):
        runs.load_scores(run)


def test_a_trained_run_names_its_model_and_adapter(workspace):
    run = tiny_run(workspace)
    with pytest.raises(RunFailed):
        runs.trained_model(run)
    (run.folder / "result.json").write_text(
        '{"status":"done","seconds":1,"peak_memory_gib":1,"checkpoint":"checkpoints/step_3"}'
    )
    checkpoint = run.folder / "checkpoints" / "step_3"
    checkpoint.mkdir(parents=True)
    assert runs.trained_model(runs.get_run(workspace, run.id)) == (checkpoint, None)
    (checkpoint / "adapter_config.json").write_text("{}")
    assert runs.trained_model(runs.get_run(workspace, run.id)) == (run.spec.model_name_or_path, checkpoint)


def test_a_full_disk_leaves_no_half_made_run(workspace):
    assert error_on_a_full_disk(0, lambda: tiny_run(workspace)).startswith("DiskFull")
    assert list(workspace.runs.iterdir()) == []


def test_a_workspace_that_cannot_be_made_is_one_message(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudioError, match="--home"):
        open_workspace(tmp_path / "file" / "home")
