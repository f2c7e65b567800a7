"""Say what an evaluation can tell, before it runs and beside its score.

How often two models disagree decides how small a difference so many titles show; the last two evaluations
of the same rows tell it, and where there are none an assumption that is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from studio.contract import Scores
from studio.errors import StudioError
from studio.evaluation.compared import load_entries
from studio.evaluation.entries import MODES, Entry
from studio.evaluation.power import ASSUMED_DISCORDANCE, effective_rows, visible_difference
from studio.language import say
from studio.stats import rows_for_half_width, wilson_half_width

MOST_READ = 5_000
"""Rows up to which the answers of earlier evaluations are read for this."""
WANTED = 0.05
"""Half width of the interval for which missing rows are told."""


@dataclass(frozen=True, kw_only=True)
class Tells:
    """The smallest difference that n rows usually show, and whether earlier evaluations tell it."""

    n: int
    visible: float
    is_measured: bool

    @property
    def sentence(self) -> str:
        """Say it in one sentence."""
        ground = (
            say("按最近两次评估的分歧计算", "by how the last two evaluations disagree")
            if self.is_measured
            else say("假定两个模型有两成标题对错不同", "if two models differ on one title in five")
        )
        if self.visible >= 1:
            return say(
                "{n} 条标题太少，看不出任何差别。", "{n} titles are too few to show any difference.", n=self.n
            )
        return say(
            "用 {n} 条标题比较两个模型，通常看不出小于 {points} 个百分点的差别（{ground}）。",
            "With {n} titles a difference of two models under {points} points will usually not be visible "
            "({ground}).",
            n=self.n,
            points=f"{self.visible * 100:.0f}",
            ground=ground,
        )


def what_it_tells(entries: Sequence[Entry], dataset_dir: Path, n: int) -> Tells:
    """Compute what n rows of a dataset can tell about two models.

    Args:
        entries: evaluations so far, newest first.
        dataset_dir: whose rows are evaluated.
        n: how many of them.
    """
    alike = [
        entry
        for entry in entries
        if entry.runs[0].spec.dataset_dir == dataset_dir and 0 < entry.n <= MOST_READ
    ]
    by_answer = ([entry for entry in alike if entry.answer == mode] for mode in MODES)
    for newest, before in (pair for mine in by_answer for pair in pairwise(mine)):
        try:
            found = load_entries([before, newest])
        except StudioError:
            continue
        if len(found.aligned) >= n / 2:
            one, other = (side.answers == found.aligned.label for side in found.sides)
            differs = other.astype(np.int8) - one
            discordance = float(np.mean(differs != 0))
            share = effective_rows(found.groups, differs) / len(found.aligned)
            visible = visible_difference(
                max(1, round(n * share)), round(max(0.02, discordance), 3), grouped=share < 1
            )
            return Tells(n=n, visible=visible, is_measured=True)
    return Tells(n=n, visible=visible_difference(n, ASSUMED_DISCORDANCE), is_measured=False)


def rows_missing(scores: Scores) -> tuple[str, int] | None:
    """Find the category whose recall is known worst, and how many more rows of it ±5 points take.

    None where every category is known that well.
    """
    known = {name: entry for name, entry in scores.per_category.items() if entry.support}
    if not known:
        return None
    rate = {name: min(0.95, max(0.05, entry.recall)) for name, entry in known.items()}
    worst = max(known, key=lambda name: wilson_half_width(rate[name], known[name].support))
    missing = rows_for_half_width(WANTED, rate[worst]) - known[worst].support
    return (worst, missing) if missing > 0 else None
