"""Which titles to label next: what each mix of the active order teaches, by accuracy on titles kept aside.

    python -m benchmarks.training.label_order [--data PATH ...] [--seeds 8] [--copies 0.3]

Labelled data is read and its labels are handed out as if people gave them, 20 at a time;
after each round the model beside the annotators is trained anew. `--copies` adds that share
of edited copies of titles to the pool, as feeds have them. Prints the accuracy after so
many labels, the mean over the seeds, and the standard error of its difference to random.
"""

import argparse
import statistics
from pathlib import Path

import numpy as np

from studio.formats.reader import read_rows
from studio.samples.scheme import load_scheme
from studio.samples.similarity import group_near
from studio.suggestions.classifier import Mix, Suggester, most_teaching
from studio.validation.rows import judge_each
from studio.workspace import BUNDLED_DATASET

STEP, LAST = 20, 200
SHOWN = (60, 100, 140, 200)
MIXES = {
    "random": Mix(uncertain=0, diverse=0),
    "uncertain only": Mix(uncertain=1, diverse=0),
    "diverse only": Mix(uncertain=0, diverse=1),
    "50 / 30 / 20": Mix(uncertain=0.5, diverse=0.3),
    "70 / 20 / 10": Mix(uncertain=0.7, diverse=0.2),
    "90 / 5 / 5": Mix(uncertain=0.9, diverse=0.05),
}
Rows = list[tuple[str, str]]


def main() -> None:
    """Run every mix, with near repeats and without, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="+", default=[BUNDLED_DATASET])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--copies", type=float, default=0.3)
    arguments = parser.parse_args()
    rows = [row for path in arguments.data for row in labelled(path)]
    print(f"{len(rows)} titles; accuracy after {', '.join(map(str, SHOWN))} labels")
    for copies, removed in ((0.0, False), (arguments.copies, False), (arguments.copies, True)):
        print(f"copies in the pool {copies:.0%}, {'left out' if removed else 'kept'}")
        found = {
            name: [curve(rows, mix, seed, copies=copies, removed=removed) for seed in range(arguments.seeds)]
            for name, mix in MIXES.items()
        }
        for name, curves in found.items():
            print(
                f"  {name:16s} " + "  ".join(cell(curves, found["random"], count) for count in SHOWN),
                flush=True,
            )


def labelled(path: Path) -> Rows:
    """Titles with their categories."""
    judged = judge_each(read_rows(path).rows, load_scheme())
    return [(each.title, each.category) for each in judged if each.title and each.category]


def curve(rows: Rows, mix: Mix, seed: int, *, copies: float, removed: bool) -> dict[int, float]:
    """Accuracy by the number of labels, for one division into pool and held-out titles."""
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(rows)).tolist()
    held = [rows[place] for place in order[: len(rows) // 4]]
    pool = [rows[place] for place in order[len(rows) // 4 :]]
    copied = draw.permutation(len(pool))[: int(copies * len(pool))].tolist()
    pool += [(f"{pool[place][0][:-1]}！", pool[place][1]) for place in copied for _ in range(3)]
    if removed:
        repeats = {place for group in group_near([text for text, _ in pool]) for place in group[1:]}
        pool = [row for place, row in enumerate(pool) if place not in repeats]
    known = [pool.pop(place) for place in sorted(draw.permutation(len(pool))[:STEP].tolist(), reverse=True)]
    found = {}
    while len(known) <= LAST:
        model = Suggester(
            [text for text, _ in known],
            [category for _, category in known],
            beside=[text for text, _ in pool],
        )
        found[len(known)] = accuracy(model, held)
        if len(pool) < STEP:
            break
        chosen = most_teaching(model, [text for text, _ in pool], mix=mix, count=STEP, draw=draw)
        known += [pool[place] for place in chosen]
        pool = [row for place, row in enumerate(pool) if place not in set(chosen)]
    return found


def accuracy(model: Suggester, held: Rows) -> float:
    """Share of the held-out titles whose likeliest category is right."""
    rows = model.probabilities(model.features([text for text, _ in held]))
    return float(
        np.mean(
            [model.names[row.argmax()] == category for row, (_, category) in zip(rows, held, strict=True)]
        )
    )


def cell(curves: list[dict[int, float]], random: list[dict[int, float]], count: int) -> str:
    """Mean accuracy in percent, and the difference to random with its standard error."""
    differences = [100 * (one[count] - other[count]) for one, other in zip(curves, random, strict=True)]
    error = statistics.stdev(differences) / len(differences) ** 0.5
    mean = 100 * statistics.fmean(each[count] for each in curves)
    return f"{mean:5.1f} ({statistics.fmean(differences):+5.1f} ± {error:3.1f})"


if __name__ == "__main__":
    main()
