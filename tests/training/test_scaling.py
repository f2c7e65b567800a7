"""A learning curve trains nested parts of whole stories, keeps its forecast, and is checked later."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from studio import runs
from studio.contract import Prediction, Result, ScoreFile
from studio.errors import InputError
from studio.evaluation.neighbours import TrainingRow
from studio.evaluation.scores import score
from studio.evaluation.training_rows import labelled_rows
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.training import scaling, sweeps
from tests.support.pages import open_page
from tests.support.workspaces import fill

SCHEME = load_scheme()


@pytest.fixture
def run(workspace):
    return fill(open_store(workspace.database), workspace)


def rows_of(spec):
    return labelled_rows(spec.dataset_dir, spec.dataset, SCHEME).rows


def members(workspace):
    found = [each for each in runs.list_runs(workspace) if each.record.worked_by]
    return sorted(found, key=lambda each: (each.spec.seed, len(rows_of(each.spec))))


def finish(run, errors):
    """Let a training answer the evaluation rows with so many errors."""
    titles = labelled_rows(run.spec.dataset_dir, "eval", SCHEME).rows
    names = SCHEME.names
    answers = [
        Prediction(
            row=each.row,
            title=each.title,
            label=each.category,
            label_chain="",
            answer="direct",
            chain=None,
            text="",
            predicted=names[names.index(each.category) - 1] if number < errors else each.category,
        )
        for number, each in enumerate(titles)
    ]
    (run.folder / "predictions.jsonl").write_text(
        "\n".join(each.model_dump_json() for each in answers) + "\n"
    )
    scores = {"direct": score(answers, names, answer="direct", seconds=1)}
    (run.folder / "scores.json").write_text(ScoreFile(evaluations=scores).model_dump_json(by_alias=True))
    (run.folder / "alive").touch()
    result = Result(status="done", seconds=1, peak_memory_gib=1)
    (run.folder / "result.json").write_text(result.model_dump_json())


def test_a_story_is_never_split_and_parts_are_nested():
    texts = [
        "国足三比零大胜对手挺进决赛",
        "国足三比零大胜对手，挺进决赛！",
        *(f"{chr(0x4E00 + n * 97)}事{n}" for n in range(40)),
    ]
    rows = [TrainingRow(row=number, title=text, category="体育") for number, text in enumerate(texts)]
    order = scaling.story_order(rows, seed=1)
    assert sorted(order) == list(range(42)) and abs(order.index(0) - order.index(1)) == 1
    assert order == scaling.story_order(rows, seed=1) != scaling.story_order(rows, seed=2)


def test_the_trainings_are_nested_and_no_learning_rate_sweep(workspace, run):
    scaling.start_curve(workspace, run, SCHEME)
    made = members(workspace)
    assert len(made) == 12 and {each.record.tags for each in made} == {("scaling",)}
    parts = [{row.title for row in rows_of(each.spec)} for each in made[:4]]
    assert [len(part) for part in parts] == [75, 150, 225, 300]
    assert parts[0] < parts[1] < parts[2] < parts[3]
    assert {len(labelled_rows(each.spec.dataset_dir, "eval", SCHEME).rows) for each in made} == {100}
    assert all(each.spec.evaluate_after == ("direct",) for each in made)
    assert sweeps.list_sweeps(workspace) == []
    curve = scaling.last_curve(workspace, run, SCHEME)
    assert (curve.done, curve.trainings, curve.forecast) == (0, 12, None)


def test_the_forecast_is_shown_kept_and_checked_against_what_comes(workspace, run):
    job = scaling.start_curve(workspace, run, SCHEME)
    for each in members(workspace):
        finish(each, {75: 60, 150: 48, 225: 42, 300: 38}[len(rows_of(each.spec))])
    (job.folder / "alive").touch()
    result = Result(status="done", seconds=1, peak_memory_gib=1)
    (job.folder / "result.json").write_text(result.model_dump_json())
    curve = scaling.last_curve(workspace, run, SCHEME)
    double = curve.forecast.accuracy_at(600)
    assert 0.66 < double.value < 0.74 and double.low <= double.value <= double.high
    assert (job.folder / "forecast.json").exists()
    assert scaling.checks(workspace, curve, run, SCHEME) == []
    later = runs.prepare_run(
        workspace, run.spec.model_copy(update={"dataset_dir": more_rows(workspace, run)})
    )
    runs.change_record(later.folder, created_at=job.created_at + timedelta(hours=1))
    finish(later, 30)
    (check,) = scaling.checks(workspace, curve, run, SCHEME)
    assert (check.rows, check.accuracy, check.is_within) == (600, 0.7, True)
    app = open_page("evaluate", evaluation=run.id, view="scaling")
    assert not app.exception and any("标到 600 条预计" in each.value for each in app.markdown)
    assert any("说中" in each.value for each in app.dataframe)


def more_rows(workspace, run):
    """Make a folder with every training row twice, so that there are more."""
    folder = workspace.home / "more"
    folder.mkdir()
    for name in ("dataset_info.json", "eval.json"):
        (folder / name).write_bytes((run.spec.dataset_dir / name).read_bytes())
    rows = json.loads((run.spec.dataset_dir / "train.json").read_text())
    (folder / "train.json").write_text(json.dumps(rows * 2, ensure_ascii=False))
    return folder


def test_what_is_no_training_with_held_out_rows_is_refused(workspace, run):
    file = run.folder / "spec.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"eval_dataset": None}))
    bare = runs.get_run(workspace, run.id)
    with pytest.raises(InputError, match="评估集"):
        scaling.start_curve(workspace, bare, SCHEME)
    app = open_page("evaluate", evaluation=run.id, view="scaling")
    assert not app.exception and any("数据曲线" in each.value for each in app.info)


def test_it_is_started_from_the_page(workspace, run):
    app = open_page("evaluate", evaluation=run.id, view="scaling")
    app.button(key="scaling-start").click().run()
    assert not app.exception and len(members(workspace)) == 12


def test_a_recipe_of_so_many_steps_is_pointed_out(run):
    assert scaling.steps_note(run) is None
    short = replace(run, spec=run.spec.model_copy(update={"max_steps": 24}))
    assert "24" in scaling.steps_note(short)
