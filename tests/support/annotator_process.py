"""Simulate one annotator: label what is offered, skip, undo and reload at random.

    python tests/support/annotator_process.py DATABASE NAME SEED

Prints a line for each press, before it is made and after it was saved, so that the test that
kills this process knows what it had saved.
"""

import random
import sys
from pathlib import Path

from studio.annotation import annotations
from studio.annotation.leases import offer
from studio.errors import StalePress
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.team.settings import load_settings


def work(path: Path, author: str, draw: random.Random) -> None:
    db = open_store(path)
    names = load_scheme().names
    while (found := offer(db, author=author, settings=load_settings(db))) is not None:
        title, chance = found.title, draw.random()
        press = {"author": author, "seen_revision": title.revision}
        try:
            if chance < 0.05:
                annotations.skip(db, title.id, reason="跳过", **press)
            elif chance < 0.1:
                annotations.undo(db, author=author)
            elif chance < 0.15:
                db.close()  # a reload: another connection, the same person
                db = open_store(path)
            else:
                # Any two people mostly agree.
                category = names[title.id % 10] if chance < 0.95 else draw.choice(names)
                print("press", title.id, category, flush=True)
                annotations.annotate(db, title.id, category=category, active_seconds=1.0, **press)
                print("saved", title.id, category, flush=True)
        except StalePress:
            print("stale", title.id, flush=True)


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2], random.Random(sys.argv[3]))
