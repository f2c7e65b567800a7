"""The Runs page lists, filters, compares, tags, deletes and restores; its address opens the same view."""

import json

import pytest

from studio import runs
from studio.jobs import queue
from studio.store import open_store
from tests.support.pages import open_page, words
from tests.support.tiny_runs import tiny_run, wait_until
from tests.support.workspaces import fill, scored_run


@pytest.fixture
def pair(workspace):
    first = fill(open_store(workspace.database), workspace)
    second = scored_run(workspace)
    runs.rename(workspace, second.id, label="second")
    runs.tag(workspace, second.id, ["final"])
    file = second.folder / "spec.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"lora_rank": 24}))
    return first, second


def test_every_run_is_listed_with_scores_and_intervals(workspace, pair):
    app = open_page("runs")
    shown = app.dataframe[0].value
    assert list(shown["名称"][:2]) == ["second", "scored"]
    assert shown["思维链准确率"][0] == "50.0% (30%–70%)" and shown["n"][0] == 20
    assert shown["标签"][0] == "final" and shown["方法"][0] == "LoRA"


def test_the_address_opens_a_filter_and_a_run_beside_another(workspace, pair):
    first, second = pair
    app = open_page("runs", tag="final", open=second.id, beside=first.id)
    assert not app.exception
    assert list(app.dataframe[0].value["名称"]) == ["second"]
    assert app.subheader[0].value == "second"
    assert "lora_rank" in app.dataframe[1].value.to_string()
    assert len(app.dataframe[1].value) == 1
    app.button(key="runs-clear").click().run()
    assert len(app.dataframe[0].value) == 3
    assert "tag" not in app.query_params and app.query_params["open"] in (second.id, [second.id])


@pytest.mark.parametrize("query", [{"open": "gone"}, {"state": "x", "order": "x", "beside": "a,b"}])
def test_an_address_of_nothing_is_a_sentence_or_no_filter(workspace, pair, query):
    app = open_page("runs", **query)
    assert not app.exception and not app.error
    assert len(app.dataframe[0].value) == 3


def test_a_run_is_tagged_deleted_and_restored(workspace, pair):
    first, _ = pair
    app = open_page("runs", open=first.id)
    app.text_input(key=f"tags-{first.id}").set_value("基线，种子 1, 基线")
    app.button(key=f"rename-save-{first.id}").click().run()
    assert runs.get_run(workspace, first.id).record.tags == ("基线", "种子 1")
    app.button(key=f"delete-run-{first.id}").click().run()
    assert not app.exception
    assert "scored" not in list(app.dataframe[0].value["名称"])
    app.button(key=f"restore-run-{first.id}").click().run()
    assert "scored" in list(app.dataframe[0].value["名称"])
    runs.delete(workspace, first.id)
    app.run()
    app.button(key=f"purge-sure-{first.id}").click().run()
    assert runs.list_trash(workspace) == [] and not app.exception


def test_the_settings_of_a_run_open_in_the_train_form(workspace, pair):
    _, second = pair
    app = open_page("train", settings=second.id)
    assert not app.exception and "settings" not in app.query_params
    values = {str(each.key): each.value for kind in ("number_input", "text_input") for each in app.get(kind)}
    assert 24 in [value for key, value in values.items() if key.endswith("-lora_rank")]


def test_what_people_typed_about_runs_is_text(workspace, pair):
    first, second = pair
    hostile = "![x](http://127.0.0.1:9/x.png) **b**"
    runs.rename(workspace, first.id, label=hostile, note=hostile)
    runs.tag(workspace, first.id, [hostile])
    runs.rename(workspace, second.id, label=hostile)
    runs.delete(workspace, second.id)
    app = open_page("runs", open=first.id)
    drawn = words(app, kinds=("caption", "markdown", "info", "warning", "error", "subheader"))
    assert "![x](" not in drawn and "**b**" not in drawn


def test_a_run_that_goes_on_is_watched_to_its_end(workspace, pair):
    run = tiny_run(workspace, label="going", steps=3)
    queue.submit(workspace, run)
    app = open_page("runs", open=run.id)
    assert not app.exception and "going" in list(app.dataframe[0].value["名称"])
    wait_until(lambda: runs.get_run(workspace, run.id).is_over)
    app.run()
    assert next(iter(app.dataframe[0].value["状态"])) == "完成" and not app.exception
