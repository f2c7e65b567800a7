"""The Evaluate page starts the forgetting probe, and shows its verdict, counts, and items lost and gained."""

import pytest

from studio import runs
from studio.evaluation.forgetting.probe import probe_items
from studio.store import open_store
from tests.support.pages import open_page, words
from tests.support.probes import finish_probe
from tests.support.workspaces import fill


@pytest.fixture
def run(workspace):
    return fill(open_store(workspace.database), workspace)


def test_the_probe_is_started_from_the_page(workspace, run):
    app = open_page("evaluate", evaluation=run.id, view="forgetting")
    app.button(key="forgetting-start").click().run()
    assert not app.exception
    (job,) = [job for job in runs.list_jobs(workspace) if job.spec.kind == "forgetting"]
    assert job.spec.run == run.id and job.spec.base_name_or_path == run.spec.model_name_or_path
    assert job.spec.target == run.folder
    assert len((job.folder / "probe.jsonl").read_text().splitlines()) == 300


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_drop_is_red_and_the_lost_items_are_open(run, lang):
    finish_probe(run, lost="refusal")
    app = open_page("evaluate", lang, evaluation=run.id, view="forgetting")
    assert not app.exception
    (verdict,) = app.error
    assert ("该拒" if lang == "zh" else "refusals dropped") in verdict.value
    counts = next(each.value for each in app.dataframe if {"丢了", "lost"} & set(each.value.columns))
    assert counts.iloc[:, 4].tolist() == [0, 0, 0, 40, 40]
    prompts = [item.prompt for item in probe_items() if item.kind == "refusal"]
    drawn = words(app, kinds=("markdown",)).replace("\\", "")
    assert all(prompt in drawn for prompt in prompts[:10])
    app.selectbox(key="choose-forgetting-kind").set_value("arithmetic").run()
    assert any(("没有这样的题" if lang == "zh" else "no such item") in each.value for each in app.caption)


def test_nothing_lost_is_green(run):
    finish_probe(run)
    app = open_page("evaluate", evaluation=run.id, view="forgetting")
    assert any("没有发现遗忘" in each.value for each in app.success)


def test_the_recorded_run_says_why_it_cannot_be_probed(workspace):
    open_store(workspace.database).close()
    app = open_page("evaluate", evaluation="sample_run", view="forgetting")
    app.button(key="forgetting-start").click().run()
    assert not app.exception and any("随附的记录" in each.value for each in app.error)
