"""What changed from one dataset version to another, row by row and in a sentence.

Reads only the store: a version's rows and the decisions they were frozen from never change.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from studio.language import say
from studio.store import Store
from studio.titles import Split
from studio.versions import Version

Change = Literal["added", "removed", "relabelled", "chain", "moved"]
CHANGES: tuple[Change, ...] = ("added", "removed", "relabelled", "chain", "moved")


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedRow:
    """A title that differs between two versions; what a version lacks is None there.

    `changes` has every way in which it differs. `chain` means that the text changed while
    the category stayed; a relabelled title has another chain as a matter of course.
    """

    title_id: int
    text: str
    changes: tuple[Change, ...]
    category_before: str | None
    category_after: str | None
    split_before: Split | None
    split_after: Split | None

    def to_json(self) -> dict[str, Any]:
        """An entry of `news-studio dataset diff --json`."""
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

    def count(self, change: Change) -> int:
        """How many titles changed in that way."""
        return sum(change in row.changes for row in self.rows)

    @property
    def per_category(self) -> Mapping[str, Mapping[Change, int]]:
        """Changes by the category that a title has now, or had when it was removed."""
        counts: dict[str, Counter[Change]] = {}
        for row in self.rows:
            category = row.category_after or row.category_before
            assert category is not None, row
            counts.setdefault(category, Counter()).update(row.changes)
        return counts

    @property
    def sentence(self) -> str:
        """The difference as a person says it."""
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

    def _to_eval(self, change: Change) -> int:
        return sum(change in row.changes and row.split_after == "eval" for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """The document of `news-studio dataset diff --json`."""
        return {
            "a": self.before,
            "b": self.after,
            "sentence": self.sentence,
            "counts": {change: self.count(change) for change in CHANGES},
            "unchanged": self.unchanged,
            "per_category": {name: dict(counts) for name, counts in self.per_category.items()},
            "rows": [row.to_json() for row in self.rows],
        }


def _phrase(change: Change, count: int, to_eval: int) -> str:
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
                f"换边 {count} 行（{to_eval} 行到评估集，{count - to_eval} 行到训练集）",
                f"{count} moved ({to_eval} to eval, {count - to_eval} to train)",
            )


def diff_versions(db: Store, before: Version, after: Version) -> VersionDiff:
    """What one has to do to `before` to get `after`; of any two names and numbers."""
    old, new = _rows(db, before), _rows(db, after)
    changed = []
    for title_id in sorted(old.keys() | new.keys()):
        row = _compare(title_id, old.get(title_id), new.get(title_id))
        if row is not None:
            changed.append(row)
    unchanged = len(old.keys() | new.keys()) - len(changed)
    texts = _texts(db, before, after) if changed else {}
    named = tuple(ChangedRow(text=texts[row["title_id"]], **row) for row in changed)
    return VersionDiff(before=before.ref, after=after.ref, rows=named, unchanged=unchanged)


_Frozen = tuple[Split, str, str]
"""Split, category and chain of a row."""


def _compare(title_id: int, old: _Frozen | None, new: _Frozen | None) -> dict[str, Any] | None:
    changes: list[Change] = []
    if old is None:
        changes.append("added")
    elif new is None:
        changes.append("removed")
    else:
        if old[1] != new[1]:
            changes.append("relabelled")
        elif old[2] != new[2]:
            changes.append("chain")
        if old[0] != new[0]:
            changes.append("moved")
    if not changes:
        return None
    return {
        "title_id": title_id,
        "changes": tuple(changes),
        "category_before": old and old[1],
        "category_after": new and new[1],
        "split_before": old and old[0],
        "split_after": new and new[0],
    }


_OF_VERSION = "version_id = (select id from versions where name = ? and number = ?)"


def _rows(db: Store, version: Version) -> dict[int, _Frozen]:
    rows = db.execute(
        "select version_rows.title_id, version_rows.split, version_rows.category, coalesce(decisions.chain, '')"
        " from version_rows join decisions on decisions.id = version_rows.decision_id"
        f" where {_OF_VERSION}",
        [version.name, version.number],
    )
    return {title_id: (split, category, chain) for title_id, split, category, chain in rows.fetchall()}


def _texts(db: Store, *versions: Version) -> dict[int, str]:
    texts: dict[int, str] = {}
    for version in versions:
        texts.update(
            db.execute(
                "select titles.id, titles.text from version_rows join titles on titles.id = title_id"
                f" where {_OF_VERSION}",
                [version.name, version.number],
            ).fetchall()
        )
    return texts
