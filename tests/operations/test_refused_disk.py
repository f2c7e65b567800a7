"""A full or read-only disk, and a name no disk takes, are sentences; what is ours is private."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pages.shared.files import fitting_name
from studio.cli.main import app
from studio.datasets.versions import freeze
from studio.ingest.importer import import_path
from studio.operations import supervisor
from studio.samples.scheme import load_scheme
from studio.serving import servers
from studio.store import open_store
from studio.workspace import BUNDLED_DATASET, open_workspace
from tests.support.another_user import as_another_user, given_away
from tests.support.broken_databases import good_database
from tests.support.full_disk import error_on_a_full_disk
from tests.support.tiny_runs import TINY_SERVER, end_everything, tiny_run
from tests.support.web_process import free_port

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs another user, for whom the folder is read-only")


@pytest.fixture
def here(workspace):
    yield workspace
    end_everything(workspace)


def invoke(home, *words):
    return CliRunner().invoke(app, [*map(str, words), "--home", str(home)])


@AS_ROOT
@pytest.mark.parametrize(
    ("part", "words"),
    [
        (".", ("up", "--port", "PORT")),
        ("up.lock", ("up", "--port", "PORT")),
        ("web.log", ("up", "--port", "PORT")),
        ("serving", ("serve", "bundled", "--port", "PORT")),
        ("runs/RUN", ("runs", "pause", "RUN")),
        ("runs/RUN", ("runs", "cancel", "RUN")),
        ("runs/RUN", ("runs", "cancel", "--discard", "RUN")),
    ],
)
def test_a_read_only_workspace_is_told(here, part, words):
    run, port = tiny_run(here), free_port()
    good_database(here.database)
    for name in ("up.lock", "web.log"):
        (here.home / name).touch()
    words = [word.replace("PORT", str(port)).replace("RUN", run.id) for word in words]
    invoke(here.home, "runs")  # the other user may not read what a first call imports
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        home = Path(shutil.copytree(here.home, Path(folder) / "home"))
        given_away(home)
        refused = home / part.replace("RUN", run.id)
        refused.chmod(0o555 if refused.is_dir() else 0o444)
        status, shown = as_another_user(lambda: invoke(home, *words))
        assert status in (1, 2), shown
        assert "办法" in shown, shown


def test_a_full_disk_is_told_by_up_and_serve(here):
    def serve():
        servers.serve_here(
            here,
            model=Path("/m"),
            adapter=None,
            template="auto",
            name="x",
            port=free_port(),
            command=TINY_SERVER,
        )

    assert error_on_a_full_disk(0, serve).startswith("DiskFull")
    assert error_on_a_full_disk(0, lambda: supervisor.up(here, free_port())).startswith("DiskFull")


@pytest.mark.parametrize(
    "name",
    [
        "新闻" * 45 + ".xlsx",
        "新" * 300,
        "a" * 400 + "." + "b" * 300,
        "x.json",
        "../../etc/passwd",
        "a\\b\\c.csv",
        "",
        ".",
    ],
)
def test_a_file_of_any_name_can_be_uploaded(tmp_path, name):
    fitting = fitting_name(name)
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / fitting).write_bytes(b"x")
    assert "/" not in fitting
    if name.endswith((".xlsx", ".json", ".csv")):
        assert Path(fitting).suffix == Path(name).suffix


def test_a_workspace_is_its_owners_alone(tmp_path):
    before = os.umask(0o022)
    try:
        workspace = open_workspace(tmp_path / "new")
        good_database(workspace.database)
    finally:
        os.umask(before)
    assert workspace.home.stat().st_mode & 0o777 == 0o700
    assert workspace.database.stat().st_mode & 0o777 == 0o600
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o770)
    shared.chmod(0o770)
    assert open_workspace(shared).home.stat().st_mode & 0o777 == 0o770


KILLED = """
import os, signal, sys
from pathlib import Path
from studio.datasets import versions
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import open_workspace
workspace = open_workspace(Path(sys.argv[1]))
versions._record = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
versions.freeze(open_store(workspace.database), workspace, "news", author="me", scheme=load_scheme())
"""


def test_what_a_killed_freeze_left_is_swept_by_the_next(here):
    db = open_store(here.database)
    import_path(db, BUNDLED_DATASET, load_scheme())
    killed = subprocess.run([sys.executable, "-c", KILLED, str(here.home)], check=False)
    assert killed.returncode == -9
    assert [path.name[:10] for path in (here.datasets / "news").iterdir()] == [".freezing-"]
    freeze(db, here, "news", author="me", scheme=load_scheme())
    assert [path.name for path in (here.datasets / "news").iterdir()] == ["v1"]
