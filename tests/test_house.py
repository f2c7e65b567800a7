"""The maps in the docstrings are the tree, private modules are private, tests mirror the packages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = ("studio", "backend", "pages")
PACKAGES = sorted(file.parent.relative_to(ROOT) for top in CODE for file in (ROOT / top).rglob("__init__.py"))
WITH_CODE = {
    "backend": "sets the environment before torch is loaded",
    "studio/contract": "its names are imported from the package itself",
    "studio/runs": "the same",
    "studio/store": "the same",
    "studio/store/_migrations": "each module registers its migrations",
    "studio/training/settings_file": "its names are imported from the package itself",
}
"""Packages that are more than a docstring, and why; elsewhere re-exports would defeat the lazy imports."""
LISTED = re.compile(r"^(?: {4})?(\w+) {2,}\S", re.MULTILINE)


def members(package: Path) -> set[str]:
    """Modules and packages right in a folder."""
    files = {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__"}
    return files | {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}


def tree_of(package: Path) -> ast.Module:
    """The parsed `__init__` of a package."""
    return ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))


def imports_of(path: Path) -> Iterator[str]:
    """Dotted names that a file imports: modules, and names from modules."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_a_package_lists_what_is_in_it(package):
    doc = ast.get_docstring(tree_of(package), clean=False) or ""
    listed = LISTED.findall(doc)
    assert sorted(listed) == sorted(members(package))


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_a_package_is_its_docstring_and_nothing_else(package):
    if str(package) not in WITH_CODE:
        (only,) = tree_of(package).body
        assert isinstance(only, ast.Expr)


def test_private_modules_are_imported_in_their_package_alone():
    strangers = [
        f"{path.relative_to(ROOT)} imports {name}"
        for top in (*CODE, "benchmarks")
        for path in (ROOT / top).rglob("*.py")
        for name in imports_of(path)
        if (private := re.match(r"((?:studio|backend|pages)(?:\.\w+)*?)\._[a-z]\w*", name))
        and (ROOT / private[1].replace(".", "/")).is_dir()
        and not path.is_relative_to(ROOT / private[1].replace(".", "/"))
    ]
    assert strangers == []


def test_no_two_modules_differ_by_an_underscore():
    names = {path.stem.lstrip("_") for top in CODE for path in (ROOT / top).rglob("*.py")} - {
        "init__",
        "main__",
    }
    bare = [name.replace("_", "") for name in names]
    assert sorted(name for name in names if bare.count(name.replace("_", "")) > 1) == []


def test_no_test_imports_a_test_or_a_benchmark():
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / "tests").rglob("*.py")
        for name in imports_of(path)
        if name.startswith("benchmarks") or re.match(r"tests\.(?!support\b)", name)
    ]
    assert wrong == []


def test_tests_mirror_the_packages():
    beside = {"backend", "pages", "browser", "bundled", "conformance", "support"}
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("*.py"))} - beside
    assert folders <= members(Path("studio"))


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_the_layout_in_the_readme_is_the_tree(readme):
    text = (ROOT / readme).read_text(encoding="utf-8")
    packages = {path.name for path in (ROOT / "studio").iterdir() if (path / "__init__.py").exists()}
    packages |= {path.name for path in (ROOT / "backend").iterdir() if (path / "__init__.py").exists()}
    layout = text[text.index("```\ndata/") :]
    layout = layout[: layout.index("```", 3)]
    assert sorted(name for name in packages if not re.search(rf"\b{name}\b", layout)) == []
    folders = re.findall(r"^(\w+)/ ", layout, re.MULTILINE)
    assert all((ROOT / folder).is_dir() for folder in folders) and set(CODE) <= set(folders)
