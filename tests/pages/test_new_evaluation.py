"""An evaluation begins on the page with anything: several versions, a file, a checkpoint, samples."""

import json
import shutil

import pytest

from studio import runs
from studio.datasets.versions import freeze
from studio.samples.scheme import load_scheme
from studio.store import open_store
from tests.support.pages import open_page, words
from tests.support.workspaces import fill


@pytest.fixture
def run(workspace):
    return fill(open_store(workspace.database), workspace)


def queued(workspace):
    found = [each for each in runs.list_runs(workspace) if each.spec.kind == "evaluate" and not each.recorded]
    return sorted(found, key=lambda each: each.id)


def test_several_versions_are_several_evaluations(workspace, run):
    db = open_store(workspace.database)
    freeze(db, workspace, "news", author="test", scheme=load_scheme(), accept_warnings=True)
    app = open_page("evaluate")
    app.multiselect(key="choose-new-datasets").set_value(["news@1", "news@2", "bundled"]).run()
    app.button(key="new-start").click().run()
    assert not app.exception and not app.error
    assert {each.version for each in queued(workspace)} == {"news@1", "news@2", None}
    assert {each.spec.run for each in queued(workspace)} == {run.id}


def test_nothing_to_answer_is_no_evaluation(workspace, run):
    app = open_page("evaluate")
    app.multiselect(key="choose-new-datasets").set_value([]).run()
    assert app.button(key="new-start").disabled


def test_a_checkpoint_before_the_last_is_chosen(workspace, run):
    last = run.folder / "checkpoints/step_000001"
    shutil.copytree(last, last.with_name("step_000002"))
    app = open_page("evaluate")
    app.selectbox(key="choose-new-checkpoint").set_value("step_000002").run()
    app.button(key="new-start").click().run()
    assert not app.exception and not app.error
    [evaluation] = queued(workspace)
    assert evaluation.spec.adapter_name_or_path == last.with_name("step_000002")


def test_written_answers_are_sampled_and_the_majority_counts(workspace, run):
    app = open_page("evaluate")
    assert "new-samples" not in [box.key for box in app.number_input]  # scores have no samples
    app.selectbox(key="choose-new-answer").set_value("chain").run()
    assert app.number_input(key="new-samples").disabled
    app.number_input(key="new-temperature").set_value(0.7).run()
    app.number_input(key="new-samples").set_value(5).run()
    app.number_input(key="new-longest").set_value(128).run()
    app.button(key="new-start").click().run()
    assert not app.exception and not app.error
    [evaluation] = queued(workspace)
    spec = evaluation.spec
    assert (spec.answer, spec.temperature, spec.samples, spec.max_new_tokens) == ("chain", 0.7, 5, 128)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_labelled_file_is_evaluated(workspace, run, lang):
    rows = "title,category\n央行下调存款准备金率,经济\n主队补时绝杀夺冠,体育\n没有答案的一条,\n"
    app = open_page("evaluate", lang)
    app.file_uploader(key="new-file").set_value([("labelled.csv", rows.encode(), "text/csv")]).run()
    assert not app.exception and not app.error
    assert "2" in words(app)
    app.button(key="new-start").click().run()
    [evaluation] = queued(workspace)
    assert evaluation.version is None
    assert len(json.loads((evaluation.spec.dataset_dir / "eval.json").read_bytes())) == 2


def test_a_file_without_an_answer_is_a_sentence_and_starts_nothing(workspace, run):
    app = open_page("evaluate")
    app.file_uploader(key="new-file").set_value(
        [("plain.txt", "央行下调存款准备金率\n".encode(), "text/plain")]
    ).run()
    assert app.error and not app.exception
    assert not queued(workspace)
