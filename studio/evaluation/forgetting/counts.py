"""Count what a fine-tuned model lost and gained against its base, paired, and derive the verdict. Pure.

A kind is red where the exact McNemar test and the interval of the difference both say that more was lost
than chance explains. It is blind where even a model that only guesses could not look worse than the base.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from studio.contract import CountCode, ForgettingCode, ProbeAnswers, ProbeCount, ProbedItem
from studio.evaluation.paired import ALPHA, PairedRows, interval, mcnemar, resample

FEWEST = 6
"""Right answers above chance that a base must have: with 6 lost, none gained, p is 0.03, with 5 0.06."""
TOLERATED = 0.1
"""A drop that must be ruled out before it is said that nothing was lost."""


def probed_items(base: ProbeAnswers, tuned: ProbeAnswers) -> tuple[ProbedItem, ...]:
    """Pair the answers of both models by item, in the order of the tuned model's."""
    return tuple(
        ProbedItem(id=name, kind=tuned.kinds[name], base=base.answers[name], tuned=answer)
        for name, answer in tuned.answers.items()
        if name in base.answers
    )


def count_by_kind(items: Sequence[ProbedItem], chances: Mapping[str, float]) -> dict[str, ProbeCount]:
    """Count each kind, in the order in which they come."""
    kinds = dict.fromkeys(item.kind for item in items)
    return {kind: count([x for x in items if x.kind == kind], chances.get(kind, 0.0)) for kind in kinds}


def count(items: Sequence[ProbedItem], chance: float) -> ProbeCount:
    """Count the items that were lost and gained; `chance` is the share that guessing gets right.

    Raises:
        ValueError: there is no item.
    """
    if not items:
        raise ValueError("no item to count")
    base = np.array([item.base.right for item in items])
    tuned = np.array([item.tuned.right for item in items])
    lost, gained = int((base & ~tuned).sum()), int((tuned & ~base).sum())
    reach, p_value = _interval(base, tuned), mcnemar(gained, lost)
    return ProbeCount(
        n=len(items),
        base=int(base.sum()),
        tuned=int(tuned.sum()),
        lost=lost,
        gained=gained,
        difference=float((gained - lost) / len(items)),
        interval=reach,
        p_value=p_value,
        chance=chance,
        code=_code(reach, p_value, knows=base.sum() - chance * len(items) >= FEWEST),
    )


def _interval(base: np.ndarray, tuned: np.ndarray) -> tuple[float, float]:
    """Compute the 95 % interval of the difference by the bootstrap of paired comparisons, an item a group."""
    label = np.zeros(len(base), dtype=np.int64)
    rows = PairedRows(
        label=label,
        a=np.where(base, 0, 1),
        b=np.where(tuned, 0, 1),
        group=np.arange(len(base)),
        unparsed=1,
    )
    return interval(resample(rows).accuracy)


def _code(reach: tuple[float, float], p_value: float, *, knows: bool) -> CountCode:
    if reach[1] < 0 and p_value < ALPHA:
        return "red"
    if not knows:
        return "blind"
    return "unclear" if reach[0] < -TOLERATED else "green"


def verdict(overall: ProbeCount, kinds: Iterable[ProbeCount]) -> ForgettingCode:
    """Derive the verdict: red where any kind or the whole is, green only where a loss would have shown."""
    counts = [overall, *kinds]
    if any(each.code == "red" for each in counts):
        return "red"
    if all(each.code == "blind" for each in counts[1:]) or overall.code != "green":
        return "unclear"
    return "green"
