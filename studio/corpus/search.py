"""Search titles by text, state, category, person, source and tag, a page at a time; count what is found.

Keyset pagination, so that page 1,000 costs what page 1 costs. What is in the trash is found only where its
status is asked for. Status, category and tag are index lookups. A text, an author, a source or an import
batch is found by scanning, in portions and not longer than `SECONDS`: the page then reports how
far it got. An FTS5 trigram index was tried and dropped: 6.5 s and 78 MiB more at a
million titles, and it cannot find a word of two characters, as most Chinese words are
(`benchmarks/data/team_speed.py --trigram`).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from studio.corpus.titles import Status, Title
from studio.store import Store

PORTION = 100_000
"""Title numbers that are scanned before the time is checked."""

SECONDS = 1.0
PAGE = 50

Order = Literal["oldest", "newest", "changed"]
"""By number, by number backwards, or what changed last first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """The filters of a search, all of which must match; None or empty matches everything.

    `text` is a case-insensitive substring of the title. `author` made the decision that
    counts. `source` is the file or list the title came from, `batch_id` its import batch.
    """

    text: str = ""
    status: Status | None = None
    category: str | None = None
    author: str | None = None
    source: str | None = None
    batch_id: int | None = None
    tag: str | None = None
    has_chain: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A page of titles in the order asked for.

    `after` is the cursor of the next page; None when there is none. `read_to` is the number
    up to which titles were scanned, set only when time ran out before the page was full.
    """

    titles: Sequence[Title]
    after: int | None
    read_to: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """How many titles match; `is_whole` is False where time ran out before all were looked at."""

    titles: int
    is_whole: bool


def search(
    db: Store,
    query: Query,
    *,
    after: int = 0,
    limit: int = PAGE,
    order: Order = "oldest",
    seconds: float = SECONDS,
    portion: int = PORTION,
) -> Found:
    """Find the next titles behind the cursor `after` that match the query; 0 is before the first page."""
    if order == "changed":
        return _last_changed(db, query, after, limit)
    last = _last_number(db)
    backwards = order == "newest"
    began, ids = time.monotonic(), list[int]()
    start = after or (last + 1 if backwards else 0)
    while (start > 1 if backwards else start < last) and len(ids) <= limit:
        end = max(0, start - portion) if backwards else start + portion
        bounds = (end - 1, start - 1) if backwards else (start, end)
        ids += _portion(db, query, *bounds, limit + 1 - len(ids), backwards=backwards)
        start = end
        if time.monotonic() - began > seconds:
            break
    cut_short = len(ids) <= limit and (start > 1 if backwards else start < last)
    shown = ids[:limit]
    more = shown[-1] if len(ids) > limit else start if cut_short else None
    return Found(titles=_titles(db, shown), after=more, read_to=start if cut_short else None)


def count_found(db: Store, query: Query, *, seconds: float = SECONDS, portion: int = PORTION) -> Count:
    """Count the titles that match the query, as far as the time allows."""
    began, last, start, titles = time.monotonic(), _last_number(db), 0, 0
    conditions, values = _conditions(query)
    while start < last:
        titles += db.execute(
            f"select count(*) from ({_from(query)} where states.title_id > :start and states.title_id <= :end"
            f" {conditions})",
            {**values, "start": start, "end": start + portion},
        ).fetchone()[0]
        start += portion
        if time.monotonic() - began > seconds:
            break
    return Count(titles=titles, is_whole=start >= last)


def find_revisions(db: Store, query: Query, *, limit: int) -> dict[int, int]:
    """Find the titles that match the query, each with its revision, for an edit of all; at most `limit`."""
    conditions, values = _conditions(query)
    rows = db.execute(
        f"{_from(query, 'states.title_id, states.revision')} where states.title_id > :start {conditions}"
        " order by states.title_id limit :limit",
        {**values, "start": 0, "limit": limit},
    )
    return dict(rows.fetchall())


def _last_number(db: Store) -> int:
    return int(db.execute("select coalesce(max(title_id), 0) from states").fetchone()[0])


def _portion(
    db: Store, query: Query, start: int, end: int, limit: int, *, backwards: bool = False
) -> list[int]:
    conditions, values = _conditions(query)
    rows = db.execute(
        f"{_from(query)} where states.title_id > :start and states.title_id <= :end {conditions}"
        f" order by states.title_id {'desc' if backwards else ''} limit :limit",
        {**values, "start": start, "end": end, "limit": limit},
    )
    return [title_id for (title_id,) in rows.fetchall()]


def _last_changed(db: Store, query: Query, after: int, limit: int) -> Found:
    """Find by the last decision backwards: all that match are sorted, since no index has them so."""
    conditions, values = _conditions(query)
    rows = db.execute(
        f"{_from(query, 'states.title_id, states.revision')}"
        f" where states.title_id > :start and (:after = 0 or states.revision < :after) {conditions}"
        " order by states.revision desc limit :limit",
        {**values, "start": 0, "after": after, "limit": limit + 1},
    ).fetchall()
    more = rows[limit - 1][1] if len(rows) > limit else None
    return Found(titles=_titles(db, [title_id for title_id, _ in rows[:limit]]), after=more, read_to=None)


def _from(query: Query, columns: str = "states.title_id") -> str:
    """Join the tables that the query needs, the cheapest first; a cross join keeps that order."""
    source = f"select {columns} from states"
    if query.tag:
        source = (
            f"select {columns} from title_tags cross join states on states.title_id = title_tags.title_id"
        )
    if query.text or query.source or query.batch_id is not None:
        source += " cross join titles on titles.id = states.title_id"
    if query.author:
        source += " cross join decisions on decisions.id = states.decision_id"
    return source


def _conditions(query: Query) -> tuple[str, dict[str, Any]]:
    parts: dict[str, tuple[str, Any]] = {
        "tag": ("title_tags.tag = :tag and title_tags.title_id > :start", query.tag),
        "status": ("states.status = :status", query.status),
        "category": ("states.category = :category", query.category),
        "author": ("decisions.author = :author", query.author),
        "source": ("titles.source = :source", query.source),
        "batch_id": ("titles.batch_id = :batch_id", query.batch_id),
        "has_chain": ("states.has_chain = :has_chain", query.has_chain),
        "text": ("instr(lower(titles.text), lower(:text)) > 0", query.text),
    }
    wanted = {name: part for name, part in parts.items() if part[1] not in (None, "")}
    conditions = [condition for condition, _ in wanted.values()]
    if query.category is not None and query.status is None:
        conditions.append("states.status = 'decided'")  # no other has a category
    elif query.status is None:
        conditions.append("states.status <> 'trashed'")
    if query.status not in (None, "decided"):
        conditions.append("states.category is null")  # so that the index on both holds the numbers in order
    return "".join(f" and {each}" for each in conditions), {
        name: value for name, (_, value) in wanted.items()
    }


def _titles(db: Store, title_ids: Sequence[int]) -> list[Title]:
    return [
        Title(**row)
        for title_id in title_ids
        for row in db.query("select * from current_titles where id = ?", [title_id])
    ]


def list_sources(db: Store, limit: int = 200) -> list[str]:
    """List the sources of titles, the latest import batch first."""
    rows = db.execute(
        "select source, max(id) from batches group by source order by max(id) desc limit ?", [limit]
    )
    return [source for source, _ in rows.fetchall()]


def list_import_batches(db: Store, limit: int = 200) -> list[tuple[int, str, str]]:
    """List the latest import batches: id, source, time."""
    return db.execute(
        "select id, source, imported_at from batches order by id desc limit ?", [limit]
    ).fetchall()
