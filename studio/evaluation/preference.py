"""Test which of two models people prefer, by their votes on the same questions: exact sign test, interval.

Ties and "both bad" say nothing about which is better: they are counted, and left out of the test. Who
looks after every vote and stops when it pleases finds a difference by chance far more often than once in
twenty, so that the verdict also says whether it holds for them. Pure.

Sources: Dixon and Mood (1946) for the sign test; Robbins (1970) for the mixture that may be watched: a
martingale under the null hypothesis, which passes 20 with a chance of at most 1 in 20 (Ville).
"""

import math
from dataclasses import dataclass
from typing import Literal

from studio.evaluation.paired import ALPHA, mcnemar
from studio.evaluation.power import rows_to_see
from studio.stats import wilson_interval

PreferenceCode = Literal["a_better", "b_better", "no_difference", "no_votes"]

MOST_NEEDED = 2_000
"""Votes beyond which nobody will ask: so small a preference does not matter."""
_SMALLEST_SHARE = 0.02


@dataclass(frozen=True, kw_only=True)
class Preference:
    """Votes on two models: how often either was better, and what they show."""

    a: int
    b: int
    ties: int = 0
    bad: int = 0

    @property
    def decided(self) -> int:
        """Votes that say which is better."""
        return self.a + self.b

    @property
    def share(self) -> float | None:
        """Share of the decided votes for A; None before any."""
        return self.a / self.decided if self.decided else None

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share for A (Wilson); 0 to 1 before any vote."""
        return wilson_interval(self.a, self.decided)

    @property
    def p_value(self) -> float:
        """Chance of so uneven a split where neither is better (exact sign test, two-sided)."""
        return mcnemar(self.a, self.b) if self.decided else 1.0

    @property
    def watched_p_value(self) -> float:
        """The same for whoever looks after every vote and may stop at any: never smaller."""
        # The likelihood of these votes under every preference alike, against an even one.
        log_mixture = math.lgamma(self.a + 1) + math.lgamma(self.b + 1) - math.lgamma(self.decided + 2)
        return min(1.0, math.exp(-log_mixture - self.decided * math.log(2)))

    def verdict(self, p_value: float | None = None) -> PreferenceCode:
        """Return the verdict of the sign test; `p_value`: corrected for several pairs, else its own."""
        if not self.decided:
            return "no_votes"
        if (self.p_value if p_value is None else p_value) >= ALPHA:
            return "no_difference"
        return "a_better" if self.a > self.b else "b_better"

    @property
    def holds_when_watched(self) -> bool:
        """Whether a difference is shown to those, too, who looked after every vote."""
        return self.watched_p_value < ALPHA

    @property
    def needed(self) -> int | None:
        """How many more decided votes would usually show it, if people go on voting like this.

        Computed for the share drawn towards one half by one vote each, since three of three are no 100 %:
        exact power of the sign test, 80 %. 0 where it is shown; None where it would take too many.
        """
        if self.p_value < ALPHA:
            return 0
        difference = abs(2 * (self.a + 1) / (self.decided + 2) - 1)
        if difference < _SMALLEST_SHARE:
            return None
        more = max(1, rows_to_see(difference, 1.0) - self.decided)
        return more if more <= MOST_NEEDED else None
