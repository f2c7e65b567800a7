"""Append entries to a hash-chained ledger, read them, and verify the chain.

Each entry's hash covers the hash before it: who changes one, past the triggers that refuse it, has to
change all that follow. What stands after the last entry that was kept elsewhere could still be cut off.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from studio.contract import Frozen
from studio.store import Store, writing

Kind = Literal["gate_saved", "sealed_opened", "candidate_judged", "released", "put_in_force"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerEntry:
    """One entry: what happened (`body`, JSON), who did it, and when (UTC)."""

    id: int
    kind: Kind
    body: str
    author: str
    at: datetime
    sha256: str


def append(db: Store, kind: Kind, body: Frozen, *, author: str) -> LedgerEntry:
    """Append an entry; its hash covers the entry before it."""
    with writing(db):
        number, previous = db.execute(
            "select id, sha256 from ledger order by id desc limit 1"
        ).fetchone() or (
            0,
            "",
        )
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        text = body.model_dump_json()
        sha256 = _hash(number + 1, kind, text, author, at, previous)
        db.execute(
            "insert into ledger (id, kind, body, author, at, sha256) values (?, ?, ?, ?, ?, ?)",
            [number + 1, kind, text, author, at, sha256],
        )
    return _entry((number + 1, kind, text, author, at, sha256))


def read(db: Store, *kinds: Kind) -> list[LedgerEntry]:
    """Read the entries of these kinds, the oldest first."""
    marks = ", ".join("?" * len(kinds))
    rows = db.execute(
        f"select id, kind, body, author, at, sha256 from ledger where kind in ({marks}) order by id",
        list(kinds),
    )
    return [_entry(row) for row in rows.fetchall()]


def first_broken(db: Store) -> int | None:
    """Verify the chain; return the id of the first entry that is not what was written, None if all are."""
    previous, expected = "", 1
    for number, kind, body, author, at, sha256 in _rows(db):
        if number != expected or sha256 != _hash(number, kind, body, author, at, previous):
            return expected
        previous, expected = sha256, expected + 1
    return None


def _rows(db: Store) -> Iterator[tuple[int, str, str, str, str, str]]:
    yield from db.execute("select id, kind, body, author, at, sha256 from ledger order by id").fetchall()


def _hash(number: int, kind: str, body: str, author: str, at: str, previous: str) -> str:
    written = json.dumps([number, kind, body, author, at, previous], ensure_ascii=False)
    return hashlib.sha256(written.encode()).hexdigest()


def _entry(row: tuple[int, Kind, str, str, str, str]) -> LedgerEntry:
    number, kind, body, author, at, sha256 = row
    return LedgerEntry(
        id=number, kind=kind, body=body, author=author, at=datetime.fromisoformat(at), sha256=sha256
    )
