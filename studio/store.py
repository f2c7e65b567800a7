"""The database of a workspace: tables, guards, and the one way to write.

What people decided is history: rows are appended, never changed, and SQLite itself
refuses anything else. `states` is the one derived table: a trigger keeps in it, for
every title, which decision counts now, so that the label queue is an index lookup
at any size; the view `current_titles` reads through it. Titles, annotations and
versions have their own modules; this one knows only SQL.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database, Migrations

from studio.errors import DiskFull, StudioError, UnreadableFile, WorkspaceBusy
from studio.language import say

Store = Database

BUSY_TIMEOUT_MS = 5000
CACHE_KIB = 32 * 1024
"""Filled only as far as a connection needs it; an import of 100,000 titles needs it."""

migrations = Migrations("news_studio")


def open_store(path: Path) -> Store:
    """Open the database, bring its tables up to date, and return one connection.

    A connection belongs to the thread that opened it: one a page run, one a command.

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
    """A transaction that holds the write lock from its first line on.

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


_NO_ROOM = {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_SHMSIZE"}
"""A full disk is FULL only where SQLite extends the file; a quota, a size limit or the
shared-memory file of WAL fail under the other names."""


@contextmanager
def _database_errors(path: Path | None = None) -> Iterator[None]:
    """Turn what SQLite reports about the outside world into errors a user can mend."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        mended = _as_studio_error(name, path)
        if mended is None:
            raise
        raise mended from error


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


def _append_only(db: Store, table: str) -> None:
    for verb in ("update", "delete"):
        db.execute(
            f"create trigger {table}_no_{verb} before {verb} on {table}"
            f" begin select raise(abort, '{table} is append-only'); end"
        )


BY_PERSON = "action in ('annotate', 'skip', 'flag')"
"""What an author does to one title and can take back; queries must say it in these words to use its index."""

NOW = "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"
"""UTC with milliseconds, as text that sorts."""


@migrations()
def m001_titles(db: Store) -> None:
    """Titles, each once, and every imported row that brought one."""
    db.execute(
        f"""create table batches (
            id integer primary key,
            source text not null,
            author text not null,
            imported_at text not null default {NOW}
        )"""
    )
    db.execute(
        f"""create table titles (
            id integer primary key,
            text text not null check (text <> ''),
            key text not null unique,
            split text check (split in ('train', 'eval')),
            source text not null,
            batch_id integer not null references batches(id),
            created_at text not null default {NOW}
        )"""
    )
    db.execute(
        "create trigger titles_keep_their_text before update of id, text, key, source, batch_id, created_at"
        " on titles begin select raise(abort, 'a title never changes, its decisions do'); end"
    )
    db.execute(
        "create trigger titles_no_delete before delete on titles"
        " begin select raise(abort, 'a title is never deleted'); end"
    )
    # label: what the row's answer said, word for word; means: what it safely stands for, the
    # label itself if nothing; category: set only where the row may decide.
    db.execute(
        """create table imported_rows (
            id integer primary key,
            batch_id integer not null references batches(id),
            title_id integer not null references titles(id),
            file text not null,
            row integer not null,
            split text,
            label text,
            means text,
            category text,
            chain text,
            note text,
            proposal text
        )"""
    )
    db.execute("create index imported_rows_by_title on imported_rows (title_id)")
    _append_only(db, "imported_rows")
    _append_only(db, "batches")


@migrations()
def m002_decisions(db: Store) -> None:
    """What people said (annotations), what counts (decisions), and where a title stands (states)."""
    db.execute(
        f"""create table annotations (
            id integer primary key,
            title_id integer not null references titles(id),
            author text not null,
            kind text not null check (kind in ('category', 'skip', 'flag')),
            category text,
            chain text,
            reason text,
            active_seconds real,
            at text not null default {NOW},
            check ((kind = 'category') = (category is not null))
        )"""
    )
    db.execute("create index annotations_by_author on annotations (author, id)")
    _append_only(db, "annotations")
    # follows: the decision that was current before; unique, so a title's history is one line.
    # restores: for an undo, the decision that counts again; such a row has no state of its own.
    # rank: place in the queue; 0 before 1.
    db.execute(
        f"""create table decisions (
            id integer primary key,
            title_id integer not null references titles(id),
            follows integer references decisions(id),
            author text not null,
            action text not null
                check (action in ('import', 'annotate', 'skip', 'flag', 'send_back', 'wrong', 'undo')),
            status text check (status in ('waiting', 'decided', 'skipped', 'flagged')),
            category text,
            chain text,
            note text,
            proposal text,
            rank integer not null default 1,
            annotation_id integer references annotations(id),
            undoes integer references decisions(id),
            restores integer references decisions(id),
            at text not null default {NOW},
            check ((action = 'undo') = (undoes is not null)),
            check ((action = 'undo') = (restores is not null)),
            check ((action = 'undo') = (status is null)),
            check ((status is 'decided') = (category is not null))
        )"""
    )
    db.execute("create unique index decisions_first on decisions (title_id) where follows is null")
    db.execute("create unique index decisions_next on decisions (follows) where follows is not null")
    db.execute("create unique index decisions_undone on decisions (undoes) where undoes is not null")
    # Behind each author stands, unwritten, the row id: the latest decision is the last entry.
    db.execute(f"create index decisions_of_author on decisions (author) where {BY_PERSON}")
    db.execute(f"create index decisions_of_day on decisions (author, at) where {BY_PERSON}")
    db.execute("create index undos_of_author on decisions (author, undoes) where action = 'undo'")
    _append_only(db, "decisions")
    _create_states(db)


def _create_states(db: Store) -> None:
    db.execute(
        """create table states (
            title_id integer primary key references titles(id),
            revision integer not null references decisions(id),
            decision_id integer not null references decisions(id),
            status text not null,
            category text,
            rank integer not null,
            has_chain integer not null
        )"""
    )
    db.execute("create index states_queue on states (status, rank, title_id)")
    db.execute("create index states_category on states (status, category, title_id)")
    db.execute(
        "create index states_without_chain on states (title_id) where status = 'decided' and not has_chain"
    )
    db.execute(
        """create trigger decisions_move_the_title after insert on decisions begin
            insert into states (title_id, revision, decision_id, status, category, rank, has_chain)
            select new.title_id, new.id, id, status, category, rank, chain is not null
            from decisions where id = coalesce(new.restores, new.id)
            on conflict (title_id) do update set
                revision = excluded.revision, decision_id = excluded.decision_id,
                status = excluded.status, category = excluded.category, rank = excluded.rank,
                has_chain = excluded.has_chain;
        end"""
    )
    db.execute(
        # One column for each field of titles.Title.
        """create view current_titles as
        select states.title_id as id, titles.text, titles.split, titles.source, titles.batch_id,
               states.status, states.category, decisions.chain, states.revision, decisions.note,
               decisions.proposal, decisions.author, states.rank, states.decision_id
        from states
        join titles on titles.id = states.title_id
        join decisions on decisions.id = states.decision_id"""
    )


@migrations()
def m003_versions(db: Store) -> None:
    """Frozen dataset versions and their rows."""
    db.execute(
        f"""create table versions (
            id integer primary key,
            name text not null,
            number integer not null,
            sha256 text not null,
            author text not null,
            created_at text not null default {NOW},
            unique (name, number)
        )"""
    )
    db.execute(
        """create table version_rows (
            version_id integer not null references versions(id),
            split text not null check (split in ('train', 'eval')),
            row integer not null,
            title_id integer not null references titles(id),
            decision_id integer not null references decisions(id),
            category text not null,
            primary key (version_id, split, row)
        ) without rowid"""
    )
    db.execute("create index version_rows_by_title on version_rows (title_id)")
    _append_only(db, "versions")
    _append_only(db, "version_rows")
