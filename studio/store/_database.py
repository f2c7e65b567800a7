"""Connect to the SQLite database, migrate it, and write in transactions.

The tables are defined in `studio.store._migrations`; titles, annotations and versions have
their own modules. This one knows connections and transactions.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlite_utils import Database

from studio.language import Sentence
from studio.store._condition import database_errors, note_made, require_ours, require_present
from studio.store._migrations import migrations
from studio.store._snapshot import BACKUPS, keep_newest, snapshot, snapshot_name

Store = Database


def _refuse(sentence: Sentence) -> None:
    raise AssertionError(f"a sentence is no value to store, its code is (studio.messages): {sentence}")


# Whoever reads the store may speak the other language.
sqlite3.register_adapter(Sentence, _refuse)

BUSY_TIMEOUT_MS = 5000
BEFORE_UPDATE = "before-update"
COPIES_KEPT = 5
"""Copies from before a migration; an older one goes when a newer is there."""
CACHE_KIB = 32 * 1024
"""Filled only as far as a connection needs it; an import of 100,000 titles needs it."""


def open_store(path: Path, *, anew: bool = False) -> Store:
    """Open the database, migrate its tables, and return one connection.

    A connection belongs to the thread that opened it: one for each page run, one for each command.

    Args:
        path: studio.db of a workspace; created in a workspace that never had one.
        anew: create it also where an earlier one was lost, as a rebuild does.

    Raises:
        DatabaseUnusable: the file is lost, corrupt, newer, of another program, or cannot be written.
        WorkspaceBusy: another process held the database for too long.
    """
    if not anew:
        require_present(path)
    with database_errors(path):
        is_new = not path.exists()
        db = Database(path, execute_plugins=False)
        db.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_MS}")
        # Before the first write: a file that is not ours stays as it is.
        require_ours(db.conn, path)
        if is_new:
            _make_private(path)  # its -wal and -shm get the same mode
        db.execute("pragma foreign_keys = on")
        db.execute(f"pragma cache_size = -{CACHE_KIB}")
        db.enable_wal()
        # A power cut can lose the last commits, never the consistency of the file.
        db.execute("pragma synchronous = normal")
        if migrations.pending(db):
            # Under the write lock, so that two processes that open a new workspace
            # at once do not both create the tables.
            with writing(db):
                if migrations.pending(db) and db.table_names():
                    _keep_copy(path)
                migrations.apply(db)
    note_made(path)
    return db


def _keep_copy(path: Path) -> None:
    """Copy the database as the earlier studio left it: going back to that studio needs it."""
    folder = path.parent / BACKUPS
    folder.mkdir(mode=0o700, exist_ok=True)
    snapshot(path, folder / snapshot_name(BEFORE_UPDATE))
    keep_newest(folder, BEFORE_UPDATE, COPIES_KEPT)


def _make_private(path: Path) -> None:
    with suppress(OSError):
        path.chmod(0o600)


@contextmanager
def writing(db: Store) -> Iterator[None]:
    """Begin an immediate transaction: it holds the write lock from its first line on.

    A plain BEGIN takes the lock only at the first write; if someone else wrote since
    the first read, SQLite then fails at once instead of waiting. Nested use is a
    savepoint of the outer transaction.
    """
    if db.conn.in_transaction:
        with db.atomic():
            yield
        return
    with database_errors():
        db.execute("begin immediate")
        try:
            yield
        except BaseException:
            db.rollback()
            raise
        try:
            db.commit()
        except sqlite3.Error:
            db.rollback()
            raise
