"""Connect to the SQLite database, migrate it, and write in transactions.

The tables are defined in `studio.store._migrations`; titles, annotations and versions have
their own modules. This one knows connections, transactions, and the errors that SQLite
reports about the outside world.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from studio.errors import DiskFull, StudioError, UnreadableFile, WorkspaceBusy
from studio.language import Sentence, say
from studio.store._migrations import migrations

Store = Database


def _refuse(sentence: Sentence) -> None:
    raise AssertionError(f"a sentence is no value to store, its code is (studio.messages): {sentence}")


# Whoever reads the store may speak the other language.
sqlite3.register_adapter(Sentence, _refuse)

BUSY_TIMEOUT_MS = 5000
CACHE_KIB = 32 * 1024
"""Filled only as far as a connection needs it; an import of 100,000 titles needs it."""


def open_store(path: Path) -> Store:
    """Open the database, migrate its tables, and return one connection.

    A connection belongs to the thread that opened it: one for each page run, one for each command.

    Raises:
        UnreadableFile: the file is not a database.
        WorkspaceBusy: another process held the database for too long.
        StudioError: the file cannot be opened or written.
    """
    with _database_errors(path):
        db = Database(path, execute_plugins=False)
        db.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_MS}")
        db.execute("pragma foreign_keys = on")
        db.execute(f"pragma cache_size = -{CACHE_KIB}")
        db.enable_wal()
        # A power cut can lose the last commits, never the consistency of the file.
        db.execute("pragma synchronous = normal")
        if migrations.pending(db):
            # Under the write lock, so that two processes that open a new workspace
            # at once do not both create the tables.
            with writing(db):
                migrations.apply(db)
    return db


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
    with _database_errors():
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


_NO_ROOM = {
    "SQLITE_FULL",
    "SQLITE_IOERR_WRITE",
    "SQLITE_IOERR_FSYNC",
    "SQLITE_IOERR_SHMSIZE",
    "SQLITE_IOERR_SHMOPEN",
}
"""A full disk is FULL only where SQLite extends the file; a quota, a size limit or the
shared-memory file of WAL fail under the other names."""


@contextmanager
def _database_errors(path: Path | None = None) -> Iterator[None]:
    """Translate SQLite's errors about the outside world to StudioErrors with a remedy."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        translated = _as_studio_error(name, path)
        if translated is None:
            raise
        raise translated from error


def _as_studio_error(name: str, path: Path | None) -> StudioError | None:
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return WorkspaceBusy(
            say("另一个程序正占用工作区的数据库。", "Another program is holding the workspace's database."),
            remedy=say("请等它结束后再试。", "Wait until it has finished, then try again."),
        )
    if name in _NO_ROOM:
        return DiskFull(
            say(
                "磁盘已满或已达配额，这一步没有保存。", "The disk or quota is full; this step was not saved."
            ),
            remedy=say(
                "请腾出空间后重试，之前的内容完好。", "Free some space and retry; all earlier work is intact."
            ),
        )
    if name in {"SQLITE_NOTADB", "SQLITE_CORRUPT"} and path is not None:
        return UnreadableFile(
            say(f"{path} 不是可用的数据库文件。", f"{path} is not a usable database file."),
            remedy=say("请移走它，或从备份恢复。", "Move it away, or restore a backup."),
        )
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
        return StudioError(
            say(f"无法写入数据库 {path or ''}。", f"The database {path or ''} cannot be written."),
            remedy=say(
                "请检查该文件和文件夹的写入权限。", "Check the write permission of the file and its folder."
            ),
        )
    return None
