"""A page is drawn by its own sections and by what is shared, and the entry script navigates only."""

import ast
from pathlib import Path

import pytest

from tests.support.pages import APP, PAGES

ROOT = APP.parent.parent


def imported(path: Path) -> set[str]:
    """Modules of `pages` that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "pages"}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_imports_its_own_sections_and_what_is_shared(name):
    allowed = (f"pages.sections.{name}.", "pages.shared.")
    assert [each for each in imported(ROOT / "pages" / f"{name}.py") if not each.startswith(allowed)] == []


def test_every_page_has_its_sections_and_no_other_has():
    assert {path.parent.name for path in (ROOT / "pages" / "sections").glob("*/__init__.py")} == set(PAGES)
    assert {path.stem for path in (ROOT / "pages").glob("*.py")} == {*PAGES, "__init__"}


def test_nothing_imports_a_page():
    pages = tuple(f"pages.{name}" for name in PAGES)
    files = [*(ROOT / "pages").rglob("*.py"), *(ROOT / "studio").rglob("*.py")]
    assert [str(path) for path in files if any(each.startswith(pages) for each in imported(path))] == []


def test_the_entry_script_takes_from_pages_what_is_shared():
    assert all(each.startswith("pages.shared.") for each in imported(APP))
