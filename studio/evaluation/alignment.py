"""Join evaluations by title, and find the near-duplicate groups of their titles.

Evaluations of the same rows join row by row; others on the titles that all of them share. A title whose
label differs between them is no shared row: its answers were held against different truths.
Pure: this module knows no run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import numpy as np

from studio.evaluation.paired import Integers
from studio.evaluation.predictions import AnswerColumns
from studio.samples.similarity import LARGEST_NEAR_GROUP, group_near
from studio.samples.title_text import title_key

SHOWN = 3
"""Titles that are named of those that differ."""


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """How the rows of several evaluations differ: numbers, and the first titles of each kind."""

    missing: tuple[int, ...]
    """For each evaluation, how many titles of the others it lacks."""
    relabelled: int
    """Titles that all have, with different labels."""
    common: int
    examples: tuple[str, ...]

    @property
    def is_none(self) -> bool:
        """Whether all have the same rows and labels."""
        return not self.relabelled and not any(self.missing)


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """The answers of several evaluations to the rows that they share.

    `said` has an array for each evaluation, and `positions` where its rows are in its own columns.
    """

    categories: tuple[str, ...]
    titles: list[str]
    label: Integers
    said: tuple[Integers, ...]
    positions: tuple[Integers, ...]
    mismatch: Mismatch

    def __len__(self) -> int:
        return len(self.titles)


def align(evaluations: Sequence[AnswerColumns]) -> Aligned:
    """Join evaluations on the rows that all of them share, in the order of the first."""
    categories = tuple(dict.fromkeys(name for each in evaluations for name in each.categories))
    labels = [_translated(each.label, each, categories) for each in evaluations]
    said = [_translated(each.predicted, each, categories) for each in evaluations]
    first = evaluations[0]
    if all(
        each.titles == first.titles and np.array_equal(label, labels[0])
        for each, label in zip(evaluations[1:], labels[1:], strict=True)
    ):
        positions: list[Integers] = [np.arange(len(first))] * len(evaluations)
        mismatch = Mismatch(missing=(0,) * len(evaluations), relabelled=0, common=len(first), examples=())
    else:
        positions, mismatch = _shared(evaluations, labels, categories)
    chosen = positions[0]
    return Aligned(
        categories=categories,
        titles=first.titles if mismatch.is_none else [first.titles[each] for each in chosen.tolist()],
        label=labels[0][chosen],
        said=tuple(column[where] for column, where in zip(said, positions, strict=True)),
        positions=tuple(positions),
        mismatch=mismatch,
    )


def _translated(codes: Integers, columns: AnswerColumns, categories: Sequence[str]) -> Integers:
    """Translate positions in an evaluation's own categories to positions in those of all."""
    place = {name: position for position, name in enumerate(categories)}
    table = np.array([*(place[name] for name in columns.categories), len(categories)], dtype=np.int16)
    return np.asarray(table[codes])


def _shared(
    evaluations: Sequence[AnswerColumns], labels: Sequence[Integers], categories: Sequence[str]
) -> tuple[list[Integers], Mismatch]:
    """Find the rows that all share, by the key of their title and its number among equal ones."""
    places = [_places(each.titles) for each in evaluations]
    everywhere = set.intersection(*(set(place) for place in places))
    anywhere = set.union(*(set(place) for place in places))
    ordered = [name for name in places[0] if name in everywhere]
    positions = [np.array([place[name] for name in ordered], dtype=np.int64) for place in places]
    agreed = np.ones(len(ordered), dtype=np.bool_)
    for label, where in zip(labels, positions, strict=True):
        agreed &= label[where] == labels[0][positions[0]]
    strangers = [
        columns.titles[position]
        for columns, place in zip(evaluations, places, strict=True)
        for name, position in list(place.items())
        if name not in everywhere
    ]
    moved = [evaluations[0].titles[each] for each in positions[0][~agreed][:SHOWN].tolist()]
    return [where[agreed] for where in positions], Mismatch(
        missing=tuple(len(anywhere) - len(place) for place in places),
        relabelled=int((~agreed).sum()),
        common=int(agreed.sum()),
        examples=tuple(dict.fromkeys([*strangers[:SHOWN], *moved])),
    )


def _places(titles: Sequence[str]) -> dict[tuple[str, int], int]:
    """Map each title, by its key and its number among equal ones, to its position."""
    seen: dict[str, int] = {}
    found = {}
    for position, title in enumerate(titles):
        key = title_key(title)
        number = seen[key] = seen.get(key, -1) + 1
        found[key, number] = position
    return found


class _Titles:
    """Titles as a key of the cache: equal where their hash is."""

    def __init__(self, titles: Sequence[str]) -> None:
        self.titles = titles
        self.hash = sha256("\n".join(titles).encode("utf-8", "surrogatepass")).digest()

    def __hash__(self) -> int:
        return hash(self.hash)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Titles) and self.hash == other.hash


def near_groups(titles: Sequence[str]) -> Integers:
    """Assign titles to near-duplicate groups, numbered from 0; one without a near duplicate is a group alone.

    A larger group than LARGEST_NEAR_GROUP is a pattern, not a story: its titles count one by one.
    """
    return _near_groups(_Titles(titles))


@lru_cache(maxsize=4)
def _near_groups(titles: _Titles) -> Integers:
    group = np.arange(len(titles.titles))
    for members in group_near(titles.titles):
        if len(members) <= LARGEST_NEAR_GROUP:
            group[members] = members[0]
    _, numbered = np.unique(group, return_inverse=True)
    titles.titles = ()  # the cache keeps the hash alone
    return np.asarray(numbered)
