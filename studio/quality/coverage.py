"""Compute the class balance, and the sample size that a confidence interval needs.

Pure arithmetic over counts; knows no store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.stats import wilson_half_width


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryCoverage:
    """One category: decided titles, and rows of the newest version per split."""

    category: str
    decided: int
    train: int
    evaluated: int
    wanted: int

    @property
    def missing(self) -> int:
        """Evaluation rows that the interval still needs."""
        return max(0, self.wanted - self.evaluated)


def coverage(
    categories: Sequence[str],
    decided: Mapping[str, int],
    train: Mapping[str, int],
    evaluated: Mapping[str, int],
    wanted: int,
) -> list[CategoryCoverage]:
    """Build one row for each category, in the given order; what is absent counts as 0."""
    return [
        CategoryCoverage(
            category=name,
            decided=decided.get(name, 0),
            train=train.get(name, 0),
            evaluated=evaluated.get(name, 0),
            wanted=wanted,
        )
        for name in categories
    ]


def rows_for_interval(half_width: float, accuracy: float) -> int:
    """Compute the sample size: evaluation rows whose 95 % Wilson interval is at most that wide to each side.

    Args:
        half_width: half the interval, 0 to 1.
        accuracy: the rate that is expected.

    Source: the interval of `studio.stats`.
    """
    low, high = 1, 1
    while wilson_half_width(accuracy, high) > half_width:
        high *= 2
    while low < high:
        middle = (low + high) // 2
        if wilson_half_width(accuracy, middle) > half_width:
            low = middle + 1
        else:
            high = middle
    return low
