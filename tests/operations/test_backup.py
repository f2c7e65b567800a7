"""A backup made while people label is one moment of the workspace, and restores to exactly that, or not at all."""

import hashlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import closing
from datetime import timedelta

import pytest

from studio.errors import DatabaseUnusable, DiskFull, InputError, UnreadableFile
from studio.operations import backup as backups
from studio.operations import database_copies
from studio.operations.backup import write_backup
from studio.operations.restore import restore
from studio.store import integrity_problem, open_store
from studio.workspace import open_workspace
from tests.support.broken_databases import BREAKS
from tests.support.old_workspaces import unpack


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory):
    """A workspace in which everything has already happened, brought to the present schema."""
    home = tmp_path_factory.mktemp("lived") / "home"
    unpack(home)
    workspace = open_workspace(home)
    with closing(open_store(workspace.database)):
        pass
    (home / "teacher.key").write_text("secret")
    (home / "models/mine").symlink_to(home / "models/small")
    return workspace


def contents(home):
    return {
        path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob("*")
        if path.is_file() and not path.name.startswith("studio.db")
    }


def rows(database):
    with closing(sqlite3.connect(database)) as db:
        tables = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
        return {table: db.execute(f"select * from {table} order by 1").fetchall() for table in tables}


def test_a_restored_backup_equals_the_workspace(lived_in, tmp_path):
    made = write_backup(lived_in, tmp_path / "b.tar", with_models=False)
    assert made.path.stat().st_mode & 0o077 == 0
    restore(made.path, tmp_path / "elsewhere")
    before, after = contents(lived_in.home), contents(tmp_path / "elsewhere")
    gone = {name for name in before if name not in after}
    assert after == {name: before[name] for name in after}
    assert {name.partition("/")[0] for name in gone} == {
        "backups", "models", "quality", "suggesting", "teacher.key",
    }  # fmt: skip
    assert set(made.manifest.left_out) == {"models/small", "models/mine", "teacher.key"}
    assert rows(tmp_path / "elsewhere/studio.db") == rows(lived_in.database)
    assert integrity_problem(tmp_path / "elsewhere/studio.db") is None


def test_models_come_along_when_asked_for_and_keys_never(lived_in, tmp_path):
    made = write_backup(lived_in, tmp_path, with_models=True)
    assert made.path.parent == tmp_path
    assert "models/small/config.json" in made.manifest.files
    assert not any("key" in name or name.endswith(("-wal", ".lock")) for name in made.manifest.files)
    assert b"secret" not in made.path.read_bytes()


def test_a_backup_under_load_is_one_moment(tmp_path):
    """Writers insert pairs of rows in one transaction each; no backup holds half a pair."""
    workspace = open_workspace(tmp_path / "home")
    with closing(open_store(workspace.database)) as db:
        db.execute("create table pairs (a integer, b integer)")
    stop = threading.Event()
    waits = []

    def label(who):
        with closing(sqlite3.connect(workspace.database, timeout=20, isolation_level=None)) as db:
            while not stop.is_set():
                began = time.monotonic()
                db.execute("begin immediate")
                db.execute("insert into pairs values (?, 0)", [who])
                db.execute("insert into pairs values (?, 1)", [who])
                db.execute("commit")
                waits.append(time.monotonic() - began)

    threads = [threading.Thread(target=label, args=[who]) for who in range(10)]
    for thread in threads:
        thread.start()
    try:
        found = []
        for number in range(5):
            made = write_backup(workspace, tmp_path / f"{number}.tar")
            restore(made.path, tmp_path / f"r{number}")
            with closing(sqlite3.connect(tmp_path / f"r{number}/studio.db")) as db:
                found.append(db.execute("select count(*), sum(b) from pairs").fetchone())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert all(count == 2 * (ones or 0) for count, ones in found)
    assert found[-1][0] > found[0][0]
    assert waits


def test_what_is_broken_or_cut_is_refused_and_leaves_nothing(lived_in, tmp_path):
    content = write_backup(lived_in, tmp_path / "good.tar").path.read_bytes()
    bad = tmp_path / "bad.tar"
    cuts = [0, 100, 5_000, len(content) // 2, len(content) - 11_000]
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for damaged in [*(content[:cut] for cut in cuts), bytes(flipped), b"x" * 10_000]:
        bad.write_bytes(damaged)
        with pytest.raises(UnreadableFile):
            restore(bad, tmp_path / "new")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.tar", "good.tar"]


def member(name, *, kind=tarfile.REGTYPE, link=""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


@pytest.mark.parametrize(
    "entry",
    [
        member("../escaped"),
        member("/tmp/escaped"),
        member("datasets/../../escaped"),
        member("link", kind=tarfile.SYMTYPE, link="/etc/passwd"),
        member("hard", kind=tarfile.LNKTYPE, link="studio.db"),
        member("fifo", kind=tarfile.FIFOTYPE),
        member("unlisted"),
    ],
    ids=lambda entry: entry.name,
)
def test_a_hostile_archive_writes_nothing_anywhere(lived_in, tmp_path, entry):
    path = write_backup(lived_in, tmp_path / "b.tar").path
    with tarfile.open(path, "a") as archive:
        archive.addfile(entry)
    with pytest.raises(UnreadableFile):
        restore(path, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar"]


def test_restoring_writes_over_nothing(lived_in, tmp_path):
    path = write_backup(lived_in, tmp_path / "b.tar").path
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    for target in (lived_in.home, tmp_path / "full", path):
        with pytest.raises(InputError):
            restore(path, target)
    opened = open_workspace(tmp_path / "opened")  # empty folders are no data
    restore(path, opened.home)
    assert opened.database.exists()


def test_a_backup_that_is_killed_leaves_the_last_one(lived_in, tmp_path):
    target = tmp_path / "b.tar"
    before = write_backup(lived_in, target).path.read_bytes()
    script = (
        "import sys, os, signal; from pathlib import Path;"
        "from studio.operations import backup; from studio.workspace import Workspace;"
        "backup.write_backup(Workspace(home=Path(sys.argv[1])), Path(sys.argv[2]),"
        " on_bytes=lambda done, total: done > total / 2 and os.kill(os.getpid(), signal.SIGKILL))"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(lived_in.home), str(target)])
    assert killed.returncode == -signal.SIGKILL
    assert target.read_bytes() == before
    write_backup(lived_in, target)
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar"]


def test_a_growing_log_is_taken_as_it_was_and_a_vanished_file_is_left_out(lived_in, tmp_path, monkeypatch):
    home = tmp_path / "home"
    shutil.copytree(lived_in.home, home, symlinks=True)
    workspace = open_workspace(home)
    log = next(home.glob("runs/*/metrics.jsonl"))
    gone = home / "runs/zzz.json"
    gone.write_text("{}")
    written = backups._add

    def meanwhile(archive, entry, content, path):
        gone.unlink(missing_ok=True)
        if path == log:
            with log.open("a") as more:
                more.write("{}\n" * 1000)
        written(archive, entry, content, path)

    monkeypatch.setattr(backups, "_add", meanwhile)
    made = write_backup(workspace, tmp_path / "b.tar")
    assert "runs/zzz.json" not in made.manifest.files
    restore(made.path, tmp_path / "new")


def test_a_full_disk_is_said_before_anything_is_written(lived_in, tmp_path, monkeypatch):
    full = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(backups.shutil, "disk_usage", lambda _folder: full)
    with pytest.raises(DiskFull):
        write_backup(lived_in, tmp_path / "b.tar")
    assert list(tmp_path.iterdir()) == []


def test_nothing_and_a_broken_database_are_not_backed_up(tmp_path):
    workspace = open_workspace(tmp_path / "home")
    with pytest.raises(InputError):
        write_backup(workspace, tmp_path / "b.tar")
    with closing(open_store(workspace.database)):
        pass
    BREAKS["newer"](workspace.database)
    with pytest.raises(DatabaseUnusable):
        write_backup(workspace, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()


def test_a_copy_is_kept_from_before_a_migration(tmp_path):
    unpack(tmp_path / "home")
    workspace = open_workspace(tmp_path / "home")
    before = rows(workspace.database)
    with closing(open_store(workspace.database)):
        pass
    (copy,) = database_copies.list_copies(workspace)
    assert copy.reason == "before-update"
    assert rows(copy.path) == before
    assert rows(workspace.database).keys() > before.keys()
    with closing(open_store(workspace.database)):
        pass
    assert len(database_copies.list_copies(workspace)) == 1


def test_nightly_copies_are_made_once_a_day_and_the_oldest_go(lived_in, tmp_path, monkeypatch):
    workspace = open_workspace(tmp_path / "home")
    assert database_copies.copy_nightly(workspace, keep=3) is None
    shutil.copy(lived_in.database, workspace.database)
    assert database_copies.copy_nightly(workspace, keep=0) is None
    first = database_copies.copy_nightly(workspace, keep=3)
    assert rows(first.path) == rows(workspace.database)
    assert database_copies.copy_nightly(workspace, keep=3) is None
    for day in range(1, 6):
        old = first.made_at - timedelta(days=day)
        shutil.copy(first.path, workspace.backups / f"nightly-{old:%Y-%m-%dT%H%M%SZ}.db")
    first.path.unlink()
    (workspace.backups / ".nightly-2026-01-01T000000Z.db.part").touch()
    newest = database_copies.copy_nightly(workspace, keep=3)
    kept = database_copies.list_copies(workspace)
    assert kept[0].path == newest.path and len(kept) == 3
    assert not list(workspace.backups.glob(".*"))
