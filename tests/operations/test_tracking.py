"""Runs are exported to trackers and read back by the trackers' own readers."""

import json
import os

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli.main import app
from studio.contract import HeldOut
from studio.operations.tracking.mlflow import ALLOWED
from studio.operations.tracking.record import tracked
from studio.operations.tracking.trackers import export_runs
from tests.support.workspaces import base_model, scored_run, step


@pytest.fixture
def run(workspace):
    base_model(workspace.models / "small")
    run = scored_run(workspace)
    later = step().model_copy(update={"step": 2, "loss": 1.5, "elapsed_seconds": 61})
    held_out = HeldOut(step=2, epoch=1, loss=2.0, accuracy=0.5, rows=20)
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write(f"{later.model_dump_json()}\n{held_out.model_dump_json()}\n")
    runs.tag(workspace, run.id, ["老师"])
    return runs.get_run(workspace, run.id)


def test_a_run_is_gathered_with_curves_settings_scores_and_tags(run):
    found = tracked(run)
    losses = [(point.step, point.value) for point in found.points if point.metric == "train/loss"]
    assert losses == [(1, 2.5), (2, 1.5)]
    assert {point.at for point in found.points if point.metric == "held_out/loss"} == {found.ended}
    assert found.params["learning_rate"] == str(run.spec.learning_rate) and "kind" not in found.params
    scores = runs.load_scores(run).evaluations
    assert found.scores["chain/accuracy"] == scores["chain"].accuracy
    assert found.scores["direct/recall/体育"] == scores["direct"].per_category["体育"].recall
    assert found.tags["studio.tag.老师"] == "true" and found.tags["studio.run"] == run.id


@pytest.mark.parametrize("tracker", ["tensorboard", "mlflow"])
def test_a_tracker_that_is_not_installed_is_named_with_its_command(run, tmp_path, tracker, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, tracker, None)
    done = CliRunner().invoke(app, ["runs", "export", run.id, str(tmp_path / "out"), "--to", tracker])
    assert done.exit_code == 2 and f"news-studio[{tracker}]" in done.stderr
    assert list(tmp_path.glob("*out*")) == []


def test_a_folder_that_is_there_is_left_alone(run, tmp_path):
    done = CliRunner().invoke(app, ["runs", "export", run.id, str(tmp_path), "--to", "mlflow"])
    assert done.exit_code == 2 and "已经存在" in done.stderr


def test_tensorboard_reads_the_curves_and_scores(run, tmp_path):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    done = CliRunner().invoke(
        app, ["runs", "export", run.id, str(tmp_path / "tb"), "--to", "tensorboard", "--json"]
    )
    assert json.loads(done.stdout)["runs"][0]["id"] == run.id
    found = EventAccumulator(str(tmp_path / "tb" / run.id))
    found.Reload()
    assert [(x.step, x.value) for x in found.Scalars("train/loss")] == [(1, 2.5), (2, 1.5)]
    assert found.Scalars("held_out/accuracy")[0].value == 0.5
    accuracy = runs.load_scores(run).evaluations["direct"].accuracy
    assert found.Scalars("direct/accuracy")[0].value == pytest.approx(accuracy)
    assert "老师" in found.Tensors("tags")[0].tensor_proto.string_val[0].decode()
    plugin = found.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"learning_rate" in plugin and run.id.encode() in plugin


def test_mlflow_reads_metrics_params_and_tags(run, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    monkeypatch.delenv(ALLOWED, raising=False)
    export_runs([run], "mlflow", tmp_path / "store")
    assert ALLOWED not in os.environ
    monkeypatch.setenv(ALLOWED, "true")
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "store").as_uri())
    (experiment,) = client.search_experiments()
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED" and found.info.run_name == "scored"
    assert found.data.params["learning_rate"] == str(run.spec.learning_rate)
    assert found.data.tags["studio.tag.老师"] == "true"
    history = client.get_metric_history(found.info.run_id, "train/loss")
    assert [(each.step, each.value) for each in history] == [(1, 2.5), (2, 1.5)]
    scores = runs.load_scores(run).evaluations
    assert found.data.metrics["direct/f1/体育"] == pytest.approx(scores["direct"].per_category["体育"].f1)
    assert found.info.end_time - found.info.start_time == 61_000
