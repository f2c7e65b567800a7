"""A workspace as version 0.1.0 left it, unpacked; old_workspace/make.py made it with that version's code."""

import json
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

from studio.workspace import BUNDLED_DATASET

ARCHIVE = Path(__file__).with_name("old_workspace") / "workspace.tar.xz"


def unpack(home: Path) -> list[str]:
    """Write the old workspace into a folder, its database of the old schema; return what people typed in it."""
    home.mkdir(parents=True, exist_ok=True)
    typed: list[str] = []
    with tarfile.open(ARCHIVE) as packed:
        for entry in packed:
            text = packed.extractfile(entry).read().decode("utf-8", "surrogateescape")
            text = text.replace("@HOME@", str(home)).replace("@DATA@", str(BUNDLED_DATASET.parent))
            if entry.name == "studio.sql":
                with closing(sqlite3.connect(home / "studio.db")) as db:
                    db.executescript(text)
            elif entry.name == "typed.json":
                typed = json.loads(text)
            else:
                path = home / entry.name.removeprefix("home/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return typed
