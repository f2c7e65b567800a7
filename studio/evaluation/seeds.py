"""Compare groups of runs that differ in the seed alone: mean, spread, hierarchical bootstrap.

What a training is worth includes the luck of its seed. The bootstrap draws seeds and near-duplicate
groups; that few seeds show too little of their spread is corrected for, and the quantile is Student's.
Pure: knows no run.

Sources: Bouthillier et al. (2021), "Accounting for Variance in Machine Learning Benchmarks"; Satterthwaite
(1946) for the degrees of freedom.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio.evaluation.paired import ALPHA, Integers, Reals

REPLICATES = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedSpread:
    """Mean and standard deviation of a number over seeds; no deviation of one seed."""

    n: int
    mean: float
    sd: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedComparison:
    """The difference of two groups' mean accuracies, B minus A, with its interval and p-value."""

    difference: float
    interval: tuple[float, float]
    p_value: float
    freedom: float


def spread(values: Sequence[float]) -> SeedSpread:
    """Compute mean and standard deviation of one number a seed."""
    known = np.array(values, dtype=np.float64)
    sd = float(known.std(ddof=1)) if len(known) > 1 else None
    return SeedSpread(n=len(known), mean=float(known.mean()), sd=sd)


def compare_seeds(
    label: Integers,
    a: Sequence[Integers],
    b: Sequence[Integers],
    group: Integers,
    *,
    seed: int = 42,
    replicates: int = REPLICATES,
) -> SeedComparison:
    """Compare the mean accuracy of the seeds of B with that of A, on the same rows.

    Args:
        label: category of each row.
        a: answers of each seed of A, row by row; `b` likewise.
        group: near-duplicate group of each row, from 0.
        seed: of the bootstrap.
        replicates: of the bootstrap.
    """
    sides = [_Side(_by_group(label, each, group), len(label)) for each in (a, b)]
    sizes = np.bincount(group).astype(np.float64)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=replicates).astype(float)
    means = [
        drawn @ side.right.mean(axis=1) / (drawn @ sizes) + side.draw_seeds(rng, replicates) for side in sides
    ]
    difference = float(sides[1].accuracies.mean() - sides[0].accuracies.mean())
    variance = float(np.var(means[1] - means[0], ddof=1))
    freedom = _freedom(sides, len(sizes), variance)
    error = math.sqrt(variance)
    reach = _student_quantile(freedom) * error
    return SeedComparison(
        difference=difference,
        interval=(difference - reach, difference + reach),
        p_value=_student_p(difference / error, freedom) if error else 1.0,
        freedom=freedom,
    )


class _Side:
    """The right answers of the seeds of one group of runs, of shape (near-duplicate groups, seeds)."""

    def __init__(self, right: Reals, rows: int) -> None:
        self.right = right
        self.seeds = right.shape[1]
        self.accuracies = right.sum(axis=0) / rows
        self.spread = float(self.accuracies.var(ddof=1)) if self.seeds > 1 else 0.0
        self.of_rows = self._spread_of_rows(rows) if self.seeds > 1 else 0.0

    def _spread_of_rows(self, rows: int) -> float:
        """Estimate which part of the spread comes from the rows alone, and goes with more rows."""
        groups = len(self.right)
        rest = (
            self.right - self.right.mean(axis=1, keepdims=True) - self.right.mean(axis=0) + self.right.mean()
        )
        return float((rest**2).sum() / (self.seeds - 1) / max(1, groups - 1) * groups / rows**2)

    def draw_seeds(self, rng: np.random.Generator, replicates: int) -> Reals:
        """Draw the deviation of the mean of resampled seeds.

        Widened, since k seeds show (k - 1)/k of the variance, and without the part that drawing groups
        already brings.
        """
        if self.seeds == 1 or not self.spread:
            return np.zeros(replicates)
        shrunk = math.sqrt(max(0.0, 1 - self.of_rows / self.spread) * self.seeds / (self.seeds - 1))
        drawn = rng.multinomial(self.seeds, np.full(self.seeds, 1 / self.seeds), size=replicates) / self.seeds
        return np.asarray(shrunk * ((drawn - 1 / self.seeds) @ self.accuracies))


def _by_group(label: Integers, seeds: Sequence[Integers], group: Integers) -> Reals:
    """Count the right answers of each group, of shape (groups, seeds)."""
    return np.stack([np.bincount(group, weights=said == label) for said in seeds], axis=1)


def _freedom(sides: Sequence[_Side], groups: int, variance: float) -> float:
    """Compute Satterthwaite's degrees of freedom of the seeds of both sides and the groups together."""
    parts = [(side.spread / side.seeds, side.seeds - 1) for side in sides if side.seeds > 1]
    rest = max(0.0, variance - sum(max(0.0, side.spread - side.of_rows) / side.seeds for side in sides))
    below = sum(part**2 / freedom for part, freedom in [*parts, (rest, max(1, groups - 1))])
    return variance**2 / below if below > 0 and variance else float(max(1, groups - 1))


def _student_quantile(freedom: float) -> float:
    # Here: the web process loads scipy only where seeds are compared.
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - ALPHA / 2))


def _student_p(statistic: float, freedom: float) -> float:
    from scipy.special import stdtr

    return float(2 * stdtr(freedom, -abs(statistic)))
