"""How often the search for bad cohorts raises a false alarm, and how often it finds a planted one.

    python -m benchmarks.data.cohort_alarms [--trials 400]

Errors fall at random, on single titles or on stories that several outlets tell (all of a story's titles right
or wrong together). Three ways to judge the worst cohort: its own p-value without correction, the corrected
one over all rows, and the corrected one with a story counted once, which is what the product does.
"""

import argparse
import math

import numpy as np

from studio.contract import Prediction
from studio.evaluation import cohorts

Random = np.random.Generator
Rows = list[Prediction]
Tags = dict[int, tuple[str, ...]]
TAGS = ("digits", "latin", "question", "place", "quoted", "long_title", "no_near_row", "mode_flip")


def title(random: Random) -> str:
    return "".join(chr(0x4E00 + number) for number in random.integers(0, 20000, 20))


def rows(random: Random, stories: int, size: int, rate: float, planted: float = 0.0) -> tuple[Rows, Tags]:
    """Make the rows of some stories and their tags; a story's titles are near copies with the same tags."""
    found: Rows = []
    tags: Tags = {}
    for _ in range(stories):
        text, flags = title(random), random.random(len(TAGS)) < np.linspace(0.2, 0.6, len(TAGS))
        own = tuple(tag for tag, has in zip(TAGS, flags, strict=True) if has)
        bad = planted if {"digits", "place"} <= set(own) else 0.0
        wrong = random.random() < rate + bad
        for number in range(size):
            row = len(found)
            found.append(
                Prediction(
                    row=row,
                    title=f"{text}{'' if size == 1 else number}",
                    label="体育",
                    label_chain="",
                    answer="direct",
                    predicted="国际" if wrong else "体育",
                    chain=None,
                    text="",
                )
            )
            tags[row] = own
    return found, tags


def uncorrected(found: Rows, tags: Tags) -> bool:
    """Whether the worst cohort has a one-sided normal p-value below 5 % by itself."""
    wrong = np.array([row.predicted != row.label for row in found])
    _, members = cohorts._cohorts(cohorts._literals(found, tags), len(found))
    if not members or not 0 < wrong.sum() < len(found):
        return False
    matrix = np.stack(members).astype(float)
    best = cohorts._excess(matrix @ wrong, matrix.sum(axis=1), wrong).max()
    return bool(0.5 * math.erfc(best / math.sqrt(2)) < 0.05)


def by_rows(found: Rows, tags: Tags, seed: int) -> bool:
    """Whether the corrected search alarms where every row counts by itself."""
    apart = [row.model_copy(update={"title": chr(0x4E00 + row.row) * 20}) for row in found]
    return bool(cohorts.find_cohorts(apart, tags, seed=seed, most=199).found)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=400)
    trials = parser.parse_args().trials
    print("stories x titles   uncorrected   corrected, rows   corrected, stories")
    for stories, size in ((100, 1), (300, 1), (100, 3)):
        random, counts = np.random.default_rng(7), np.zeros(3)
        for seed in range(trials):
            found, tags = rows(random, stories, size, 0.25)
            counts += (
                uncorrected(found, tags),
                by_rows(found, tags, seed),
                bool(cohorts.find_cohorts(found, tags, seed=seed, most=199).found),
            )
        print(f"{stories:>7} x {size:<8}", *(f"{share:>14.1%}" for share in counts / trials))
    random, hits = np.random.default_rng(8), 0
    for seed in range(trials // 4):
        found, tags = rows(random, 300, 1, 0.15, planted=0.35)
        best = cohorts.find_cohorts(found, tags, seed=seed, most=199).found
        hits += bool(best) and set(best[0].tags) <= {"digits", "place"}
    print(f"planted (15 % wrong, 50 % in the cohort, 300 titles): named first in {hits / (trials // 4):.0%}")


if __name__ == "__main__":
    main()
