"""Compute inter-annotator agreement: percent, Cohen's and Fleiss' kappa, with intervals.

Titles are resampled for the intervals (bootstrap, seeded). All that is drawn is how
often each *kind* of title occurs, where a kind is which answers it got: so a draw costs
the same at a hundred and at a million titles. numpy alone, since the web process has no
room for more; tests compare the numbers with scikit-learn and statsmodels. Pure; knows
no store.
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
"""Span of days up to which agreement is computed by day, beyond it by week."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedTitle:
    """A title that several people labelled about the same decision, blind to each other.

    `answers` are (person, category), one a person; `at` is the time of the last (ISO 8601, UTC).
    """

    title_id: int
    answers: Sequence[tuple[str, str]]
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """Agreement on some titles: percent from 0 to 1, and kappa, which corrects it for chance.

    Intervals hold 95 % of the draws. Kappa is None where it is not defined: everybody
    always chose the same category.
    """

    n: int
    percent: float
    percent_interval: tuple[float, float]
    kappa: float | None
    kappa_interval: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryPair:
    """Two categories and how often the same title was answered with one and with the other."""

    one: str
    other: str
    confused: int
    measure: Measure


@dataclass(frozen=True, kw_only=True, slots=True)
class PeoplePair:
    """Two people and their agreement on the titles that both answered (Cohen)."""

    one: str
    other: str
    measure: Measure


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """All measures of agreement.

    `kappa` is the kind of the overall measure and of the periods: Cohen's for two people,
    else Fleiss'. `matrix` counts pairs of answers symmetrically; its diagonal holds the
    pairs that agree. Periods begin on the local day given.
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
        """Build the document of the JSON export."""
        return asdict(self)

    def to_rows(self) -> list[dict[str, Any]]:
        """Build the lines of the CSV export: one a measure."""
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
    """Measure the agreement on titles with two or more answers; None if there are no such titles.

    Args:
        titles: any titles; those with fewer answers are skipped.
        categories: the scheme's, in its order; other answers are appended.
    """
    titles = [title for title in titles if len(title.answers) > 1]
    if not titles:
        return None
    extra = sorted({answer for title in titles for _, answer in title.answers} - set(categories))
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
    """Compute Fleiss' kappa for any number of raters a title; with equal numbers it is the textbook's.

    Percent is the share of pairs of answers to the same title that agree, a title
    weighing the same whether two or five people answered it.

    Source: Fleiss (1971), with the mean over titles for unequal numbers of raters.
    """
    index = {name: number for number, name in enumerate(names)}
    kinds = Counter(tuple(sorted(index[answer] for _, answer in title.answers)) for title in titles)
    return _fleiss_of_kinds(kinds, len(names))


def _fleiss_of_kinds(kinds: Counter[tuple[int, ...]], width: int) -> Measure:
    """Compute Fleiss' kappa of titles counted by kind, a kind being a sorted tuple of answers."""
    answers_UK = np.zeros((len(kinds), width))  # U kinds of titles, K categories, B draws
    for row, kind in enumerate(kinds):
        for answer in kind:
            answers_UK[row, answer] += 1
    people_U = answers_UK.sum(axis=1)
    agree_U = (answers_UK * (answers_UK - 1)).sum(axis=1) / (people_U * (people_U - 1))
    parts = np.column_stack([np.ones(len(kinds)), agree_U, answers_UK])

    def finish(sums_BP: Array) -> tuple[Array, Array]:
        observed = sums_BP[:, 1] / sums_BP[:, 0]
        shares = sums_BP[:, 2:] / sums_BP[:, 2:].sum(axis=1, keepdims=True)
        return observed, _beyond_chance(observed, (shares**2).sum(axis=1))

    return _bootstrap(np.array(list(kinds.values())), parts, finish)


def cohen(pairs: Counter[tuple[int, int]], width: int) -> Measure:
    """Compute Cohen's kappa of two people.

    Args:
        pairs: counts of (one person's answer, the other's).
        width: number of categories; answers are positions among them.
    """
    parts = np.zeros((len(pairs), 1 + 1 + 2 * width))  # titles, agreed, one's answer, the other's answer
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
    index = {name: number for number, name in enumerate(names)}
    pairs: Counter[tuple[int, int]] = Counter()
    for title in titles:
        (_, one), (_, other) = sorted(title.answers)
        pairs[index[one], index[other]] += 1
    return cohen(pairs, len(names))


def _beyond_chance(observed: Array, expected: Array) -> Array:
    """Compute kappa from observed and expected agreement; NaN where chance alone would always agree."""
    room = 1 - expected
    defined = room > 1e-12
    return np.where(defined, (observed - expected) / np.where(defined, room, 1), np.nan)


def _bootstrap(
    counts_U: NDArray[np.int64], parts_UP: Array, finish: Callable[[Array], tuple[Array, Array]]
) -> Measure:
    """Bootstrap percent and kappa of titles counted by kind: intervals over resampled titles."""
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
        percent_interval=_interval(percents) or (percent, percent),
        kappa=None if math.isnan(kappa) else kappa,
        kappa_interval=None if math.isnan(kappa) else _interval(kappas),
    )


def _interval(values: Array) -> tuple[float, float] | None:
    """Compute the 95 % percentile interval of the draws, without those that are NaN; None if all are."""
    known = values[~np.isnan(values)]
    if not known.size:
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _per_category(titles: Sequence[SharedTitle], names: Sequence[str]) -> dict[str, Measure]:
    """Measure each category that was chosen against all others.

    Percent is positive agreement, over the titles where somebody chose it: given one answer of
    this category, the share of the title's other answers that have it, too. Kappa is that of
    the question "is it this one?" over all titles.
    """
    found = {}
    for name in names:
        kinds = Counter(tuple(sorted(int(answer == name) for _, answer in title.answers)) for title in titles)
        chosen = {kind: count for kind, count in kinds.items() if any(kind)}
        if chosen:
            yes_no = _fleiss_of_kinds(kinds, 2)
            positive = _positive(chosen)
            found[name] = Measure(
                n=positive.n,
                percent=positive.percent,
                percent_interval=positive.percent_interval,
                kappa=yes_no.kappa,
                kappa_interval=yes_no.kappa_interval,
            )
    return found


def _positive(chosen: Mapping[tuple[int, ...], int]) -> Measure:
    """Compute positive agreement: given one answer of this category, the share of the others that have it."""
    parts = np.array(
        [[1, sum(kind) * (sum(kind) - 1), sum(kind) * (len(kind) - 1)] for kind in chosen], float
    )

    def finish(sums_BP: Array) -> tuple[Array, Array]:
        percent = sums_BP[:, 1] / sums_BP[:, 2]
        return percent, np.full_like(percent, np.nan)

    return _bootstrap(np.array(list(chosen.values())), parts, finish)


def _pair_matrix(titles: Sequence[SharedTitle], names: Sequence[str]) -> NDArray[np.int64]:
    """Count the pairs of answers to the same title in a symmetric matrix, (categories, categories)."""
    index = {name: number for number, name in enumerate(names)}
    matrix = np.zeros((len(names), len(names)), dtype=np.int64)
    for title in titles:
        for (_, one), (_, other) in combinations(title.answers, 2):
            row, column = index[one], index[other]
            matrix[row, column] += 1
            if row != column:
                matrix[column, row] += 1
    return matrix


def _category_pairs(matrix: NDArray[np.int64], names: Sequence[str]) -> list[CategoryPair]:
    """Measure the pairs of categories that were confused, the most confused first.

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
    index = {name: number for number, name in enumerate(names)}
    counts: defaultdict[tuple[str, str], Counter[tuple[int, int]]] = defaultdict(Counter)
    for title in titles:
        for (one, first), (other, second) in combinations(sorted(title.answers), 2):
            counts[one, other][index[first], index[second]] += 1
    return [
        PeoplePair(one=one, other=other, measure=cohen(pairs, len(names)))
        for (one, other), pairs in sorted(counts.items())
    ]


def _local(title: SharedTitle) -> datetime:
    return datetime.fromisoformat(title.at).astimezone()


def _span_days(titles: Sequence[SharedTitle]) -> int:
    """Count the days from the first title to the last, both included."""
    first, last = min(titles, key=lambda title: title.at), max(titles, key=lambda title: title.at)
    return (_local(last).date() - _local(first).date()).days + 1


def _periods(titles: Sequence[SharedTitle], *, by_week: bool) -> dict[str, list[SharedTitle]]:
    """Group titles by the local day, or the Monday, of their last answer; oldest first."""
    found: defaultdict[str, list[SharedTitle]] = defaultdict(list)
    for title in sorted(titles, key=lambda title: title.at):
        day = _local(title).date()
        start = day - timedelta(days=day.weekday()) if by_week else day
        found[start.isoformat()].append(title)
    return dict(found)
