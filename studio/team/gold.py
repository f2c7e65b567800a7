"""Manage gold titles, and measure each person's accuracy on them.

They are offered among the others without being marked (`studio.annotation.leases`). The
reviewer who marks a title as gold vouches for its category; once it is removed from the
list, its answers no longer count.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from studio.stats import wilson_interval
from studio.store import Store, writing
from studio.system.csv_export import csv_bytes
from studio.team.rights import require_right


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldTitle:
    """A gold title; `answers` people labelled it, `right` of them with its category."""

    title_id: int
    text: str
    category: str
    author: str
    at: str
    answers: int
    right: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    """Accuracy of `n` answers, `right` of them correct, with the 95 % Wilson interval."""

    n: int
    right: int

    @property
    def rate(self) -> float:
        """Share of correct answers, 0 to 1; 0 without answers."""
        return self.right / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the rate."""
        return wilson_interval(self.right, self.n)


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonAccuracy:
    """One person's accuracy on gold titles, overall and by the titles' category."""

    name: str
    overall: Accuracy
    per_category: dict[str, Accuracy]


def mark_gold(db: Store, title_ids: Iterable[int], *, author: str) -> int:
    """Mark decided titles as gold with their current category; returns how many were not gold before.

    Titles that are not decided are skipped. The category of one that is gold already is updated.

    Raises:
        NotAllowed: the author is no reviewer.
    """
    require_right("mark_gold", db, author)
    marked = 0
    with writing(db):
        for title_id in dict.fromkeys(title_ids):
            known = db.execute("select 1 from gold_titles where title_id = ?", [title_id]).fetchone()
            written = db.execute(
                "insert into gold_titles (title_id, category, author)"
                " select title_id, category, ? from states where title_id = ? and status = 'decided'"
                " on conflict (title_id) do update set category = excluded.category",
                [author, title_id],
            ).rowcount
            marked += written > 0 and known is None
    return marked


def unmark_gold(db: Store, title_ids: Iterable[int], *, author: str) -> None:
    """Remove titles from the gold list; their answers no longer count.

    Raises:
        NotAllowed: the author is no reviewer.
    """
    require_right("mark_gold", db, author)
    with writing(db):
        db.conn.executemany("delete from gold_titles where title_id = ?", [(each,) for each in title_ids])


_LATEST = """select title_id, author, category from annotations as answer where is_gold and kind = 'category'
    and not exists (select 1 from retractions where annotation_id = answer.id)
    and title_id in (select title_id from gold_titles)
    and id = (select max(id) from annotations as later where is_gold and later.title_id = answer.title_id
              and later.author = answer.author and later.kind = 'category'
              and not exists (select 1 from retractions where annotation_id = later.id))"""


def list_gold(db: Store, limit: int = 200) -> list[GoldTitle]:
    """List the gold titles, the latest entry first."""
    rows = db.query(
        f"with latest as materialized ({_LATEST})"
        " select gold.title_id, text, gold.category, gold.author, gold.at,"
        " (select count(*) from latest where latest.title_id = gold.title_id) as answers,"
        " (select count(*) from latest"
        "   where latest.title_id = gold.title_id and latest.category = gold.category) as right"
        " from gold_titles as gold join titles on titles.id = gold.title_id"
        " order by gold.at desc, gold.title_id limit ?",
        [limit],
    )
    return [GoldTitle(**row) for row in rows]


def count_gold(db: Store) -> int:
    """Count the gold titles."""
    return int(db.execute("select count(*) from gold_titles").fetchone()[0])


def accuracies(db: Store) -> Sequence[PersonAccuracy]:
    """Measure the accuracy of everybody who labelled a gold title, by name; the latest answers count."""
    rows = db.execute(
        "select latest.author, gold.category, count(*), sum(latest.category = gold.category)"
        f" from ({_LATEST}) as latest join gold_titles as gold on gold.title_id = latest.title_id"
        " group by latest.author, gold.category order by latest.author, gold.category"
    )
    found: dict[str, dict[str, Accuracy]] = {}
    for name, category, n, right in rows.fetchall():
        found.setdefault(name, {})[category] = Accuracy(n=n, right=right)
    return [
        PersonAccuracy(
            name=name,
            overall=Accuracy(
                n=sum(each.n for each in parts.values()), right=sum(each.right for each in parts.values())
            ),
            per_category=parts,
        )
        for name, parts in found.items()
    ]


def among(db: Store, title_ids: Sequence[int]) -> set[int]:
    """Select those of these titles that are gold."""
    rows = db.execute(
        "select title_id from gold_titles where title_id in (select value from json_each(?))",
        [json.dumps(list(title_ids))],
    )
    return {title_id for (title_id,) in rows.fetchall()}


def to_rows(found: Iterable[PersonAccuracy]) -> list[dict[str, Any]]:
    """Build the rows of the exports: for each person one overall and one for each category they met."""
    return [
        {
            "name": each.name,
            "category": category,
            "n": part.n,
            "right": part.right,
            "accuracy": part.rate,
            "accuracy_low": part.interval[0],
            "accuracy_high": part.interval[1],
        }
        for each in found
        for category, part in {"": each.overall, **each.per_category}.items()
    ]


def to_json(found: Iterable[PersonAccuracy]) -> bytes:
    """Export as JSON, for programs."""
    return json.dumps(to_rows(found), ensure_ascii=False, indent=2).encode()


def to_csv(found: Iterable[PersonAccuracy]) -> bytes:
    """Export as CSV, for spreadsheets."""
    rows = to_rows(found)
    return csv_bytes(list(rows[0]) if rows else [], [list(row.values()) for row in rows])
