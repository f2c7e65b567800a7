"""Sweeps and range tests: members are what they would be alone, and the sweep goes on where it stopped."""

import json

import pytest
import torch

from backend.modeling.base_cache import BaseCache
from backend.range_test import range_test
from backend.sweep import sweep
from backend.train import train
from backend.worker import Cancelled, Paused, RunFolder
from studio import runs
from studio.contract import RangeTestSpec, SweepSpec
from studio.errors import InputError, RunFailed
from studio.jobs import queue as jobs
from studio.samples.scheme import load_scheme
from studio.training import scaling, sweeps
from studio.workspace import BUNDLED_DATASET, open_workspace
from tests.support.samples import numbered, write_folder
from tests.support.tiny_models import events_of, losses_of, quick_spec, result_of, write_run
from tests.support.tiny_runs import end_everything


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data"), train=numbered(12), eval=numbered(4, start=20))


def make_sweep(folder, model, dataset, rates=(1e-3, 1e-2), **changes):
    members = []
    for rate in rates:
        spec = quick_spec(model, dataset, learning_rate=rate, evaluate_after=(), **changes)
        members.append(write_run(folder / f"run_{rate:g}", spec))
    folder = RunFolder(write_run(folder / "sweep", SweepSpec(runs=tuple(members))))
    return folder, members


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_member_is_trained_as_if_it_were_alone(tmp_path, model, dataset, method):
    folder, members = make_sweep(tmp_path, model, dataset, finetuning_type=method, lora_dropout=0.1)
    sweep(folder)
    alone = RunFolder(write_run(tmp_path / "alone", quick_spec(model, dataset, learning_rate=1e-2,
        evaluate_after=(), finetuning_type=method, lora_dropout=0.1)))  # fmt: skip
    train(alone)
    assert losses_of(members[1]) == losses_of(alone.path)
    assert losses_of(members[0]) != losses_of(members[1])
    assert [result_of(member).status for member in members] == ["done", "done"]


def test_the_base_is_loaded_once_and_never_handed_out(model, dataset):
    base, spec = BaseCache(), quick_spec(model, dataset)
    first, second = base.load(spec), base.load(spec)
    with torch.no_grad():
        next(first.parameters()).zero_()
    assert base.loads == 1 and next(second.parameters()).abs().sum() > 0
    base.load(quick_spec(model, dataset, finetuning_type="full"))
    assert base.loads == 2


def test_a_failed_member_does_not_take_the_others_down(tmp_path, model, dataset):
    folder, members = make_sweep(tmp_path, model, dataset)
    spec = json.loads((members[0] / "spec.json").read_text()) | {"lora_target": "no_such_module"}
    (members[0] / "spec.json").write_text(json.dumps(spec))
    sweep(folder)
    assert [result_of(member).status for member in members] == ["failed", "done"]
    assert "no_such_module" in (members[0] / "log.txt").read_text()


def test_a_sweep_without_one_success_has_failed(tmp_path, model, dataset):
    folder, _ = make_sweep(tmp_path, model, dataset, lora_target="no_such_module")
    with pytest.raises(RunFailed):
        sweep(folder)


def test_a_pause_of_the_sweep_pauses_its_member_and_both_go_on(tmp_path, model, dataset):
    folder, members = make_sweep(tmp_path, model, dataset)
    (folder.path / "pause").touch()
    (members[1] / "cancel").touch()  # cancelled while it waited: never begun
    with pytest.raises(Paused):
        sweep(folder)
    assert not (members[0] / "result.json").exists()
    (folder.path / "pause").unlink()
    sweep(folder)
    assert result_of(members[0]).status == "done" and not (members[1] / "result.json").exists()


def test_a_cancel_of_the_sweep_reaches_the_member(tmp_path, model, dataset):
    folder, members = make_sweep(tmp_path, model, dataset)
    (folder.path / "cancel").touch()
    with pytest.raises(Cancelled):
        sweep(folder)
    assert not any((member / "result.json").exists() for member in members)


def test_a_range_test_raises_the_rate_and_keeps_nothing(tmp_path, model, dataset):
    spec = RangeTestSpec(
        train=quick_spec(model, dataset, loraplus_lr_ratio=4), lowest=1e-5, highest=1.0, steps=12
    )
    folder = write_run(tmp_path, spec)
    range_test(RunFolder(folder))
    rates = [event.learning_rate for event in events_of(folder) if event.event == "step"]
    assert rates[:3] == pytest.approx([1e-5, 1e-5 * 1e5 ** (1 / 11), 1e-5 * 1e5 ** (2 / 11)])
    assert len(rates) >= 10 and not (folder / "checkpoints").exists()


@pytest.fixture
def workspace(tmp_path):
    workspace = open_workspace(tmp_path / "home")
    yield workspace
    end_everything(workspace)


def test_a_sweep_from_the_queue_measures_and_recommends(workspace, model, dataset):
    base = quick_spec(model, dataset, max_steps=2)
    job = jobs.wait_for_job(
        workspace, sweeps.start_sweep(workspace, base, "learning_rate", [1e-3, "1e-2"]).id
    )
    view = sweeps.view_sweep(workspace, job)
    assert job.state == "done" and [each.value for each in view.tried] == [1e-3, 1e-2]
    assert all(each.rows == 4 and each.loss > 0 for each in view.tried)
    assert view.recommendation.tried in view.tried
    assert [run.state for run in view.members] == ["done", "done"]


@pytest.mark.parametrize(
    ("field", "values", "changes", "words"),
    [
        ("learning_rate", [1e-3], {}, "不同的值"),
        ("learning_rate", [1e-3, 1e-3], {}, "不同的值"),
        ("learning_rate", [1e-3, "fast"], {}, "learning_rate"),
        ("dataset", ["a", "b"], {}, "dataset"),
        ("learning_rate", [1e-3, 1e-2], {"eval_dataset": None}, "留出"),
    ],
)
def test_a_sweep_that_could_not_be_compared_is_refused(
    workspace, model, dataset, field, values, changes, words
):
    base = quick_spec(model, dataset).model_copy(update=changes)
    with pytest.raises(InputError, match=words):
        sweeps.start_sweep(workspace, base, field, values)
    assert runs.list_jobs(workspace) == []


@pytest.mark.slow
def test_the_smallest_and_the_largest_part_of_a_learning_curve_are_trained_and_forecast(tmp_path, model):
    workspace, scheme = open_workspace(tmp_path / "home"), load_scheme()
    base = quick_spec(model, BUNDLED_DATASET, eval_limit=20, max_steps=2, eval_category_accuracy=False)
    run = runs.prepare_run(workspace, base)
    file, named = run.folder / "alive", scaling.prepare_curve(workspace, run, scheme)
    file.touch()
    first, *_, last = named.spec.runs[:4]
    (named.folder / "spec.json").write_text(
        named.spec.model_copy(update={"runs": (first, last)}).model_dump_json()
    )
    sweep(RunFolder(named.folder))
    (named.folder / "alive").touch()
    (named.folder / "result.json").write_bytes((first / "result.json").read_bytes())
    curve = scaling.last_curve(workspace, run, scheme)
    assert (curve.done, curve.trainings) == (2, 2)
    assert [each.rows for each in curve.forecast.measured] == [75, 300]
    assert len(curve.forecast.titles) == 20
    assert 0 <= curve.forecast.accuracy_at(600).low <= curve.forecast.accuracy_at(600).high <= 1
