"""Tell what is wrong with the file of a database, and translate SQLite's errors about the outside world.

A workspace that ever had a database keeps a note of it beside the file: one that is gone is not
mistaken for a new workspace, and an empty database is not made in its place.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from studio.errors import DatabaseUnusable, DiskFull, StudioError, WorkspaceBusy
from studio.language import say
from studio.store._migrations import migrations

_LONGEST_LIST = 3
_PROBLEMS_SHOWN = 3


def require_usable(path: Path) -> None:
    """Check the file without writing to it; nothing where the workspace has no database yet.

    Raises:
        DatabaseUnusable: it is lost, corrupt, newer, of another program, or cannot be written.
    """
    require_present(path)
    if path.exists():
        with database_errors(path), closing(read_only(path)) as connection:
            require_ours(connection, path)


def require_present(path: Path) -> None:
    """Check that a database is there where there was one, and that it can be written.

    Raises:
        DatabaseUnusable: it is not.
    """
    is_empty = not path.exists() or (path.is_file() and path.stat().st_size == 0)
    if is_empty and _was_made(path):
        raise DatabaseUnusable(
            say(
                f"工作区的数据库 {path} 不见了或是空的；标题、标注和版本的记录都在其中。",
                f"The workspace's database {path} is missing or empty; titles, annotations and the record of "
                "versions were in it.",
            ),
            remedy=say(
                "请把 backups/ 里最新的副本放回这里，或用 news-studio restore 恢复整个备份，"
                "或用 news-studio rebuild 从冻结的版本重建；要重新开始，用 --home 指定新文件夹。"
                "没有新建任何数据库。",
                "Put the newest copy in backups/ in its place, or restore a backup (news-studio restore), or "
                "rebuild it from the frozen versions (news-studio rebuild); to begin afresh, name a new "
                "folder with --home or STUDIO_HOME. No new database was made.",
            ),
        )
    if path.exists() and not (path.is_file() and _writable(path) and _writable(path.parent)):
        raise _read_only_problem(path)


def require_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Check that this version of the studio knows every table of the database.

    Raises:
        DatabaseUnusable: a newer studio or another program wrote it.
    """
    tables = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    if migrations.migrations_table not in tables:
        if tables:
            raise DatabaseUnusable(
                say(
                    f"{path} 是另一个程序的数据库，不是 News Studio 的。",
                    f"{path} is the database of another program, not of News Studio.",
                ),
                remedy=say(
                    "请移走它，或用 --home 指定另一个文件夹；文件没有改动。",
                    "Move it away, or name another folder with --home; the file was left as it is.",
                ),
            )
        return
    applied = connection.execute(
        f"select name from {migrations.migrations_table} where migration_set = ?", [migrations.name]
    )
    known = {each.name for each in migrations._migrations}
    newer = sorted(name for (name,) in applied if name not in known)
    if newer:
        names = ", ".join(newer[:_LONGEST_LIST]) + (" …" if len(newer) > _LONGEST_LIST else "")
        raise DatabaseUnusable(
            say(
                f"数据库 {path} 由更新版本的 News Studio 写成（本版本不认识：{names}）。",
                f"The database {path} was written by a newer News Studio (unknown here: {names}).",
            ),
            remedy=say(
                "请升级 News Studio，或换回升级前的副本（backups/before-update-*.db）；文件没有改动。",
                "Update News Studio, or put back the copy from before the update "
                "(backups/before-update-*.db); the file was left as it is.",
            ),
        )


def integrity_problem(path: Path) -> str | None:
    """Read the whole file and report the first things that SQLite finds wrong; None: it is sound.

    Raises:
        DatabaseUnusable: it cannot even be opened.
    """
    with database_errors(path), closing(read_only(path)) as connection:
        lines = [line for (line,) in connection.execute(f"pragma quick_check({_PROBLEMS_SHOWN})")]
    return None if lines == ["ok"] else "; ".join(str(line) for line in lines)


def note_made(path: Path) -> None:
    """Leave a note beside the database that there is one."""
    note = _note(path)
    if not note.exists():
        # A disk too full for the note is told by whatever is written next.
        with contextlib.suppress(OSError):
            note.write_text(f"This workspace has a database, {path.name}. The studio looks for it.\n")


def _note(path: Path) -> Path:
    return path.with_name(f".{path.name}.made")


def _was_made(path: Path) -> bool:
    """Return whether a database was here: its note, its log, or versions that only it could freeze."""
    if _note(path).exists() or path.with_name(f"{path.name}-wal").exists():
        return True
    return next(path.parent.glob("datasets/*/v[0-9]*/dataset_info.json"), None) is not None


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK)


def read_only(path: Path) -> sqlite3.Connection:
    """Open the file for reading alone: whoever holds this connection cannot change it."""
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)


@contextmanager
def database_errors(path: Path | None = None) -> Iterator[None]:
    """Translate SQLite's errors about the outside world to StudioErrors with a remedy."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        translated = _as_studio_error(error, path)
        if translated is None:
            raise
        raise translated from error


_NO_ROOM = {
    "SQLITE_FULL",
    "SQLITE_IOERR_WRITE",
    "SQLITE_IOERR_FSYNC",
    "SQLITE_IOERR_SHMSIZE",
    "SQLITE_IOERR_SHMOPEN",
}
"""A full disk is FULL only where SQLite extends the file; a quota, a size limit or the
shared-memory file of WAL fail under the other names."""
_DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_FORMAT", "SQLITE_IOERR")
_DAMAGED_WORDS = ("no such table", "no such column", "Could not decode to UTF-8", "malformed")
"""A table that is gone, or text that is no text: SQLite has no error names of their own for them."""


def _as_studio_error(error: sqlite3.DatabaseError, path: Path | None) -> StudioError | None:
    name = getattr(error, "sqlite_errorname", "") or ""
    file = path or ""
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
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
        return _read_only_problem(file)
    if name.startswith(_DAMAGED) or str(error).startswith(_DAMAGED_WORDS):
        return DatabaseUnusable(
            say(
                f"工作区的数据库 {file} 已损坏，或不是数据库文件：{error}。",
                f"The workspace's database {file} is damaged, or is no database file: {error}.",
            ),
            remedy=say(
                "请先停止 News Studio，移走该文件（不要删除），再放回 backups/ 里的副本，"
                "或用 news-studio rebuild 重建；news-studio doctor 会检查。",
                "Stop News Studio and move the file away (do not delete it); then put back a copy from "
                "backups/, or run: news-studio rebuild. news-studio doctor checks it.",
            ),
        )
    return None


def _read_only_problem(path: Path | str) -> DatabaseUnusable:
    return DatabaseUnusable(
        say(
            f"无法打开或写入工作区的数据库 {path}。",
            f"The workspace's database {path} cannot be opened or written.",
        ),
        remedy=say(
            "请检查该文件和文件夹的写入权限，以及磁盘是否以只读方式挂载；文件没有改动。",
            "Check the write permission of the file and its folder, and whether the disk is mounted "
            "read-only; the file was left as it is.",
        ),
    )
