"""Count how many comparisons an evaluation set has served.

Who chooses the best of many on the same titles chooses their luck, too: the more often a set was asked, the
less its answer says about new titles. The record is append-only; looking again at a comparison counts once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from studio.evaluation.entries import Entry
from studio.store import Store, writing

WORN = 20
"""Comparisons after which fresh titles are worth more than another look."""


@dataclass(frozen=True, kw_only=True)
class Wear:
    """How many comparisons a set of rows has served, and between how many evaluations."""

    comparisons: int
    evaluations: int

    @property
    def is_worn(self) -> bool:
        """Whether fresh evaluation titles would say more."""
        return self.comparisons >= WORN


def record_comparison(db: Store, rows_sha256: str, entries: Sequence[Entry], *, author: str) -> None:
    """Record that the first entry was compared with each other one on these rows."""
    pairs = [tuple(sorted((entries[0].key, entry.key))) for entry in entries[1:]]
    known = set(db.execute("select a, b from comparisons where rows_sha256 = ?", [rows_sha256]).fetchall())
    new = [(rows_sha256, *pair, author) for pair in pairs if pair not in known]
    if new:
        with writing(db):
            db.conn.executemany(
                "insert into comparisons (rows_sha256, a, b, author) values (?, ?, ?, ?)"
                " on conflict do nothing",
                new,
            )


def wear_of(db: Store, rows_sha256: str) -> Wear:
    """Count the comparisons that these rows have served."""
    pairs = db.execute("select a, b from comparisons where rows_sha256 = ?", [rows_sha256]).fetchall()
    return Wear(comparisons=len(pairs), evaluations=len({each for pair in pairs for each in pair}))
