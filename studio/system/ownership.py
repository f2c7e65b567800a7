"""Tell a process whether whoever it works for still lives, so that nothing we start outlives us.

    owner's side    `owner_environment(home)` for the child: the lock file of `up`, or one of this process
    child's side    `watch_owner(end)` calls `end` once nobody holds that lock any more

A lock goes with its process however that ends, SIGKILL included. A process id could be another's by then.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from studio.system.locks import is_locked, take_lock

OWNER_VARIABLE = "NEWS_STUDIO_OWNER"
"""A child's variable: the lock file that its owner holds."""
UP_LOCK = "up.lock"
"""Held while a workspace has a web app, by `up` and the web app: whatever serves the pages ends with them."""

_LOOK_SECONDS = 0.5
_held: dict[Path, IO[str]] = {}


def owner_environment(home: Path, *, alone: bool = False) -> Mapping[str, str]:
    """Name, for a child, the lock whose release ends it.

    Args:
        home: the workspace.
        alone: it belongs to this process, whether the workspace has a web app or not.
    """
    up = home / UP_LOCK
    lock = up if not alone and is_locked(up) else _own_lock(home)
    return {OWNER_VARIABLE: str(lock)} if lock else {}


def _own_lock(home: Path) -> Path | None:
    """Hold a lock of this process, for as long as it lives; None where nothing can be written."""
    folder = home / "owners"
    path = folder / f"{os.getpid()}.lock"
    if path in _held and path.exists():
        return path
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.lock"):
            if not is_locked(old):
                old.unlink(missing_ok=True)
        opened = path.open("w")
        if take_lock(opened):
            _held[path] = opened
            return path
    return None


def is_orphan() -> bool:
    """Return whether this process has an owner and that one is gone."""
    lock = os.environ.get(OWNER_VARIABLE)
    return bool(lock) and not is_locked(Path(lock or ""))


def watch_owner(end: Callable[[], object], *, grace_seconds: float = 5.0) -> None:
    """Call `end` in the background once the owner is gone, and leave by force if that does not help."""
    if OWNER_VARIABLE not in os.environ:
        return

    def watch() -> None:
        gone = threading.Event()
        while not is_orphan():
            gone.wait(_LOOK_SECONDS)
        end()
        gone.wait(grace_seconds)
        os._exit(1)

    threading.Thread(target=watch, name="owner", daemon=True).start()
