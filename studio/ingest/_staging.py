"""Stage rows in portions that nobody sees until all of them are there.

A title without a decision has no state, so no queue, list or count knows it. An import
that breaks off while its rows are put down is taken away again; one whose rows are all
there is brought to its end, by whoever comes next. One import runs at a time; labelling
goes on beside it, since no portion holds the database for longer than a fraction of a second.
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypedDict

from studio.errors import WorkspaceBusy
from studio.formats.dates import read_date
from studio.ingest._merging import AUTHOR, RowAnswer, row_answer
from studio.language import say
from studio.messages import message, shown, stored
from studio.samples.scheme import Scheme
from studio.samples.title_text import Split, title_key
from studio.store import Store, writing
from studio.system.locks import take_lock
from studio.validation.rows import Judged

PORTION = 5000
"""Rows that are written under one lock; about a quarter of a second on a slow machine."""

PATIENCE_SECONDS = 20.0
"""How long an import waits for another; most are over by then."""


class Refusal(TypedDict):
    """A row that did not come in, and why."""

    file: str
    row: int
    reason: str


def refusal_shown(refusal: Refusal) -> Refusal:
    """Render a refusal for its reader: file and reason are stored as codes where they are ours."""
    return Refusal(
        file=shown(refusal["file"]) or "", row=refusal["row"], reason=shown(refusal["reason"]) or ""
    )


@dataclass(kw_only=True, slots=True)
class Staged:
    """What putting rows down did. `undated` counts dates that could not be read."""

    rows: int = 0
    added: int = 0
    undated: int = 0
    refused: list[Refusal] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class _Incoming:
    """One title of a portion: its rows, and its place in the store."""

    text: str
    key: str
    source: str | None
    published_at: str | None
    rows: list[tuple[str, int, Split | None, RowAnswer]] = field(default_factory=list)
    title_id: int = 0


@contextmanager
def only_importer(db: Store, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Be the one import of this workspace, in all processes, for the time of the block.

    Raises:
        WorkspaceBusy: another import still runs after that patience.
    """
    database = Path(next(row[2] for row in db.execute("pragma database_list") if row[1] == "main"))
    with database.with_name(f"{database.name}-import").open("a") as lock:
        deadline = time.monotonic() + patience_seconds
        while not take_lock(lock):
            if time.monotonic() > deadline:
                raise WorkspaceBusy(
                    say("另一个导入正在进行。", "Another import is running."),
                    remedy=say(
                        "请等它结束后再导入；这次什么也没有改变。",
                        "Wait until it has finished, then import again; nothing was changed.",
                    ),
                )
            time.sleep(0.05)
        yield


def open_import_batch(db: Store, source: str, author: str = AUTHOR) -> int:
    """Begin an import, and return the number of its batch."""
    with writing(db):
        batch_id = db.execute(
            "insert into batches (source, author) values (?, ?)", [source, author]
        ).lastrowid
        db.execute("insert into imports (batch_id, state) values (?, 'open')", [batch_id])
    assert batch_id is not None
    return batch_id


def stage(db: Store, judged: Iterable[Judged], scheme: Scheme, *, source: str, batch_id: int) -> Staged:
    """Put every row down, and mark the batch as complete.

    Raises:
        UnreadableFile: the rows could not be read to their end; call `discard_staged`.
    """
    staged = Staged()
    remaining = iter(judged)
    while portion := list(islice(remaining, PORTION)):
        staged.rows += len(portion)
        refused = [_refusal(item) for item in portion if not item.title]
        staged.refused += refused
        incoming = _group([item for item in portion if item.title], scheme, staged)
        with writing(db):
            staged.added += _put_down(db, incoming, source, batch_id)
            db.conn.executemany(
                "insert into refused_rows (batch_id, file, row, reason) values (?, ?, ?, ?)",
                [(batch_id, refusal["file"], refusal["row"], refusal["reason"]) for refusal in refused],
            )
    with writing(db):
        db.execute(
            "update imports set state = 'staged', rows = ?, added = ?, refused = ? where batch_id = ?",
            [staged.rows, staged.added, len(staged.refused), batch_id],
        )
    return staged


def _refusal(item: Judged) -> Refusal:
    reasons = [problem.reason for problem in item.errors if problem.reason] or [message("title_missing")]
    return Refusal(file=item.row.file, row=item.row.row, reason=stored(*reasons))


def _group(judged: Iterable[Judged], scheme: Scheme, staged: Staged) -> list[_Incoming]:
    """One entry a title, in the order of first rows."""
    by_key: dict[str, _Incoming] = {}
    for item in judged:
        row, key = item.row, title_key(item.title)
        entry = by_key.get(key)
        if entry is None:
            published_at = read_date(row.date) if row.date else None
            staged.undated += bool(row.date) and published_at is None
            entry = by_key[key] = _Incoming(
                text=item.title, key=key, source=row.source, published_at=published_at
            )
        entry.rows.append((row.file, row.row, row.split, row_answer(item, scheme)))
    return list(by_key.values())


def _put_down(db: Store, incoming: Sequence[_Incoming], source: str, batch_id: int) -> int:
    """Write one portion; returns how many titles the store did not have."""
    by_key = {item.key: item for item in incoming}
    found = db.execute(
        "select id, key from titles where key in (select value from json_each(?))",
        [json.dumps(list(by_key))],
    )
    for title_id, key in found.fetchall():
        by_key[key].title_id = title_id
    fresh = [item for item in incoming if item.title_id == 0]
    # Ids are handed out here: nobody else can write now, and executemany returns none.
    first_id = db.execute("select coalesce(max(id), 0) + 1 from titles").fetchone()[0]
    for title_id, item in enumerate(fresh, start=first_id):
        item.title_id = title_id
    db.conn.executemany(
        "insert into titles (id, text, key, source, published_at, batch_id) values (?, ?, ?, ?, ?, ?)",
        [
            (item.title_id, item.text, item.key, item.source or source, item.published_at, batch_id)
            for item in fresh
        ],
    )
    _insert_rows(db, incoming, batch_id)
    return len(fresh)


def _insert_rows(db: Store, incoming: Iterable[_Incoming], batch_id: int) -> None:
    values = (
        (batch_id, item.title_id, file, row, split, answer.label, answer.means, answer.category, answer.chain,
         answer.note, answer.proposal)
        for item in incoming
        for file, row, split, answer in item.rows
    )  # fmt: skip
    db.conn.executemany(
        "insert into imported_rows"
        " (batch_id, title_id, file, row, split, label, means, category, chain, note, proposal)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )


def titles_of_batch(db: Store, batch_id: int) -> Iterator[list[int]]:
    """Yield the titles that an import has rows for, a portion at a time."""
    last = 0
    while portion := db.execute(
        "select distinct title_id from imported_rows where batch_id = ? and title_id > ?"
        " order by title_id limit ?",
        [batch_id, last, PORTION],
    ).fetchall():
        last = portion[-1][0]
        yield [title_id for (title_id,) in portion]


def discard_staged(db: Store, batch_id: int) -> None:
    """Take away what an open import has put down; the batch stays in the list, as cancelled.

    A title that somebody has reported meanwhile, or that another import names, stays.
    """
    # SQLite would search every table that names titles for each one that goes. None does: what has no
    # state has no decision, annotation or lease, and its rows go with it.
    db.execute("pragma foreign_keys = off")
    try:
        for title_ids in titles_of_batch(db, batch_id):
            _take_away(db, batch_id, json.dumps(title_ids))
    finally:
        db.execute("pragma foreign_keys = on")
    with writing(db):
        db.execute("delete from refused_rows where batch_id = ?", [batch_id])
        db.execute("update imports set state = 'cancelled' where batch_id = ?", [batch_id])


def _take_away(db: Store, batch_id: int, ids: str) -> None:
    portion = "(select value from json_each(?))"
    with writing(db):
        db.execute(f"delete from imported_rows where batch_id = ? and title_id in {portion}", [batch_id, ids])
        db.execute(
            f"delete from titles where id in {portion} and batch_id = ?"
            " and not exists (select 1 from states where title_id = titles.id)"
            " and not exists (select 1 from imported_rows where title_id = titles.id)",
            [ids, batch_id],
        )
