"""Find duplicate and near-duplicate titles among checked rows.

Titles are added one at a time and kept as numbers and bytes, about 200 bytes each, so
that a million of them fit beside everything else. Duplicates are reported once all are
added. Knows no file format.
"""

import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from studio.language import say
from studio.samples.problems import Problem, Severity
from studio.samples.scheme import Scheme
from studio.samples.similarity import LARGEST_NEAR_GROUP, connected_groups, key_signatures, pairs_among
from studio.samples.title_text import Split, title_key
from studio.validation.rows import Judged

_SPLITS: tuple[Split | None, ...] = (None, "train", "eval")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Title:
    """What other titles are compared with of a title."""

    file: str
    row: int
    split: Split | None
    category: str | None

    @property
    def location(self) -> str:
        """File and row in words."""
        return say(f"{self.file} 第 {self.row} 行", f"{self.file}, row {self.row}")


class DuplicateFinder:
    """Collects titles by `add`, then reports in `problems` which duplicate each other."""

    def __init__(self, scheme: Scheme) -> None:
        self._categories: list[str | None] = [None, *scheme.names]
        self._numbers = {name: number for number, name in enumerate(self._categories)}
        self._files: list[str] = []
        self._hashes = array("q")
        self._rows = array("Q")
        self._marks = array("Q")
        self._keys = bytearray()
        self._ends = array("Q")

    def add(self, item: Judged) -> None:
        """Add the title of a row; a row without one is skipped."""
        if not item.title:
            return
        row = item.row
        if not self._files or self._files[-1] != row.file:
            self._files.append(row.file)
        key = title_key(item.title)
        self._hashes.append(hash(key))
        self._rows.append(row.row)
        mark = (len(self._files) - 1) * 3 + _SPLITS.index(row.split)
        self._marks.append(mark * len(self._categories) + self._numbers[item.category])
        self._keys += key.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._keys))

    def _title(self, position: int) -> _Title:
        mark, category = divmod(self._marks[position], len(self._categories))
        file, split = divmod(mark, 3)
        return _Title(
            file=self._files[file],
            row=self._rows[position],
            split=_SPLITS[split],
            category=self._categories[category],
        )

    def _key(self, position: int) -> str:
        start = self._ends[position - 1] if position else 0
        return self._keys[start : self._ends[position]].decode("utf-8", "surrogatepass")

    def problems(self, *, near: bool) -> Iterator[tuple[str, int, Problem]]:
        """Stream the problems, each with file and row of its title, in the order in which these were added.

        Args:
            near: whether near duplicates are reported, too.
        """
        hashes = np.frombuffer(self._hashes, dtype=np.int64)
        order = np.argsort(hashes, kind="stable")
        same = hashes[order][1:] == hashes[order][:-1]
        again = np.zeros(len(hashes), dtype=np.bool_)
        again[order[1:][same]] = True
        shared = again.copy()
        shared[order[:-1][same]] = True
        nearest = self._nearest(np.flatnonzero(~again)) if near else {}
        near_positions = np.fromiter(nearest, dtype=np.int64, count=len(nearest))
        earlier: dict[int, dict[Split | None, int]] = {}
        for position in np.union1d(np.flatnonzero(shared), near_positions).tolist():
            title = self._title(position)
            found = []
            if shared[position]:
                first_of = earlier.setdefault(self._hashes[position], {})
                found += self._duplicates(position, title, first_of)
                first_of.setdefault(title.split, position)
            if position in nearest:
                found.append(self._near_problem(position, title, *nearest[position]))
            for problem in found:
                yield title.file, title.row, problem

    def _duplicates(self, position: int, title: _Title, earlier: Mapping[Split | None, int]) -> list[Problem]:
        """Report a title that duplicates an earlier one; `earlier` has its first position in each split."""
        if not earlier:
            return []
        problems = []
        others = [self._title(other) for other in earlier.values()]
        twin = next((other for other in others if other.split == title.split), None)
        if twin is None and None not in (title.split, others[0].split):
            message = say(
                f"标题也在另一个划分里（{others[0].location}），评估结果会虚高。",
                f"The title is also in the other split ({others[0].location}); scores would be inflated.",
            )
            problems.append(self._problem(position, title, "in_both_splits", message))
        else:
            where = (twin or others[0]).location
            message = say(f"与 {where}是同一标题。", f"The same title as {where}.")
            problems.append(self._problem(position, title, "duplicate_title", message))
        for other in others:
            if None not in (title.category, other.category) and title.category != other.category:
                message = say(
                    f"同一标题在 {other.location}是“{other.category}”，这里是“{title.category}”。",
                    f"The same title is “{other.category}” in {other.location} and “{title.category}” here.",
                )
                problems.append(self._problem(position, title, "conflicting_labels", message))
                break
        return problems

    def _nearest(self, positions: NDArray[np.int64]) -> dict[int, tuple[int, float]]:
        """Find the nearest earlier title of each near duplicate, and their similarity in percent.

        `positions` are those of different titles. Large groups follow a pattern and are left out.
        """
        keys = _Keys(self._key, positions)
        left, right, scores = pairs_among(key_signatures(keys), keys.read)
        patterns: set[int] = set()
        for group in connected_groups(len(positions), left, right):
            if len(group) > LARGEST_NEAR_GROUP:
                patterns.update(group)
        nearest: dict[int, tuple[int, float]] = {}
        for one, other, score in zip(left.tolist(), right.tolist(), scores.tolist(), strict=True):
            position = int(positions[other])
            if other not in patterns and score > nearest.get(position, (0, 0.0))[1]:
                nearest[position] = (int(positions[one]), score)
        return nearest

    def _near_problem(self, position: int, title: _Title, other_position: int, score: float) -> Problem:
        other = self._title(other_position)
        where = say(
            f"与 {other.location}（“{self._key(other_position)}”）有 {score:.0f}% 相同",
            f"{score:.0f} % the same as {other.location} (“{self._key(other_position)}”)",
        )
        if None not in (title.split, other.split) and title.split != other.split:
            message = say(
                "{where}，而它在另一个划分里，评估结果会虚高。",
                "{where}, which is in the other split; scores would be inflated.",
                where=where,
            )
            return self._problem(position, title, "near_in_both_splits", message)
        disagree = None not in (title.category, other.category) and title.category != other.category
        if disagree and _digits(self._key(position)) == _digits(self._key(other_position)):
            message = say(
                "{where}，那里是“{category}”，这里是“{category2}”。",
                "{where}; there it is “{category}”, here “{category2}”.",
                where=where,
                category=other.category,
                category2=title.category,
            )
            return self._problem(position, title, "near_conflicting_labels", message)
        return self._problem(position, title, "near_title", say("{where}。", "{where}.", where=where), "hint")

    def _problem(
        self, position: int, title: _Title, code: str, message: str, severity: Severity = "warning"
    ) -> Problem:
        return Problem(
            file=title.file,
            row=title.row,
            code=code,
            severity=severity,
            message=message,
            found=self._key(position),
        )


class _Keys(Sequence[str]):
    """The keys of some titles, decoded on access."""

    def __init__(self, key: Callable[[int], str], positions: NDArray[np.int64]) -> None:
        self._key, self._positions = key, positions

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self._key(position) for position in self._positions[index].tolist()]
        return self._key(int(self._positions[index]))

    def read(self, indices: NDArray[np.int64]) -> Sequence[str]:
        """Decode the keys at some indices, in that order."""
        return [self._key(position) for position in self._positions[indices].tolist()]


def _digits(text: str) -> list[str]:
    """Extract the numbers: 第 3 轮 and 第 4 轮 are two pieces of news, whatever else they share."""
    return re.findall(r"\d+", text)
