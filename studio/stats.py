"""Compute Wilson's score interval of a rate: once, for pages, scores and sample sizes alike.

Written out, since statsmodels would cost the web process 150 MiB; a test compares the two.
Source: Wilson (1927), as statsmodels' `proportion_confint(method="wilson")`.
"""

import math

Z95 = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


def wilson_interval(correct: float, n: int) -> tuple[float, float]:
    """Compute the 95 % confidence interval of a rate of `correct` out of `n`; (0, 1) for n = 0."""
    if not n:
        return 0.0, 1.0
    share = Z95 * Z95 / n
    middle = (correct / n + share / 2) / (1 + share)
    reach = wilson_half_width(correct / n, n)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def rows_for_half_width(half_width: float, rate: float = 0.8) -> int:
    """Compute how many rows an interval of that half width needs, at a rate between 0 and 1.

    At the default, a recall of 80 %, ±10 points take 60 rows.

    Raises:
        ValueError: the half width is not between 0 and 1.
    """
    if not 0 < half_width < 1:
        raise ValueError(f"no half width: {half_width}")
    low, high = 1, 2
    while wilson_half_width(rate, high) > half_width:
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if wilson_half_width(rate, middle) <= half_width else (middle + 1, high)
    return low


def wilson_half_width(rate: float, n: int) -> float:
    """Compute the half width of the 95 % interval of a rate, 0 to 1, over `n` rows; falls with n."""
    share = Z95 * Z95 / n
    return Z95 * math.sqrt((rate * (1 - rate) + share / 4) / n) / (1 + share)
