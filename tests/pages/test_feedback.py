"""What a press can raise is told with its remedy; a control that returns nothing stops no page."""

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import feedback
from studio.modelfiles.settings import add_folder, load_model_settings
from studio.store import open_store
from tests.support.full_disk import error_on_a_full_disk
from tests.support.pages import PAGES, open_page
from tests.support.team import dispute, share, team
from tests.support.workspaces import fill

ROOT = Path(feedback.__file__).parent.parent
EVENTS = {"on_click", "on_change", "on_select", "on_submit"}


def modules() -> Iterator[tuple[ModuleType, ast.Module]]:
    """Every module of sections and shared, with its source parsed."""
    for path in sorted([*ROOT.glob("shared/*.py"), *ROOT.glob("sections/*/*.py")]):
        name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
        yield importlib.import_module(name), ast.parse(path.read_text(encoding="utf-8"))


def handlers(tree: ast.Module) -> Iterator[ast.expr]:
    """What the widgets of a module call when they are used."""
    passing = {}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            names = [argument.arg for argument in function.args.args]
            for value in events(function):
                if isinstance(value, ast.Name) and value.id in names:  # a helper that passes it on
                    passing[function.name] = names.index(value.id)
    yield from events(tree)
    for call in calls(tree):
        if isinstance(call.func, ast.Name) and call.func.id in passing:
            yield call.args[passing[call.func.id]]


def events(node: ast.AST) -> list[ast.expr]:
    """What is written as on_click and the like in a piece of source."""
    return [keyword.value for call in calls(node) for keyword in call.keywords if keyword.arg in EVENTS]


def calls(node: ast.AST) -> Iterator[ast.Call]:
    """Every call in a piece of source."""
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def resolved(module: ModuleType, value: ast.expr) -> Callable[..., object] | None:
    """The function that an expression names; None for a word of Streamlit's, or an argument passed on."""
    if isinstance(value, ast.Constant):
        return None
    try:
        found = eval(ast.unparse(value), vars(module))
    except NameError:
        return None
    return found


def reports(function: Callable[..., object]) -> bool:
    """Whether a callback is wrapped by `reporting`."""
    return function.__code__.co_filename == inspect.getsourcefile(feedback)


def test_every_callback_of_every_page_reports_its_errors():
    found = [
        (f"{module.__name__}: {ast.unparse(value)}", resolved(module, value))
        for module, tree in modules()
        for value in handlers(tree)
    ]
    callbacks = {name: function for name, function in found if function is not None}
    assert len(callbacks) > 50
    assert [name for name, function in callbacks.items() if not reports(function)] == []


def model_settings():
    """The settings on the Models page, as they report what a press did."""
    from pages.sections.models.settings import model_settings
    from pages.shared.feedback import report_errors, show_notices

    with report_errors():
        show_notices()
        model_settings()


def told_on_a_full_disk(app, key):
    """The notice that follows the press of a button while nothing can be written."""

    def press():
        app.button(key=key).click().run()
        assert not app.exception
        # What the page itself notes at times, who is here, may fail first: the same words, in its place.
        raise AssertionError((list(app.toast) or list(app.error))[0].value)

    return error_on_a_full_disk(0, press)


def test_removing_a_folder_on_a_full_disk_is_a_notice_with_its_remedy(workspace, tmp_path):
    folder = add_folder(workspace, str(tmp_path))
    app = AppTest.from_function(model_settings).run()
    told = told_on_a_full_disk(app, f"model-folder-remove-{folder}")
    assert "磁盘已满" in told
    assert "怎么办" in told
    assert load_model_settings(workspace).folders == (folder,)


def test_passing_a_case_on_on_a_full_disk_is_a_notice_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    case = dispute(share(team(tmp_path / "home")))
    app = open_page("review", annotator="zhao")
    assert "磁盘已满" in told_on_a_full_disk(app, f"next-{case.id}-{case.revision}")


@pytest.fixture
def filled(workspace):
    """A workspace with something on every page: a version, a scored run, a dispute."""
    db = open_store(workspace.database)
    fill(db, workspace)
    return db


@pytest.mark.parametrize("name", PAGES)
def test_a_control_that_returns_nothing_stops_no_page(filled, name):
    app = open_page(name)
    for key in [each.key for each in app.button_group if each.key]:
        app.button_group(key=key).set_value(None)
        app.run()
        assert not app.exception, key
        assert not app.error, key
        assert app.title[0].value


def test_without_a_language_chosen_the_page_follows_its_address(workspace):
    app = open_page("home", "en")
    app.segmented_control(key="lang").set_value(None).run()
    assert app.title[0].value == "News Studio"
    app.session_state["lang"] = "fr"
    assert app.run().title[0].value == "News Studio"
    assert app.query_params["lang"] in ("en", ["en"])
