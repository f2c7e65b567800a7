"""Every command says what is wrong with the database, and what to do; none draws a traceback."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from studio.cli.main import app
from studio.operations.doctor import diagnose
from studio.workspace import BUNDLED_DATASET, open_workspace
from tests.support.another_user import as_another_user, given_away
from tests.support.broken_databases import BREAKS, good_database

TITLES = BUNDLED_DATASET / "eval.json"
COMMANDS = [
    ("up", "--port", "8"),
    ("import", TITLES),
    ("freeze", "news"),
    ("dataset", "list"),
    ("dataset", "diff", "news@1", "news@2"),
    ("dataset", "export", "news", "/no/where"),
    ("dataset", "card", "news"),
    ("models",),
    ("models", "list"),
    ("models", "check", "small"),
    ("models", "download", "owner/name"),
    ("drafts",),
    ("train", "--dataset", "news"),
    ("runs",),
    ("runs", "pause", "some"),
    ("runs", "resume", "some"),
    ("runs", "cancel", "some"),
    ("runs", "retry", "some"),
    ("evaluate", "bundled"),
    ("compare", "some", "other"),
    ("report", "some"),
    ("predictions", "import", TITLES),
    ("predictions", "export", "some", "/no/where.csv"),
    ("serve", "bundled", "--port", "8"),
    ("backup", "/no/where.tar"),
    ("demo",),
]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    home = tmp_path_factory.mktemp("good")
    good_database(open_workspace(home).database)
    return home


@pytest.fixture
def home(good, tmp_path):
    return shutil.copytree(good, tmp_path / "home")


def run(home, *command):
    arguments = [*map(str, command), "--home", str(home)]
    return CliRunner().invoke(app, arguments, env={"STUDIO_OFFLINE": "1"})


def require_told(shown, home):
    assert shown.exit_code == 2, shown.output
    assert str(home / "studio.db") in shown.stderr
    assert "办法" in shown.stderr
    assert isinstance(shown.exception, SystemExit)


@pytest.mark.parametrize("name", [name for name in BREAKS if name != "torn"])
def test_every_command_says_so_and_exits_with_two(home, name):
    BREAKS[name](home / "studio.db")
    for command in COMMANDS:
        require_told(run(home, *command), home)


@pytest.mark.parametrize("command", [("dataset", "list"), ("freeze", "news"), ("import", TITLES)])
def test_damage_inside_the_file_is_told_by_whatever_meets_it(home, command):
    BREAKS["torn"](home / "studio.db")
    shown = run(home, *command)
    assert shown.exit_code == 2, shown.output
    assert "损坏" in shown.stderr


@pytest.mark.parametrize("name", BREAKS)
def test_the_doctor_finds_it_and_goes_on(home, name):
    BREAKS[name](home / "studio.db")
    (found,) = [check for check in diagnose(open_workspace(home)) if check.name == "database"]
    assert not found.ok
    assert found.message
    assert found.remedy


def test_the_doctor_exits_with_two(home):
    BREAKS["torn"](home / "studio.db")
    shown = run(home, "doctor")
    assert shown.exit_code == 2
    assert "database" in shown.stdout


def test_no_version_is_said_in_words(home):
    shown = run(home, "dataset", "list")
    assert (shown.exit_code, "freeze" in shown.stdout) == (0, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user, for whom the file is read-only")
@pytest.mark.parametrize("part", ["studio.db", "."])
def test_a_read_only_database_is_told(good, part):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        home = Path(shutil.copytree(good, Path(folder) / "home"))
        given_away(home)
        (home / part).chmod(0o555 if part == "." else 0o444)
        run(good, "dataset", "list")  # the other user may not read what a first call imports
        for words in (["dataset", "list"], ["runs"], ["doctor"]):
            status, shown = as_another_user(lambda words=words: run(home, *words))
            assert status == 2, shown
            assert "studio.db" in shown
            assert "办法" in shown or words == ["doctor"]
