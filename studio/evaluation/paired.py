"""Test and estimate paired differences: exact McNemar, cluster bootstrap, Holm.

Two models answered the same titles. Titles of one story stand or fall together, so the unit of every
test and of every resampling is the near-duplicate group, not the row; a title alone is a group of one.
Pure numpy: this module knows no run, no title and no category's name.

Sources: McNemar (1947); Dwass (1957) and Fay (2009) for the sign-flip test, which is exact McNemar where
every group is one row; Cameron, Gelbach and Miller (2008) for resampling clusters; Bonett and Price (2012)
for the two pseudo-observations that keep an interval open where next to nothing differs; Holm (1979).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer]
Reals = NDArray[np.float64]

ALPHA = 0.05
MOST_EXACT = 20_000
"""Discordant rows up to which the distribution is exact; above that the normal one differs by nothing."""
REPLICATES = 2000
_FEWEST_REPLICATES = 400
_DRAWS = 1_000_000
"""Random numbers that one bootstrap may draw, a tenth of a second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedRows:
    """The answers of two models to the same rows: positions of categories, and each row's group.

    `unparsed` is the position that stands for an answer without a category: the number of categories.
    """

    label: Integers
    a: Integers
    b: Integers
    group: Integers
    unparsed: int

    def __len__(self) -> int:
        return len(self.label)

    @property
    def difference(self) -> Integers:
        """Per row: 1 where B alone is right (fixed), -1 where A alone is (broken), else 0."""
        return np.asarray((self.b == self.label).astype(np.int8) - (self.a == self.label))


@dataclass(frozen=True, kw_only=True, slots=True)
class Resampled:
    """Differences B minus A in each replicate of a cluster bootstrap."""

    accuracy: Reals
    macro_f1: Reals
    recall: Reals
    """Of shape (replicates, categories), as is `f1`; nan where a replicate has no row of the category."""
    f1: Reals


def mcnemar(fixed: int, broken: int) -> float:
    """Compute the two-sided p-value of the exact McNemar test, which takes rows to be independent."""
    return flip_signs(np.concatenate([np.ones(fixed, dtype=np.int64), -np.ones(broken, dtype=np.int64)]))


def group_sums(group: Integers, values: Integers) -> Integers:
    """Sum the values of each group; groups are numbered from 0."""
    if not len(group):
        return np.zeros(0, dtype=np.int64)
    return np.rint(np.bincount(group, weights=values)).astype(np.int64)


def flip_signs(sums: Integers) -> float:
    """Compute the two-sided p-value of the sign-flip test on the sums of groups; 1 where nothing differs.

    Under the null hypothesis each group is as likely to favour A by so many rows as B. The distribution
    is computed, not sampled: with groups of one row it is that of exact McNemar.
    """
    sizes, counts = np.unique(np.abs(sums[sums != 0]), return_counts=True)
    total = int(sizes @ counts) if len(sizes) else 0
    observed = abs(int(sums.sum()))
    if not observed:
        return 1.0
    if total > MOST_EXACT:
        spread = math.sqrt(float((sizes.astype(np.float64) ** 2) @ counts))
        return math.erfc(max(0.0, observed - 0.5) / spread / math.sqrt(2))
    chances = np.ones(1)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        spaced = np.zeros(size * count + 1)
        spaced[::size] = _fair_coins(count)
        chances = np.convolve(chances, spaced)
    # Rounding may leave either end of the distribution a trace above one half.
    return float(min(1.0, 2 * chances[(total + observed) // 2 :].sum()))


def _fair_coins(count: int) -> Reals:
    """Compute the binomial distribution of `count` fair coins."""
    logs = log_factorials(count)
    return np.asarray(np.exp(logs[count] - logs - logs[::-1] - count * math.log(2)))


def log_factorials(highest: int) -> Reals:
    """Compute log(0!) to log(highest!)."""
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, highest + 1)))))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number by Holm's step-down method, in the order given."""
    count = len(p_values)
    adjusted, highest = [1.0] * count, 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda each: p_values[each])):
        highest = max(highest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def resample(rows: PairedRows, *, seed: int = 42, replicates: int = REPLICATES) -> Resampled:
    """Resample near-duplicate groups with replacement; the same seed gives the same replicates.

    Groups with the same answers are one urn with a count, so that 100,000 rows cost what their few
    hundred different answers cost.
    """
    features, counts = _urns(rows)
    replicates = min(replicates, max(_FEWEST_REPLICATES, _DRAWS // len(counts)))
    drawn = np.random.default_rng(seed).multinomial(counts.sum(), counts / counts.sum(), size=replicates)
    sums = drawn.astype(np.float64) @ features
    k = rows.unparsed
    hit_a, said_a, hit_b, said_b, support = (sums[:, k * part : k * (part + 1)] for part in range(5))
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = _f1(hit_b, said_b, support) - _f1(hit_a, said_a, support)
        recall = (hit_b - hit_a) / support
    # Of one or two rows, some replicates hold none but the two pseudo-observations.
    present = (support > 0).sum(axis=1)
    macro_f1 = np.where(present, np.nansum(f1, axis=1) / np.maximum(present, 1), np.nan)
    return Resampled(accuracy=sums[:, -2] / sums[:, -1], macro_f1=macro_f1, recall=recall, f1=f1)


def _f1(hits: Reals, said: Reals, support: Reals) -> Reals:
    return np.asarray(np.where(support > 0, 2 * hits / np.maximum(said + support, 1), np.nan))


def _urns(rows: PairedRows) -> tuple[Reals, Integers]:
    """Sum the features of each different group; returns them and how many groups are like it.

    Features: hits and answers of A, of B, and labels, for each category; then difference and size.
    """
    k, group = rows.unparsed, rows.group
    codes = (rows.label.astype(np.int64) * (k + 1) + rows.a) * (k + 1) + rows.b
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    # A fixed seed: these are only names of codes, whose sum names a group.
    names = np.random.default_rng(7).integers(1, 2**62, size=k * (k + 1) ** 2, dtype=np.int64)
    named = np.add.reduceat(names[codes[order]], starts)
    _, first, counts = np.unique(named, return_index=True, return_counts=True)
    urn_of = np.full(len(starts), -1)
    urn_of[first] = np.arange(len(first))
    sizes = np.diff(starts, append=len(order))
    urn = np.repeat(urn_of, sizes)
    chosen, urn = order[urn >= 0], urn[urn >= 0]
    features = np.zeros((len(first) + 2, 5 * k + 2))
    label, a, b = rows.label[chosen], rows.a[chosen], rows.b[chosen]
    for part, (column, where) in enumerate(
        [(a, (a == label)), (a, a < k), (b, (b == label)), (b, b < k), (label, label < k)]
    ):
        features[:, part * k : (part + 1) * k] = _count(urn[where], column[where], features.shape[0], k)
    features[:, 5 * k] = np.bincount(
        urn, weights=(b == label).astype(np.int8) - (a == label), minlength=len(features)
    )
    features[:, 5 * k + 1] = np.bincount(urn, minlength=len(features))
    # One group more that A alone gets right, and one that B does, of the usual size.
    features[-2:, 5 * k] = 1, -1
    features[-2:, 5 * k + 1] = len(rows) / len(starts)
    return features, np.concatenate([counts, [1, 1]])


def _count(rows: Integers, columns: Integers, height: int, width: int) -> Integers:
    """Count the pairs of a row and a column, as a table of that shape."""
    flat = np.bincount(rows.astype(np.int64) * width + columns, minlength=height * width)
    return np.asarray(flat.reshape(height, width))


def interval(replicates: Reals) -> tuple[float, float]:
    """Compute the 95 % percentile interval of replicates of a difference; nan is left out."""
    known = replicates[~np.isnan(replicates)]
    if not len(known):
        return (-1.0, 1.0)
    low, high = np.quantile(known, [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)
