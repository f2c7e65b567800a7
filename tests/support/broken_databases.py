"""Break the database of a workspace in every way that a person may meet."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from studio.ingest.importer import import_text
from studio.samples.scheme import load_scheme
from studio.store import open_store


def good_database(path: Path) -> None:
    """Make a database with enough titles that it has many pages, all of them in the file itself."""
    with closing(open_store(path)) as db:
        import_text(db, "\n".join(f"第{number}条新闻的标题" for number in range(400)), load_scheme())
        db.execute("pragma wal_checkpoint(truncate)")


def _lose(path: Path) -> None:
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


def _empty(path: Path) -> None:
    _lose(path)
    path.touch()


def _overwrite(path: Path) -> None:
    path.write_bytes(b"no database at all" * 500)


def _tear_out_pages(path: Path) -> None:
    """Leave the first page, so that the file opens, and put zeros on those that hold the tables."""
    content = bytearray(path.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    path.write_bytes(content)


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:6000])


def _make_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at)"
            " values ('news_studio', 'm999_of_next_year', '2030-01-01')"
        )
        connection.execute("alter table titles add column mood text")


def _replace_by_another_program(path: Path) -> None:
    _lose(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table songs (name text)")


def _replace_by_a_folder(path: Path) -> None:
    _lose(path)
    path.mkdir()


BREAKS: Mapping[str, Callable[[Path], None]] = {
    "lost": _lose,
    "empty": _empty,
    "overwritten": _overwrite,
    "torn": _tear_out_pages,
    "cut": _cut_short,
    "newer": _make_newer,
    "foreign": _replace_by_another_program,
    "folder": _replace_by_a_folder,
}
