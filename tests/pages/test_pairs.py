"""The Pairs page: what decisions made is counted, read, frozen, and trained on from the Train page."""

import json

import pytest

from studio import runs
from studio.contract import START, TrainSpec
from studio.datasets.pair_versions import list_pair_versions
from studio.store import open_store
from tests.support.evaluations import finished, predictions, titles
from tests.support.pages import open_page, words
from tests.support.preference_day import DayTitle, work_a_day
from tests.support.sampled_answers import sampled_job
from tests.support.samples import SCHEME


@pytest.fixture
def day(workspace):
    """A workspace after eight titles were decided in all four ways."""
    days = [
        DayTitle(text, SCHEME.names[n], f"“{text[:2]}”是它。", SCHEME.names[n + 1], "看着像。")
        for n, text in enumerate(titles(8))
    ]
    work_a_day(open_store(workspace.database), days, SCHEME)
    return days


@pytest.mark.parametrize(("lang", "count"), [("zh", "8 个偏好对"), ("en", "8 preference pairs")])
def test_pairs_are_counted_and_read_with_both_answers(day, lang, count):
    app = open_page("pairs", lang, annotator="zhao")
    assert not app.exception
    text = "\n".join(each.value for each in app.markdown)
    assert count in text and "看着像。" in text and "“" in text
    assert "100" in words(app)


def test_a_filter_stands_in_the_address(day):
    app = open_page("pairs", annotator="zhao", kind="wrong")
    assert "**2 个偏好对**　共 8 个" in "\n".join(each.value for each in app.markdown)
    app.selectbox(key="choose-pairs-kind").set_value("dispute").run()
    assert app.query_params["kind"] == "dispute"


def test_the_shown_pairs_are_frozen_and_can_be_trained_on(workspace, day):
    app = open_page("pairs", annotator="zhao")
    app.text_input(key="pairs-name").set_value("day")
    app.button(key="pairs-freeze-now").click().run()
    [version] = list_pair_versions(workspace)
    assert (version.ref, version.pairs, version.author) == ("day@1", 8, "zhao")
    app = open_page("train", annotator="zhao")
    app.segmented_control(key="choose-train-stage").set_value("dpo").run()
    assert not app.exception
    assert any("少于 100" in warning.value for warning in app.warning)
    assert "选中的回答比落选的更可能" in words(app)
    app.button(key="train-start").click().run()
    spec = next(
        run.spec for run in runs.list_runs(workspace) if run.spec.kind == "train" and not run.recorded
    )
    assert (spec.stage, spec.eval_dataset, spec.learning_rate, spec.num_train_epochs) == (
        "dpo",
        "eval",
        7.5e-5,
        1,
    )
    info = json.loads((spec.dataset_dir / "dataset_info.json").read_text())
    assert info["train"]["ranking"] is True and "eval" in info


def test_without_frozen_pairs_the_train_page_says_where_they_come_from(workspace):
    app = open_page("train")
    app.segmented_control(key="choose-train-stage").set_value("kto").run()
    assert not app.exception and "偏好对" in words(app)


def finished_training(workspace, before, after):
    """A finished DPO run with the predictions of its start and its own."""
    names = titles(200)
    run = finished(workspace, predictions(names, after), training=1)
    spec = TrainSpec.model_validate(run.spec.model_dump() | {"stage": "dpo"})
    (run.folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
    start = finished(workspace, predictions(names, before))
    (run.folder / START).mkdir()
    for name in ("predictions.jsonl", "scores.json"):
        (start.folder / name).rename(run.folder / START / name)
    return run


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (lambda row: row < 150, lambda row: row < 150, "没有胜过起点"),
        (lambda row: row < 100, lambda row: row < 150, "胜过了起点"),
        (lambda row: row < 150, lambda row: row < 100, "比起点差"),
    ],
)
def test_a_finished_training_says_whether_it_won(workspace, before, after, said):
    run = finished_training(workspace, before, after)
    app = open_page("train", run=run.id)
    assert not app.exception
    assert any(said in box.value for box in (*app.warning, *app.success))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_sampled_answers_show_how_often_they_are_right_and_make_pairs(workspace, lang):
    job = sampled_job(workspace)
    app = open_page("pairs", lang, annotator="zhao")
    app.multiselect(key="pairs-samples").set_value([job.id]).run()
    assert not app.exception
    assert any("25%" in box.label and "50%" in box.label for box in app.expander)
    assert say_pairs(lang) in "\n".join(each.value for each in app.markdown)


def say_pairs(lang):
    return "1 个偏好对" if lang == "zh" else "1 preference pairs"
