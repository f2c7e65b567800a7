"""Compute what an evaluation can tell: exact power of McNemar's test, the smallest visible difference.

Pure: knows the number of rows, how often two models disagree and how rows cluster, and no run.
Source: Duffy (1984), unconditional exact power of McNemar's test.
"""

import math
from functools import lru_cache

import numpy as np

from studio.evaluation.paired import ALPHA, Integers, Reals, log_factorials
from studio.stats import Z95

USUAL_POWER = 0.8
"""A difference is `usually` visible when it is in four of five evaluations."""
ASSUMED_DISCORDANCE = 0.2
"""Share of titles that exactly one of two models gets right, where no two runs tell it."""
MOST_EXACT = 5_000
"""Rows up to which power is exact; above, the normal approximation is as good."""


@lru_cache(maxsize=512)
def power(n: int, discordance: float, difference: float, *, grouped: bool = False) -> float:
    """Compute the chance that exact McNemar finds a difference between two models, at 5 %.

    Args:
        n: independent rows; for rows that cluster, `effective_rows`.
        discordance: share of rows that exactly one of the two gets right; at least the difference.
        difference: of the accuracies, 0 to 1.
        grouped: whether rows cluster. The sums of groups take more values than single rows do, so that
            the test loses less to its steps than exact McNemar, and more than its mid-p form: the mean.
    """
    discordance = min(1.0, max(discordance, abs(difference)))
    if n < 1 or not discordance:
        return 0.0
    share = (discordance + abs(difference)) / discordance / 2
    if n > MOST_EXACT:
        spread = math.sqrt(discordance - difference**2)
        reach = abs(difference) * math.sqrt(n)
        return _normal((reach - Z95 * math.sqrt(discordance)) / spread) if spread else 1.0
    logs = log_factorials(n)
    discordant = np.arange(n + 1)
    chances = _binomial(n, discordance, logs)
    likely = discordant[chances > 1e-10]
    rules = (False, True) if grouped else (False,)
    return float(
        sum(chances[count] * _rejects(int(count), share, logs, rule) for count in likely for rule in rules)
    ) / len(rules)


def _rejects(count: int, share: float, logs: Reals, mid_p: bool) -> float:
    """Compute the chance that `count` discordant rows, a share of them for one side, are significant."""
    least = critical_count(count, mid_p=mid_p)
    if least > count:
        return 0.0
    chances = _binomial(count, share, logs)
    return float(chances[least:].sum() + chances[: count - least + 1].sum())


@lru_cache(maxsize=16_384)
def critical_count(count: int, *, mid_p: bool = False) -> int:
    """Compute how many of `count` discordant rows must favour one side; count + 1 where none suffices."""
    chances = _binomial(count, 0.5, log_factorials(count))
    tails = np.cumsum(chances) - (chances / 2 if mid_p else 0)
    return count - int(np.searchsorted(tails, ALPHA / 2, side="right")) + 1


def _binomial(count: int, share: float, logs: Reals) -> Reals:
    if share >= 1:
        return np.concatenate((np.zeros(count), [1.0]))
    hits = np.arange(count + 1)
    own = logs[: count + 1]
    chances = own[count] - own - own[::-1] + hits * math.log(share) + (count - hits) * math.log1p(-share)
    return np.asarray(np.exp(chances))


def _normal(value: float) -> float:
    return math.erfc(-value / math.sqrt(2)) / 2


@lru_cache(maxsize=512)
def visible_difference(n: int, discordance: float = ASSUMED_DISCORDANCE, *, grouped: bool = False) -> float:
    """Compute the smallest difference of accuracies that n rows usually show; 1 where none would."""
    low, high = 0.0, 1.0
    if power(n, discordance, high, grouped=grouped) < USUAL_POWER:
        return 1.0
    while high - low > 0.0005:
        middle = (low + high) / 2
        seen = power(n, discordance, middle, grouped=grouped) >= USUAL_POWER
        low, high = (low, middle) if seen else (middle, high)
    return high


def rows_to_see(difference: float, discordance: float = ASSUMED_DISCORDANCE) -> int:
    """Compute how many independent rows usually show this difference.

    Raises:
        ValueError: the difference is not between 0 and 1.
    """
    if not 0 < difference < 1:
        raise ValueError(f"no difference of two accuracies: {difference}")
    low, high = 1, 16
    while power(high, discordance, difference) < USUAL_POWER:
        low, high = high, high * 2
    while high - low > max(1, high // 200):
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, discordance, difference) >= USUAL_POWER else (middle, high)
    return high


def effective_rows(group: Integers, difference: Integers | None = None) -> int:
    """Compute how many independent rows rows in groups are worth (Kish's design effect).

    Args:
        group: number of each row's near-duplicate group.
        difference: per row B right minus A right, from which the correlation within groups is estimated;
            without it, or with fewer than 30 groups of two and more, rows of a group count as one.
    """
    if not len(group):
        return 0
    sizes = np.bincount(group)
    sizes = sizes[sizes > 0]
    mean_size = float((sizes**2).sum() / sizes.sum())
    correlation = 1.0
    if difference is not None and (sizes > 1).sum() >= 30:
        correlation = intraclass_correlation(group, difference)
    return max(1, round(len(group) / (1 + (mean_size - 1) * correlation)))


def intraclass_correlation(group: Integers, values: Integers | Reals) -> float:
    """Estimate the correlation within groups by the analysis of variance, 0 to 1; 0 for constant values."""
    _, group = np.unique(group, return_inverse=True)
    sizes = np.bincount(group)
    count, total = len(sizes), len(group)
    if count < 2 or count == total:
        return 0.0
    means = np.bincount(group, weights=values) / sizes
    between = float((sizes * (means - np.mean(values)) ** 2).sum()) / (count - 1)
    within = float(((values - means[group]) ** 2).sum()) / (total - count)
    usual = (total - float((sizes**2).sum()) / total) / (count - 1)
    whole = between + (usual - 1) * within
    return min(1.0, max(0.0, (between - within) / whole)) if whole > 0 else 0.0
