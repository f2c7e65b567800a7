"""Count false alarms of comparisons without a difference, and check printed power.

    python -m benchmarks.evaluation.null_comparisons [--comparisons 1000]

Part 1: two models of the same accuracy answer titles that come in stories; whatever a model gets right of
a story it tends to get right of its other titles. The verdict's test, the cluster bootstrap and a test that
takes rows to be independent are asked for a difference at 5 %.
Part 2: two models that differ by so much; the power that the studio prints against the share of simulated
comparisons whose verdict saw the difference, for independent rows and for stories.
"""

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from studio.evaluation.paired import (
    ALPHA,
    PairedRows,
    flip_signs,
    group_sums,
    interval,
    mcnemar,
    resample,
)
from studio.evaluation.power import effective_rows, power
from studio.evaluation.seeds import compare_seeds

CATEGORIES = 10
STORIES = {
    "2 titles a story": (2, 0.7),
    "3 titles a story": (3, 0.7),
    "5 titles a story": (5, 0.7),
    "1 to 30, heavy tail": (None, 0.7),
}
LARGEST_STORY, TAIL = 30, 1.5
"""A story of k titles is k^-1.5 as frequent as one of a single title, up to 30: most are alone, and the few
that every outlet carries hold most titles. The bundled data have no near copies to take sizes from."""


def stories(rng: np.random.Generator, n: int, size: int | None) -> NDArray[np.int64]:
    """Assign n titles to stories: of `size` titles each, or of sizes with a heavy tail."""
    if size is not None:
        return np.arange(n) // size
    sizes = np.arange(1, LARGEST_STORY + 1)
    frequency = sizes**-TAIL
    drawn = rng.choice(sizes, size=n, p=frequency / frequency.sum())
    return np.repeat(np.arange(n), drawn)[:n]


def comparison(
    rng: np.random.Generator, n: int, size: int | None, correlation: float, rates: tuple[float, float]
) -> PairedRows:
    """Simulate two models that answer n titles in stories of `size`, right with the given rates."""
    group = stories(rng, n, size)
    label = rng.integers(0, CATEGORIES, n)
    # Both find the same titles hard: half of what decides is the title's own.
    hard = rng.standard_normal(group.max() + 1)[group]
    said = []
    for rate in rates:
        story = rng.standard_normal(group.max() + 1)[group]
        own = np.sqrt(correlation) * story + np.sqrt(1 - correlation) * rng.standard_normal(n)
        right = np.sqrt(0.4) * hard + np.sqrt(0.6) * own < _quantile(rate)
        said.append(np.where(right, label, (label + rng.integers(1, CATEGORIES, n)) % CATEGORIES))
    return PairedRows(label=label, a=said[0], b=said[1], group=group, unparsed=CATEGORIES)


def _quantile(rate: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(rate)


def tests_of(rows: PairedRows) -> dict[str, bool]:
    """Ask each test whether it sees a difference."""
    difference = rows.difference
    low, high = interval(resample(rows, replicates=600).accuracy)
    return {
        "verdict (groups, exact)": flip_signs(group_sums(rows.group, difference)) < ALPHA,
        "bootstrap of groups": low > 0 or high < 0,
        "row-wise exact McNemar": mcnemar(int((difference > 0).sum()), int((difference < 0).sum())) < ALPHA,
    }


def share_of_alarms(count: int, make: Callable[[], PairedRows]) -> dict[str, float]:
    """Compute the share of comparisons in which each test sees a difference."""
    found = [tests_of(make()) for _ in range(count)]
    return {name: float(np.mean([each[name] for each in found])) for name in found[0]}


def seed_alarms(rng: np.random.Generator, count: int) -> float:
    """Compute the share of false alarms of two groups of three seeds without a difference."""
    alarms = 0
    for _ in range(count):
        label = rng.integers(0, CATEGORIES, 300)
        group = np.arange(300) // 3
        hard = rng.standard_normal(100)[group]
        sides = []
        for _ in range(2):
            common = rng.standard_normal(100)[group]
            said = []
            for _ in range(3):
                luck = 0.15 * rng.standard_normal()
                right = 0.7 * hard + 0.4 * common + 0.6 * rng.standard_normal(300) < 0.7 + luck
                said.append(np.where(right, label, (label + 1) % CATEGORIES))
            sides.append(said)
        alarms += compare_seeds(label, sides[0], sides[1], group, replicates=400).p_value < ALPHA
    return alarms / count


def false_alarms(count: int) -> None:
    print(f"False alarms in {count} comparisons without a difference (300 titles; wanted: 5 %)\n")
    names = ["verdict (groups, exact)", "bootstrap of groups", "row-wise exact McNemar"]
    print(f"{'':22}" + "".join(f"{name:>26}" for name in names))
    for name, (size, correlation) in {"1 title a story": (1, 0.0), **STORIES}.items():
        rng = np.random.default_rng(1)
        shares = share_of_alarms(count, partial(comparison, rng, 300, size, correlation, (0.75, 0.75)))
        print(f"{name:22}" + "".join(f"{shares[each]:>26.1%}" for each in names))
    print(f"{'3 seeds against 3':22}{seed_alarms(np.random.default_rng(5), count):>26.1%}")


def printed_power(count: int) -> None:
    print(f"\nPrinted against simulated power, {count} comparisons each\n")
    print(f"{'titles':>8}{'a story':>9}{'A, B':>14}{'printed':>10}{'simulated':>11}{'apart':>8}")
    for size, correlation in ((1, 0.0), (2, 0.7), (3, 0.7), (5, 0.7), (None, 0.7)):
        for n, rates in ((100, (0.7, 0.86)), (300, (0.72, 0.8)), (1000, (0.74, 0.785))):
            rng = np.random.default_rng(3)
            many = comparison(rng, 60_000, size, correlation, rates)
            discordance = float(np.mean(many.difference != 0))
            # What the page knows: the correlation within stories of the runs that were compared.
            rows = comparison(rng, n, size, correlation, rates).group
            worth = effective_rows(many.group, many.difference) / len(many) * len(rows)
            gain = round(rates[1] - rates[0], 4)
            printed = power(round(worth), round(discordance, 4), gain, grouped=size != 1)
            found = []
            for _ in range(count):
                one = comparison(rng, n, size, correlation, rates)
                found.append(flip_signs(group_sums(one.group, one.difference)) < ALPHA)
            simulated = float(np.mean(found))
            print(
                f"{n:>8}{size or '1-30':>9}{rates[0]:>8.3f}{rates[1]:>6.3f}{printed:>10.1%}{simulated:>11.1%}"
                f"{abs(printed - simulated):>8.1%}"
            )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--comparisons", type=int, default=1000)
    count = arguments.parse_args().comparisons
    false_alarms(count)
    printed_power(2 * count)


if __name__ == "__main__":
    main()
