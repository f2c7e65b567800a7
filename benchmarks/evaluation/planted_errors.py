"""Flip training labels on purpose, and count how many each ranking finds; remove rows and train again.

    python -m benchmarks.evaluation.planted_errors OUT [--seeds 0 1 2 3 4] [--flips chain answer]
        [--folds] [--retrain] [--at-once 1]

5 % of the bundled training labels become another category at random, by seed: with `chain` the chain is
rewritten to conclude with it, with `answer` the chain still argues for the old one. The default recipe is
trained on them, `backend.influence` ranks the rows, and the flipped ones in its top tenth are counted
against cleanlab's self-confidence and the label scan's ranking (both on the same cross-validated TF-IDF
probabilities) and chance. With --folds the method can be chosen: four fifths of the training rows are
learned, and no evaluation row is looked at. With --retrain the top tenth is removed and the recipe trained
again, against a random tenth: how many of the wrong answers are right then, and the accuracy.
"""

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from studio.contract import InfluenceSpec, Prediction
from studio.quality.label_ranking import rank_labels
from studio.samples.canonical import read_answer, write_answer
from studio.samples.scheme import load_scheme
from studio.training.presets import sound_default
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL

Row = dict[str, Any]
SHARE_FLIPPED, SHARE_LISTED = 0.05, 0.1


def flip(rows: Sequence[Row], seed: int, kind: str) -> tuple[list[Row], list[int]]:
    """Flip the labels of a seeded draw of the rows; return the rows and which were flipped."""
    rng = random.Random(seed)
    changed: list[Row] = json.loads(json.dumps(rows))
    chosen = sorted(rng.sample(range(len(rows)), round(SHARE_FLIPPED * len(rows))))
    for index in chosen:
        turn = changed[index]["conversations"][-1]
        answer = read_answer(turn["value"])
        old, chain = str(answer.label), answer.chain or ""
        new = rng.choice([name for name in load_scheme().names if name != old])
        if kind == "chain":
            chain = chain.replace(old, "\0").replace(new, old).replace("\0", new)
        turn["value"] = write_answer(chain, new)
    return changed, chosen


def label(row: Row) -> str:
    return str(read_answer(row["conversations"][-1]["value"]).label)


def split(rows: Sequence[Row], fold: int) -> tuple[list[Row], list[Row]]:
    """Split off every fifth row of each category."""
    by_category: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_category.setdefault(label(row), []).append(index)
    held = {index for indices in by_category.values() for index in indices[fold % 5 :: 5]}
    return [row for i, row in enumerate(rows) if i not in held], [rows[i] for i in sorted(held)]


def train(folder: Path, train_rows: Sequence[Row], eval_rows: Sequence[Row]) -> list[Prediction]:
    """Train the default recipe; return the direct answers to the evaluation rows."""
    data = folder / "data"
    data.mkdir(parents=True)
    for name, part in (("train", train_rows), ("eval", eval_rows)):
        (data / f"{name}.json").write_text(json.dumps(part, ensure_ascii=False), encoding="utf-8")
    info = (BUNDLED_DATASET / "dataset_info.json").read_text(encoding="utf-8")
    (data / "dataset_info.json").write_text(info, encoding="utf-8")
    spec = sound_default(BUNDLED_MODEL, data).model_copy(update={"evaluate_after": ("direct",)})
    (folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
    run_worker("train", folder)
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return [Prediction.model_validate_json(line) for line in lines]


def run_worker(kind: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"backend.{kind}", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])


def suspicion(folder: Path, wrong: Sequence[Prediction]) -> "np.ndarray[Any, Any]":
    """Rank the training rows of a trained folder as the product does."""
    from studio.contract import TrainSpec

    job = folder / "influence"
    job.mkdir()
    spec = TrainSpec.model_validate_json((folder / "spec.json").read_bytes())
    adapter = sorted((folder / "checkpoints").glob("step_*"))[-1]
    given = InfluenceSpec(train=spec, adapter_name_or_path=adapter, run="planted")
    (job / "spec.json").write_text(given.model_dump_json(), encoding="utf-8")
    lines = "".join(f"{each.model_dump_json()}\n" for each in wrong)
    (job / "targets.jsonl").write_text(lines, encoding="utf-8")
    run_worker("influence", job)
    with np.load(job / "influence.npz", allow_pickle=False) as arrays:
        return np.asarray(arrays["suspicion"])


def other_rankings(rows: Sequence[Row]) -> dict[str, "np.ndarray[Any, Any]"]:
    """Rank by cleanlab's self-confidence, and as the label scan does: what it lists, then by margin."""
    prefix = f"{load_scheme().prompt}："
    texts = [row["conversations"][0]["value"].removeprefix(prefix) for row in rows]
    scan, confidence = rank_labels(texts, [label(row) for row in rows])
    return {"label scan": scan, "cleanlab self-confidence": confidence}


def top(scores: "np.ndarray[Any, Any]") -> list[int]:
    count = round(SHARE_LISTED * len(scores))
    found: list[int] = np.argsort(-scores, kind="stable")[:count].tolist()
    return found


def measure(out: Path, seed: int, kind: str, *, folds: bool, retrain: bool) -> dict[str, Any]:
    """Flip, train, rank and count; with `retrain` train twice more."""
    rows: list[Row] = json.loads((BUNDLED_DATASET / "train.json").read_text(encoding="utf-8"))
    held: list[Row] = json.loads((BUNDLED_DATASET / "eval.json").read_text(encoding="utf-8"))
    if folds:
        rows, held = split(rows, seed)
    rows, flipped = flip(rows, seed, kind)
    folder = out / f"{kind}_{seed}"
    answers = train(folder, rows, held)
    wrong = [each for each in answers if each.predicted != each.label]
    rankings = {"influence": suspicion(folder, wrong or answers), **other_rankings(rows)}
    found: dict[str, Any] = {name: len(set(top(each)) & set(flipped)) for name, each in rankings.items()}
    found |= {"flipped": len(flipped), "chance": SHARE_LISTED * len(flipped)}
    if retrain:
        removed = {
            "influence": top(rankings["influence"]),
            "random": random.Random(seed).sample(range(len(rows)), round(SHARE_LISTED * len(rows))),
        }
        found["wrong"], found["accuracy"] = len(wrong), _accuracy(answers)
        for name, gone in removed.items():
            left = [row for index, row in enumerate(rows) if index not in set(gone)]
            again = train(folder / f"without_{name}", left, held)
            fixed = {each.row for each in again if each.predicted == each.label}
            found[f"right without {name}"] = sum(each.row in fixed for each in wrong)
            found[f"accuracy without {name}"] = _accuracy(again)
    print(json.dumps({"flips": kind, "seed": seed, **found}, ensure_ascii=False), flush=True)
    return {"flips": kind, **found}


def _accuracy(answers: Sequence[Prediction]) -> float:
    return fmean(each.predicted == each.label for each in answers)


def print_table(found: Sequence[Mapping[str, Any]], kinds: Sequence[str]) -> None:
    for kind in kinds:
        chosen = [each for each in found if each["flips"] == kind]
        total = sum(each["flipped"] for each in chosen)
        print(f"\nflips: {kind}, {total} in {len(chosen)} trainings; in the top tenth:")
        for name in ("influence", "cleanlab self-confidence", "label scan", "chance"):
            hits = sum(each[name] for each in chosen)
            print(f"  {name:26}{hits:>7.1f}{hits / total:>8.0%}")
        if "wrong" in chosen[0]:
            wrong = sum(each["wrong"] for each in chosen)
            print(f"  wrong answers {wrong}, accuracy {fmean(each['accuracy'] for each in chosen):.1%}")
            for name in ("influence", "random"):
                right = sum(each[f"right without {name}"] for each in chosen)
                rate = fmean(each[f"accuracy without {name}"] for each in chosen)
                print(f"  without {name:12} {right} of them right ({right / wrong:.0%}), accuracy {rate:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--flips", nargs="+", default=["chain", "answer"], choices=["chain", "answer"])
    parser.add_argument("--folds", action="store_true")
    parser.add_argument("--retrain", action="store_true")
    parser.add_argument("--at-once", type=int, default=1)
    options = parser.parse_args()
    todo = [(seed, kind) for kind in options.flips for seed in options.seeds]
    with ThreadPoolExecutor(options.at_once) as pool:
        found = list(
            pool.map(
                lambda each: measure(options.out, *each, folds=options.folds, retrain=options.retrain), todo
            )
        )
    print_table(found, options.flips)


if __name__ == "__main__":
    main()
