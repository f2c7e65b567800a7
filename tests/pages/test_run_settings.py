"""A run shows what it was trained with, can be named, noted and deleted, and has an address of its own."""

import json

import pytest

from studio import runs
from studio.contract import EvaluateSpec, HeldOut, ScoreFile
from studio.errors import InputError
from studio.store import open_store
from tests.support.pages import open_page
from tests.support.tiny_runs import tiny_run
from tests.support.workspaces import fill, scored_run, step


@pytest.fixture
def run(workspace):
    return fill(open_store(workspace.database), workspace)


def test_a_finished_run_shows_its_settings_and_gives_them_to_the_form(workspace, run):
    file = run.folder / "spec.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"lora_rank": 24, "learning_rate": 0.0007}))
    app = open_page("train", run=run.id)
    shown = "\n".join(each.value.to_string() for each in app.dataframe)
    assert "lora_rank" in shown and "24" in shown and "★" in shown
    app.button(key=f"load-settings-{run.id}").click().run()
    assert not app.exception
    values = {str(each.key): each.value for kind in ("number_input", "text_input") for each in app.get(kind)}
    assert 24 in [value for key, value in values.items() if key.endswith("-lora_rank")]


def test_a_run_is_named_noted_and_deleted(workspace, run):
    app = open_page("train", run=run.id)
    app.text_input(key=f"rename-{run.id}").set_value("  最好的\n一次 ")
    app.text_area(key=f"note-{run.id}").set_value("![x](http://evil/x.png) 学习率偏高")
    app.button(key=f"rename-save-{run.id}").click().run()
    found = runs.get_run(workspace, run.id)
    assert (found.label, "学习率偏高" in found.record.note) == ("最好的 一次", True)
    assert not [each for each in app.markdown if "![x](http" in each.value]
    app.button(key=f"delete-run-{run.id}").click().run()
    assert not app.exception
    assert run.id not in {each.id for each in runs.list_runs(workspace)}
    assert not list(workspace.runs.glob(f"*{run.id}*"))


def test_what_goes_on_or_is_needed_cannot_be_deleted(workspace, run):
    waiting = tiny_run(workspace)
    with pytest.raises(InputError, match="还没有结束"):
        runs.delete(workspace, waiting.id)
    spec = EvaluateSpec(
        model_name_or_path=workspace.models / "small",
        adapter_name_or_path=run.folder / "checkpoints/step_000001",
        dataset_dir=run.spec.dataset_dir,
    )
    runs.prepare_run(workspace, spec)
    with pytest.raises(InputError, match="还要用它的模型"):
        runs.delete(workspace, run.id)
    sample = next(each for each in runs.list_runs(workspace) if each.recorded)
    with pytest.raises(InputError):
        runs.rename(workspace, sample.id, label="x", note="")


def test_the_address_opens_a_run_and_its_evaluation(workspace, run):
    newer = scored_run(workspace)
    runs.rename(workspace, newer.id, label="newer", note="")
    app = open_page("train", run=run.id)
    assert app.selectbox(key="choose-watched-run").value == run.id
    app.selectbox(key="choose-watched-run").set_value(newer.id).run()
    assert app.query_params["run"] in (newer.id, [newer.id])
    scored = open_page("evaluate", evaluation=run.id)
    assert scored.selectbox(key="choose-evaluate-run").value == run.id
    assert open_page("evaluate", evaluation="no-such").selectbox(key="choose-evaluate-run").value


def test_an_evaluation_on_a_foreign_folder_names_it_with_n_and_the_model(workspace, run, tmp_path):
    foreign = tmp_path / "their_titles"
    foreign.mkdir()
    spec = EvaluateSpec(
        model_name_or_path=workspace.models / "small", dataset_dir=foreign, run=run.id, answer="direct"
    )
    other = runs.prepare_run(workspace, spec, label="their test")
    for name in ("scores.json", "predictions.jsonl", "alive", "result.json"):
        (other.folder / name).write_bytes((run.folder / name).read_bytes())
    app = open_page("evaluate", evaluation=other.id)
    chosen = app.selectbox(key="choose-evaluate-run")
    label = chosen.options[chosen.index]
    assert "their_titles" in label and "n=" in label and "scored" in label
    assert "内置样例" not in label
    app.text_input(key=f"rename-{other.id}").set_value("他们的题")
    app.button(key=f"rename-save-{other.id}").click().run()
    assert runs.get_run(workspace, other.id).label == "他们的题"
    app.button(key=f"delete-run-{other.id}").click().run()
    assert not app.exception
    assert other.id not in {each.id for each in runs.list_runs(workspace)}


def test_a_category_without_rows_is_said(workspace, run):
    file = run.folder / "scores.json"
    scores = ScoreFile.model_validate_json(file.read_bytes()).model_dump(mode="json", by_alias=True)
    for one in scores["evaluations"].values():
        one["per_category"]["政治"]["support"] = 0
    file.write_text(json.dumps(scores))
    app = open_page("evaluate", evaluation=run.id)
    assert any("政治" in each.value and "没有这些类别" in each.value for each in app.warning)


def test_the_two_losses_have_an_axis_each(workspace, run):
    held = HeldOut(step=1, epoch=1.0, loss=0.4, accuracy=None)
    (run.folder / "metrics.jsonl").write_text(step().model_dump_json() + "\n" + held.model_dump_json() + "\n")
    app = open_page("train", run=run.id)
    assert not app.exception
    assert len(app.get("vega_lite_chart")) >= 2
    assert any("两条损失不是同一个量" in each.value for each in app.caption)
