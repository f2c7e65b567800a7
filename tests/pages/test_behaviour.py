"""The Evaluate page starts behavioural tests, and shows flip rates and the titles that flipped."""

import pytest

from studio import runs
from studio.contract import Result, Variant, VariantAnswer
from studio.evaluation.behaviour_runs import start
from studio.samples.scheme import load_scheme
from studio.store import open_store
from tests.support.pages import open_page
from tests.support.workspaces import fill


@pytest.fixture
def run(workspace):
    return fill(open_store(workspace.database), workspace)


def finish(job, flipped):
    """Answer every variant as the original, but those of some tests."""
    made = [
        Variant.model_validate_json(line) for line in (job.folder / "variants.jsonl").read_text().splitlines()
    ]
    answers = [
        VariantAnswer(
            row=each.row, test=each.test, predicted="国际" if each.test in flipped else "体育", probability=1
        )
        for each in made
    ]
    (job.folder / "answers.jsonl").write_text("".join(f"{each.model_dump_json()}\n" for each in answers))
    (job.folder / "alive").touch()
    result = Result(status="done", seconds=1, peak_memory_gib=1)
    (job.folder / "result.json").write_text(result.model_dump_json())


def test_the_tests_are_started_from_the_page(workspace, run):
    app = open_page("evaluate", evaluation=run.id, view="behaviour")
    app.number_input(key="behaviour-limit").set_value(10)
    app.button(key="behaviour-start").click().run()
    assert not app.exception
    (job,) = [job for job in runs.list_jobs(workspace) if job.spec.kind == "behaviour"]
    assert job.spec.run == run.id


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_flip_rates_and_flipped_titles_are_shown(workspace, run, lang):
    finish(start(workspace, run, load_scheme(), limit=10), {"prefix", "suffix"})
    app = open_page("evaluate", lang, evaluation=run.id, view="behaviour")
    assert not app.exception
    rates = next(each.value for each in app.dataframe if {"比例", "rate"} & set(each.value.columns))
    by_test = dict(zip(rates.iloc[:, 0], rates.iloc[:, 2], strict=True))
    assert sorted(by_test.values())[-2:] == [10, 10] and sum(by_test.values()) == 20
    if lang == "en":
        return
    app.selectbox(key="choose-behaviour-test").set_value("suffix").run()
    assert sum("——新华网" in each.value.replace("\\", "") for each in app.markdown) == 10


def test_no_flip_is_said(workspace, run):
    finish(start(workspace, run, load_scheme(), limit=10), set())
    app = open_page("evaluate", evaluation=run.id, view="behaviour")
    assert any("没有一条标题的答案变了" in each.value for each in app.success)
