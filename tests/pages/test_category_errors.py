"""From the numbers of a category to its errors: the rows, the cell of the matrix, the causes of it alone."""

import pytest

from studio import runs
from studio.store import open_store
from tests.support.pages import open_page
from tests.support.workspaces import fill


@pytest.fixture
def run(workspace):
    return fill(open_store(workspace.database), workspace)


@pytest.fixture
def app(run):
    app = open_page("evaluate", evaluation=run.id, view="categories")
    app.selectbox(key="choose-category-errors").set_value("国内").run()
    assert not app.exception
    return app


def test_the_button_of_the_rows_opens_that_categorys_errors(app):
    app.button(key="category-rows").click().run()
    assert not app.exception and app.query_params["view"] in ("rows", ["rows"])
    assert app.selectbox(key="choose-rows-label").value == "国内"
    assert app.selectbox(key="choose-rows-outcome").value == "wrong"


def test_the_button_of_the_cell_opens_it_and_not_the_worst(app, run):
    wrong = next(
        row for row in runs.load_predictions(run, "chain") if row.label == "国内" and row.predicted != "国内"
    )
    app.button(key="category-cell").click().run()
    assert not app.exception
    assert app.selectbox(key="choose-cell-true").value == "国内"
    assert app.selectbox(key="choose-cell-pred").value == (wrong.predicted or "unparsed")


def test_the_causes_are_those_of_that_category_alone(app, run):
    app.button(key="category-causes").click().run()
    assert not app.exception
    assert app.selectbox(key="choose-causes-label").value == "国内"
    boxes = {int(str(box.key).rsplit("-", 1)[1]) for box in app.checkbox if str(box.key).startswith("pick-")}
    assert boxes == {
        row.row
        for row in runs.load_predictions(run, "chain")
        if row.label == "国内" and row.predicted != "国内"
    }
    app.selectbox(key="choose-causes-label").set_value(None).run()
    assert not app.exception
    assert len([box for box in app.checkbox if str(box.key).startswith("pick-")]) == 10
