"""The pages say which base an adapter needs when it no longer fits its own."""

import pytest

from studio import runs
from studio.store import open_store
from tests.support.model_folders import WIDTH, make_model
from tests.support.pages import open_page
from tests.support.workspaces import fill


@pytest.fixture
def run(workspace):
    """A scored run; its base was then exchanged for a wider model."""
    made = fill(open_store(workspace.database), workspace)
    base = made.spec.model_name_or_path
    make_model(base.with_name("wide"), width=2 * WIDTH)
    base.rename(base.with_name("narrow"))
    base.with_name("wide").rename(base)
    return made


def errors(app):
    assert not app.exception
    return "\n".join(element.value for element in app.error).replace("\\", "")  # as Markdown it is escaped


def test_no_evaluation_is_queued_for_it(workspace, run):
    app = open_page("evaluate")
    app.button(key="new-start").click().run()
    assert "不适用于基座" in errors(app)
    assert "换回原来的" in errors(app)
    assert not [each for each in runs.list_runs(workspace) if each.spec.kind == "evaluate"]


def test_no_server_is_started_for_it(workspace, run):
    app = open_page("try_it", "en", run=run.id)
    app.text_area(key="classify-text").set_value("主队补时绝杀夺冠")
    app.button(key="classify-now").click().run()
    assert "does not fit the base" in errors(app)
    assert str(run.spec.model_name_or_path) in errors(app)
    assert not any(workspace.serving.glob("*/spec.json"))
