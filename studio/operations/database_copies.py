"""Copy the database every night, and list the copies that the studio made by itself.

`studio.store` makes one before it migrates a database; both kinds lie in the workspace's `backups/`. They
hold the database alone: `studio.operations.backup` writes the whole workspace.
"""

import contextlib
import logging
import shutil
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from studio.errors import StudioError
from studio.store import keep_newest, snapshot, snapshot_name
from studio.workspace import Workspace

log = logging.getLogger(__name__)

NIGHTLY = "nightly"
HOURS_BETWEEN = 24
ROOM_KEPT = 3
"""Times the database's size that must be free on the disk: people's own work comes first."""
_LOOK_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True)
class DatabaseCopy:
    """A copy of the database that the studio made by itself: its file, why, when, and bytes."""

    path: Path
    reason: str
    made_at: datetime
    size: int


def list_copies(workspace: Workspace) -> list[DatabaseCopy]:
    """List the copies of the database in `backups/`, the newest first."""
    copies = []
    for path in workspace.backups.glob("*.db"):
        reason, _, time_of_it = path.stem.partition("-20")
        with contextlib.suppress(ValueError, OSError):
            made_at = datetime.strptime(f"20{time_of_it}+0000", "%Y-%m-%dT%H%M%SZ%z")
            copies.append(DatabaseCopy(path=path, reason=reason, made_at=made_at, size=path.stat().st_size))
    return sorted(copies, key=lambda copy: copy.made_at, reverse=True)


def keep_nightly_copies(workspace: Workspace, keep: int, stop: threading.Event) -> None:
    """Make the nightly copies until `stop` is set; a copy that fails is logged and tried again later."""
    while True:
        try:
            copy_nightly(workspace, keep)
        except (StudioError, OSError) as error:
            log.warning("no nightly copy of the database: %s", error)
        if stop.wait(_LOOK_SECONDS):
            return


def copy_nightly(workspace: Workspace, keep: int) -> DatabaseCopy | None:
    """Copy the database if the last nightly copy is a day old; None: it is not, or there is no room.

    Args:
        keep: how many nightly copies remain; 0: none is made.
    """
    if keep < 1 or not workspace.database.exists():
        return None
    last = next((copy for copy in list_copies(workspace) if copy.reason == NIGHTLY), None)
    if last and datetime.now(UTC) - last.made_at < timedelta(hours=HOURS_BETWEEN):
        return None
    if shutil.disk_usage(workspace.home).free < ROOM_KEPT * workspace.database.stat().st_size:
        return None
    workspace.backups.mkdir(mode=0o700, exist_ok=True)
    for draft in workspace.backups.glob(f".{NIGHTLY}-*.part"):
        draft.unlink(missing_ok=True)  # of a copy that was killed; nobody else makes them
    snapshot(workspace.database, workspace.backups / snapshot_name(NIGHTLY))
    keep_newest(workspace.backups, NIGHTLY, keep)
    return list_copies(workspace)[0]
