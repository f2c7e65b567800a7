"""The Evaluate page queues an evaluation of a model at an endpoint, and says what answered."""

import pytest

from studio import runs
from studio.contract import EngineUsed, ScoreFile
from studio.store import open_store
from studio.teacher.keys import save_key
from tests.support.pages import open_page, words
from tests.support.workspaces import fill


@pytest.fixture
def run(workspace):
    return fill(open_store(workspace.database), workspace)


def queued(workspace):
    return [each for each in runs.list_runs(workspace) if each.spec.kind == "evaluate" and not each.recorded]


def at_endpoint(lang="zh", *, url="http://127.0.0.1:9/v1", served=None, answer="chain"):
    app = open_page("evaluate", lang)
    app.selectbox(key="choose-new-subject").set_value("@endpoint").run()
    app.text_input(key="new-endpoint-url").set_value(url)
    app.text_input(key="new-endpoint-model").set_value("qwen-max")
    app.selectbox(key="choose-new-answer").set_value(answer)
    if served is not None:
        options = app.selectbox(key="new-endpoint-served").options
        app.selectbox(key="new-endpoint-served").set_value(options[served])
    app.button(key="new-start").click().run()
    assert not app.exception
    return app


def test_an_endpoint_is_evaluated_with_its_own_template_or_as_the_model_it_serves(workspace, run):
    save_key(workspace, "sk-secret", "http://127.0.0.1:9/v1")
    at_endpoint()
    (alone,) = queued(workspace)
    assert (alone.spec.engine, alone.spec.model_name_or_path, alone.label) == ("endpoint", None, "qwen-max")
    assert alone.spec.endpoint.key_file == workspace.teacher_key
    assert "sk-secret" not in (alone.folder / "spec.json").read_text()
    runs.cancel(workspace, alone.id)
    at_endpoint(served=1, answer="direct")
    served = next(each for each in queued(workspace) if each.id != alone.id)
    assert (served.spec.answer, served.spec.run, served.spec.endpoint.model) == ("direct", run.id, "qwen-max")
    assert served.spec.model_name_or_path == run.spec.model_name_or_path


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_what_cannot_be_asked_is_said_on_the_page(workspace, lang):
    refused = at_endpoint(lang, url="http://user:pass@host/v1")
    assert refused.error and "pass@" not in words(refused)
    assert at_endpoint(lang, answer="direct").error
    assert not queued(workspace)


def test_what_answered_is_under_the_numbers(workspace, run):
    file = run.folder / "scores.json"
    scores = ScoreFile.model_validate_json(file.read_bytes())
    engine = EngineUsed(name="vLLM", version="0.33.0", model="qwen*max*", dtype="bfloat16", batch=8)
    changed = {mode: one.model_copy(update={"engine": engine}) for mode, one in scores.evaluations.items()}
    file.write_text(scores.model_copy(update={"evaluations": changed}).model_dump_json(by_alias=True))
    shown = [caption.value for caption in open_page("evaluate", "en", evaluation=run.id).caption]
    (line,) = [text for text in shown if text.startswith("Engine")]
    assert "vLLM" in line and "8 at once" in line and "*max*" not in line.replace("\\*", "")
