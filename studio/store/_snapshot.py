"""Copy the database while others write to it: one consistent file, without its log."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from studio.store._condition import database_errors, read_only

BACKUPS = "backups"
"""The folder of a workspace for copies that the studio makes by itself."""


def snapshot(database: Path, target: Path) -> None:
    """Write a consistent copy of the database; whoever writes to it meanwhile does not wait.

    The copy is read in one transaction of WAL: it has every commit before it began, and none after.

    Args:
        target: replaced if it exists, and only once the copy is whole and on the disk.

    Raises:
        DatabaseUnusable: the database cannot be read.
        DiskFull: no room for the copy; what was written of it is gone.
    """
    draft = target.with_name(f".{target.name}.part")
    draft.unlink(missing_ok=True)
    # As private as the database itself, from its first byte on.
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with (
            database_errors(database),
            closing(read_only(database)) as source,
            closing(sqlite3.connect(draft, isolation_level=None)) as copy,
        ):
            source.backup(copy)
            # The copied header says WAL; one file is to be the whole of it.
            copy.execute("pragma journal_mode = delete")
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def snapshot_name(reason: str) -> str:
    """Build the name of a copy that the studio makes by itself: the reason, and the time in UTC."""
    return f"{reason}-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.db"


def keep_newest(folder: Path, reason: str, count: int) -> None:
    """Delete the oldest copies made for this reason, so that `count` remain."""
    # Their names sort by time.
    copies = sorted(folder.glob(f"{reason}-*.db"))
    for old in copies[: max(len(copies) - count, 0)]:
        old.unlink(missing_ok=True)
