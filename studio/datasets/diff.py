"""Diff two dataset versions row by row, and in a sentence.

Reads only the store: a version's rows and the decisions they were frozen from never change.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from studio.datasets.versions import Version
from studio.language import say
from studio.samples.title_text import Split
from studio.store import Store

RowChange = Literal["added", "removed", "relabelled", "chain", "moved"]
CHANGES: tuple[RowChange, ...] = ("added", "removed", "relabelled", "chain", "moved")


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedRow:
    """A title that differs between two versions; what a version lacks is None there.

    `changes` has every way in which it differs. `chain` means that the text changed while
    the category stayed; a relabelled title has another chain as a matter of course.
    """

    title_id: int
    text: str
    changes: tuple[RowChange, ...]
    category_before: str | None
    category_after: str | None
    split_before: Split | None
    split_after: Split | None

    def to_json(self) -> dict[str, Any]:
        """Build an entry of `news-studio dataset diff --json`."""
        return {
            "title_id": self.title_id,
            "title": self.text,
            "changes": list(self.changes),
            "category": [self.category_before, self.category_after],
            "split": [self.split_before, self.split_after],
        }


@dataclass(frozen=True, kw_only=True)
class VersionDiff:
    """The rows that differ, in title order, and how many are the same in every way."""

    before: str
    after: str
    rows: tuple[ChangedRow, ...]
    unchanged: int

    def count(self, change: RowChange) -> int:
        """Count the titles that changed in that way."""
        return sum(change in row.changes for row in self.rows)

    @property
    def per_category(self) -> Mapping[str, Mapping[RowChange, int]]:
        """Changes by the category that a title has now, or had when it was removed."""
        counts: dict[str, Counter[RowChange]] = {}
        for row in self.rows:
            category = row.category_after or row.category_before
            assert category is not None, row
            counts.setdefault(category, Counter()).update(row.changes)
        return counts

    @property
    def sentence(self) -> str:
        """The difference in one sentence."""
        if not self.rows:
            return say(
                f"{self.before} 与 {self.after} 的 {self.unchanged} 行完全相同。",
                f"{self.before} and {self.after} have the same {self.unchanged} rows.",
            )
        parts = [
            _phrase(change, count, self._to_eval(change))
            for change in CHANGES
            if (count := self.count(change))
        ]
        return say(
            f"从 {self.before} 到 {self.after}：{'，'.join(parts)}；{self.unchanged} 行没有变。",
            f"From {self.before} to {self.after}: {', '.join(parts)}; {self.unchanged} rows are the same.",
        )

    def _to_eval(self, change: RowChange) -> int:
        return sum(change in row.changes and row.split_after == "eval" for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Build the document of `news-studio dataset diff --json`."""
        return {
            "a": self.before,
            "b": self.after,
            "sentence": self.sentence,
            "counts": {change: self.count(change) for change in CHANGES},
            "unchanged": self.unchanged,
            "per_category": {name: dict(counts) for name, counts in self.per_category.items()},
            "rows": [row.to_json() for row in self.rows],
        }


def _phrase(change: RowChange, count: int, to_eval: int) -> str:
    match change:
        case "added":
            return say(f"新增 {count} 行", f"{count} rows added")
        case "removed":
            return say(f"移除 {count} 行", f"{count} removed")
        case "relabelled":
            return say(f"改类别 {count} 行", f"{count} relabelled")
        case "chain":
            return say(f"改思维链 {count} 行", f"{count} chains edited")
        case "moved":
            return say(
                f"换划分 {count} 行（{to_eval} 行到评估集，{count - to_eval} 行到训练集）",
                f"{count} moved ({to_eval} to eval, {count - to_eval} to train)",
            )


def diff_versions(db: Store, before: Version, after: Version) -> VersionDiff:
    """Diff two versions, of any names and numbers: the changes that lead from `before` to `after`.

    SQLite compares, so that only the rows that differ are in memory.
    """
    old, new = (_version_id(db, version) for version in (before, after))
    found = db.execute(_DIFFERING, {"old": old, "new": new}).fetchall()
    kept = sum(row[2] is not None and row[3] is not None for row in found)
    common = db.execute(
        "select count(*) from version_rows as one join version_rows as other using (title_id)"
        " where one.version_id = ? and other.version_id = ?",
        [old, new],
    ).fetchone()[0]
    rows = tuple(_changed(*row) for row in found)
    return VersionDiff(before=before.ref, after=after.ref, rows=rows, unchanged=common - kept)


_SIDE = (
    "select version_rows.title_id, version_rows.split, version_rows.category,"
    " coalesce(decisions.chain, '') as chain"
    " from version_rows join decisions on decisions.id = version_rows.decision_id where version_id = :{side}"
)
_DIFFERING = (
    f"with one as ({_SIDE.format(side='old')}), other as ({_SIDE.format(side='new')})"
    " select title_id, titles.text, one.split, other.split, one.category, other.category,"
    " one.chain is not other.chain"
    " from one full join other using (title_id) join titles on titles.id = title_id"
    " where one.split is not other.split or one.category is not other.category"
    " or one.chain is not other.chain order by title_id"
)


def _version_id(db: Store, version: Version) -> int:
    found = db.execute(
        "select id from versions where name = ? and number = ?", [version.name, version.number]
    ).fetchone()
    return int(found[0])


def _changed(
    title_id: int,
    text: str,
    split_before: Split | None,
    split_after: Split | None,
    category_before: str | None,
    category_after: str | None,
    chain_differs: int,
) -> ChangedRow:
    changes: list[RowChange] = []
    if split_before is None or split_after is None:
        changes.append("added" if split_before is None else "removed")
    else:
        if category_before != category_after:
            changes.append("relabelled")
        elif chain_differs:
            changes.append("chain")
        if split_before != split_after:
            changes.append("moved")
    return ChangedRow(
        title_id=title_id,
        text=text,
        changes=tuple(changes),
        category_before=category_before,
        category_after=category_after,
        split_before=split_before,
        split_after=split_after,
    )
