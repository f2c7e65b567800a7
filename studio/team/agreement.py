"""Compute inter-annotator agreement: percent, Cohen's and Fleiss' kappa, with intervals. Pure; knows no store.

Titles are drawn anew for the intervals (bootstrap, seeded). All that is drawn is how
often each *kind* of title occurs, where a kind is which answers it got: so a draw costs
the same at a hundred and at a million titles. numpy alone, since the web process has no
room for more; tests hold the numbers against scikit-learn and statsmodels.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kappa = Literal["cohen", "fleiss"]

DRAWS = 1000
SEED = 42
PORTION = 1 << 20
"""Numbers drawn at a time: eight MiB."""

DAYS_SHOWN_SINGLY = 21
"""Up to this span of days agreement is shown by day, beyond by week."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedTitle:
    """A title that several people answered about the same decision, blind to each other.

    `answers` are (person, category), one a person; `at` is when the last was given (ISO 8601, UTC).
    """

    title_id: int
    answers: Sequence[tuple[str, str]]
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """Agreement of some titles, 0 to 1; kappa is what is left of it beyond chance.

    Intervals hold 95 % of the draws. Kappa is None where it is not defined: everybody
    always said the same category.
    """

    n: int
    percent: float
    percent_interval: tuple[float, float]
    kappa: float | None
    kappa_interval: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryPair:
    """Two categories and how often people said one and the other of the same title."""

    one: str
    other: str
    confused: int
    measure: Measure


@dataclass(frozen=True, kw_only=True, slots=True)
class PeoplePair:
    """Two people and how far they agree on the titles that both answered (Cohen)."""

    one: str
    other: str
    measure: Measure


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Everything that agreement is measured by.

    `kappa` says which kappa the overall measure and the periods are: Cohen's for two
    people, else Fleiss'. `matrix` counts pairs of answers, the same both ways round;
    its diagonal holds the pairs that agree. Periods begin on the local day given.
    """

    kappa: Kappa
    overall: Measure
    per_category: Mapping[str, Measure]
    category_pairs: Sequence[CategoryPair]
    people_pairs: Sequence[PeoplePair]
    over_time: Mapping[str, Measure]
    by_week: bool
    categories: Sequence[str]
    matrix: Sequence[Sequence[int]]

    def to_json(self) -> dict[str, Any]:
        """The document of the JSON export."""
        return asdict(self)

    def to_rows(self) -> list[dict[str, Any]]:
        """The lines of the CSV export: one a measure."""
        rows = [_row("overall", "", "", self.overall)]
        rows += [_row("category", name, "", measure) for name, measure in self.per_category.items()]
        rows += [_row("category_pair", pair.one, pair.other, pair.measure) for pair in self.category_pairs]
        rows += [_row("people_pair", pair.one, pair.other, pair.measure) for pair in self.people_pairs]
        rows += [
            _row("week" if self.by_week else "day", start, "", measure)
            for start, measure in self.over_time.items()
        ]
        return rows


def _row(what: str, one: str, other: str, measure: Measure) -> dict[str, Any]:
    low, high = measure.kappa_interval or (None, None)
    return {
        "measure": what,
        "name": one,
        "other": other,
        "n": measure.n,
        "percent": measure.percent,
        "percent_low": measure.percent_interval[0],
        "percent_high": measure.percent_interval[1],
        "kappa": measure.kappa,
        "kappa_low": low,
        "kappa_high": high,
    }


def measure_agreement(titles: Sequence[SharedTitle], categories: Sequence[str]) -> Agreement | None:
    """Measure the agreement on titles with two or more answers; None where there is no such title.

    Args:
        categories: the scheme's, in its order; other answers get a place behind them.
    """
    titles = [title for title in titles if len(title.answers) > 1]
    if not titles:
        return None
    extra = sorted({said for title in titles for _, said in title.answers} - set(categories))
    names = [*categories, *extra]
    people = sorted({person for title in titles for person, _ in title.answers})
    matrix = _pair_matrix(titles, names)
    by_week = _span_days(titles) > DAYS_SHOWN_SINGLY
    overall = _cohen_of_two if len(people) == 2 else fleiss
    return Agreement(
        kappa="cohen" if len(people) == 2 else "fleiss",
        overall=overall(titles, names),
        per_category=_per_category(titles, names),
        category_pairs=_category_pairs(matrix, names),
        people_pairs=_people_pairs(titles, names),
        over_time={
            start: overall(group, names) for start, group in _periods(titles, by_week=by_week).items()
        },
        by_week=by_week,
        categories=names,
        matrix=[[int(count) for count in line] for line in matrix],
    )


def fleiss(titles: Sequence[SharedTitle], names: Sequence[str]) -> Measure:
    """Fleiss' kappa, for any number of people a title; with as many for each it is the textbook's.

    Percent is the share of pairs of answers to the same title that agree, a title
    weighing the same whether two or five people answered it.

    Source: Fleiss (1971), with the mean over titles for unequal numbers of raters.
    """
    place = {name: index for index, name in enumerate(names)}
    kinds = Counter(tuple(sorted(place[said] for _, said in title.answers)) for title in titles)
    return _fleiss_of_kinds(kinds, len(names))


def _fleiss_of_kinds(kinds: Counter[tuple[int, ...]], width: int) -> Measure:
    """The measure of titles, each a sorted tuple of answers, counted by kind."""
    said_UK = np.zeros((len(kinds), width))  # U kinds of titles, K categories, B draws
    for row, kind in enumerate(kinds):
        for answer in kind:
            said_UK[row, answer] += 1
    people_U = said_UK.sum(axis=1)
    agree_U = (said_UK * (said_UK - 1)).sum(axis=1) / (people_U * (people_U - 1))
    parts = np.column_stack([np.ones(len(kinds)), agree_U, said_UK])

    def finish(sums_BP: Array) -> tuple[Array, Array]:
        observed = sums_BP[:, 1] / sums_BP[:, 0]
        shares = sums_BP[:, 2:] / sums_BP[:, 2:].sum(axis=1, keepdims=True)
        return observed, _beyond_chance(observed, (shares**2).sum(axis=1))

    return _bootstrap(np.array(list(kinds.values())), parts, finish)


def cohen(pairs: Counter[tuple[int, int]], width: int) -> Measure:
    """Cohen's kappa of two people from how often they said (one's answer, the other's).

    Args:
        width: number of categories; answers are positions among them.
    """
    parts = np.zeros((len(pairs), 1 + 1 + 2 * width))  # titles, agreed, what one said, what the other said
    for row, (one, other) in enumerate(pairs):
        parts[row, 0] = 1
        parts[row, 1] = one == other
        parts[row, 2 + one] = 1
        parts[row, 2 + width + other] = 1

    def finish(sums_BP: Array) -> tuple[Array, Array]:
        n = sums_BP[:, 0]
        observed = sums_BP[:, 1] / n
        first, second = sums_BP[:, 2 : 2 + width], sums_BP[:, 2 + width :]
        return observed, _beyond_chance(observed, (first * second).sum(axis=1) / n**2)

    return _bootstrap(np.array(list(pairs.values())), parts, finish)


def _cohen_of_two(titles: Sequence[SharedTitle], names: Sequence[str]) -> Measure:
    place = {name: index for index, name in enumerate(names)}
    pairs: Counter[tuple[int, int]] = Counter()
    for title in titles:
        (_, one), (_, other) = sorted(title.answers)
        pairs[place[one], place[other]] += 1
    return cohen(pairs, len(names))


def _beyond_chance(observed: Array, expected: Array) -> Array:
    """Kappa; not a number where chance alone would always agree."""
    room = 1 - expected
    defined = room > 1e-12
    return np.where(defined, (observed - expected) / np.where(defined, room, 1), np.nan)


def _bootstrap(
    counts_U: NDArray[np.int64], parts_UP: Array, finish: Callable[[Array], tuple[Array, Array]]
) -> Measure:
    """Percent and kappa of titles counted by kind, with intervals over titles drawn anew."""
    n = int(counts_U.sum())
    draw = np.random.default_rng(SEED)
    at_once = max(1, PORTION // len(counts_U))
    sums = [
        draw.multinomial(n, counts_U / n, size=min(at_once, DRAWS - start)) @ parts_UP
        for start in range(0, DRAWS, at_once)
    ]
    percents, kappas = finish(np.concatenate(sums))
    percent, kappa = (float(values[0]) for values in finish((counts_U @ parts_UP)[None, :]))
    return Measure(
        n=n,
        percent=percent,
        percent_interval=_middle(percents) or (percent, percent),
        kappa=None if math.isnan(kappa) else kappa,
        kappa_interval=None if math.isnan(kappa) else _middle(kappas),
    )


def _middle(values: Array) -> tuple[float, float] | None:
    """Where 95 % of the draws lie; draws in which it is not defined left out."""
    known = values[~np.isnan(values)]
    if not known.size:
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _per_category(titles: Sequence[SharedTitle], names: Sequence[str]) -> dict[str, Measure]:
    """For each category that somebody said: it against all others, on the titles where it was said.

    Percent is the share of the other answers to a title called so that call it so, too.
    Kappa is that of the question "is it this one?" over all titles.
    """
    found = {}
    for name in names:
        kinds = Counter(tuple(sorted(int(said == name) for _, said in title.answers)) for title in titles)
        called = {kind: count for kind, count in kinds.items() if any(kind)}
        if called:
            yes_no = _fleiss_of_kinds(kinds, 2)
            positive = _positive(called)
            found[name] = Measure(
                n=positive.n,
                percent=positive.percent,
                percent_interval=positive.percent_interval,
                kappa=yes_no.kappa,
                kappa_interval=yes_no.kappa_interval,
            )
    return found


def _positive(called: Mapping[tuple[int, ...], int]) -> Measure:
    """Share of pairs of answers, one of them this category, of which both are."""
    parts = np.array(
        [[1, sum(kind) * (sum(kind) - 1), sum(kind) * (len(kind) - 1)] for kind in called], float
    )

    def finish(sums_BP: Array) -> tuple[Array, Array]:
        percent = sums_BP[:, 1] / sums_BP[:, 2]
        return percent, np.full_like(percent, np.nan)

    return _bootstrap(np.array(list(called.values())), parts, finish)


def _pair_matrix(titles: Sequence[SharedTitle], names: Sequence[str]) -> NDArray[np.int64]:
    """Pairs of answers to the same title; off the diagonal each stands on both sides."""
    place = {name: index for index, name in enumerate(names)}
    matrix = np.zeros((len(names), len(names)), dtype=np.int64)
    for title in titles:
        for (_, one), (_, other) in combinations(title.answers, 2):
            row, column = place[one], place[other]
            matrix[row, column] += 1
            if row != column:
                matrix[column, row] += 1
    return matrix


def _category_pairs(matrix: NDArray[np.int64], names: Sequence[str]) -> list[CategoryPair]:
    """Pairs of categories that were confused, the most confused first.

    The measure is over the pairs of answers that are each one of the two.
    """
    found = []
    for one, other in combinations(range(len(names)), 2):
        confused = int(matrix[one, other])
        if not confused:
            continue
        kinds: Counter[tuple[int, ...]] = Counter({(0, 1): confused})
        kinds[0, 0], kinds[1, 1] = int(matrix[one, one]), int(matrix[other, other])
        measure = _fleiss_of_kinds(+kinds, 2)
        found.append(CategoryPair(one=names[one], other=names[other], confused=confused, measure=measure))
    return sorted(found, key=lambda pair: -pair.confused)


def _people_pairs(titles: Sequence[SharedTitle], names: Sequence[str]) -> list[PeoplePair]:
    place = {name: index for index, name in enumerate(names)}
    said: defaultdict[tuple[str, str], Counter[tuple[int, int]]] = defaultdict(Counter)
    for title in titles:
        for (one, first), (other, second) in combinations(sorted(title.answers), 2):
            said[one, other][place[first], place[second]] += 1
    return [
        PeoplePair(one=one, other=other, measure=cohen(pairs, len(names)))
        for (one, other), pairs in sorted(said.items())
    ]


def _local(title: SharedTitle) -> datetime:
    return datetime.fromisoformat(title.at).astimezone()


def _span_days(titles: Sequence[SharedTitle]) -> int:
    """Days from the first title to the last, both included."""
    first, last = min(titles, key=lambda title: title.at), max(titles, key=lambda title: title.at)
    return (_local(last).date() - _local(first).date()).days + 1


def _periods(titles: Sequence[SharedTitle], *, by_week: bool) -> dict[str, list[SharedTitle]]:
    """Titles by the local day, or the Monday, of their last answer; oldest first."""
    found: defaultdict[str, list[SharedTitle]] = defaultdict(list)
    for title in sorted(titles, key=lambda title: title.at):
        day = _local(title).date()
        start = day - timedelta(days=day.weekday()) if by_week else day
        found[start.isoformat()].append(title)
    return dict(found)
