"""Compare evaluations on the same titles: what was fixed, what broke, and whether it is more than chance.

A is the earlier side, B the later one: `fixed` titles only B gets right, `broken` ones only A. A side is
one evaluation, or several that differ in the seed alone. Pure: knows no workspace.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from studio.contract import UNPARSED, Confusion
from studio.evaluation import seeds
from studio.evaluation.alignment import Aligned, near_groups
from studio.evaluation.paired import (
    ALPHA,
    Integers,
    PairedRows,
    Reals,
    flip_signs,
    group_sums,
    holm,
    interval,
    mcnemar,
    resample,
)
from studio.evaluation.power import effective_rows, visible_difference
from studio.evaluation.scores import category_scores
from studio.evaluation.verdicts import FEW_GROUPS, NoteCode, Verdict, VerdictCode
from studio.stats import wilson_interval


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a comparison: its name and, for each of its seeds, the answers to the shared rows."""

    name: str
    said: tuple[Integers, ...]

    @cached_property
    def answers(self) -> Integers:
        """Return the answers; of several seeds, what most of them say, the first where none leads."""
        if len(self.said) == 1:
            return self.said[0]
        votes = np.stack(self.said)
        counts = (votes[:, None, :] == votes[None, :, :]).sum(axis=1)
        return np.asarray(np.take_along_axis(votes, counts.argmax(axis=0)[None], axis=0)[0])


@dataclass(frozen=True, kw_only=True)
class SideScores:
    """The scores of one side on the shared rows; of several seeds the mean."""

    name: str
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    unparsed: int
    seeds: seeds.SeedSpread
    confusion: Confusion

    def to_json(self) -> dict[str, Any]:
        """Build the part of `compare --json` that is one side."""
        return {
            "name": self.name,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_f1": self.macro_f1,
            "unparsed": self.unparsed,
            "seeds": self.seeds.n,
            "seed_sd": self.seeds.sd,
        }


@dataclass(frozen=True, kw_only=True)
class CategoryDifference:
    """One category: its rows, what was fixed and broken, the recalls, the F1 difference, Holm's p-value."""

    name: str
    n: int
    fixed: int
    broken: int
    recall_a: float
    recall_b: float
    f1_a: float
    f1_b: float
    interval: tuple[float, float] | None
    """Of the difference of the recalls; None where no title of it differs."""
    p_value: float
    p_holm: float

    @property
    def is_significant(self) -> bool:
        """Whether it differs also in view of how many categories were looked at."""
        return self.p_holm < ALPHA

    def to_json(self) -> dict[str, Any]:
        """Build the part of `compare --json` that is one category."""
        return {
            "n": self.n,
            "fixed": self.fixed,
            "broken": self.broken,
            "recall_a": self.recall_a,
            "recall_b": self.recall_b,
            "f1_a": self.f1_a,
            "f1_b": self.f1_b,
            "difference": self.recall_b - self.recall_a,
            "interval": None if self.interval is None else list(self.interval),
            "p_value": self.p_value,
            "p_holm": self.p_holm,
            "significant": self.is_significant,
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that a comparison of two sides says; positions of rows are those of the aligned rows."""

    a: SideScores
    b: SideScores
    n: int
    groups: int
    fixed_rows: Integers
    broken_rows: Integers
    difference: float
    interval: tuple[float, float]
    p_value: float
    mcnemar_p: float
    macro_f1_interval: tuple[float, float] | None
    """None where every replicate is the same, which says nothing about other titles."""
    per_category: tuple[CategoryDifference, ...]
    discordance: float
    worth: int
    """How many independent rows the rows are worth, since those of a story are alike."""
    visible: float
    """The smallest difference of accuracies that such rows usually show."""
    verdict: Verdict

    @property
    def fixed(self) -> int:
        """Count the titles that only B gets right."""
        return len(self.fixed_rows)

    @property
    def broken(self) -> int:
        """Count the titles that only A gets right."""
        return len(self.broken_rows)

    @property
    def difference_matrix(self) -> Integers:
        """Return the confusion matrix of B less that of A."""
        return np.asarray(np.array(self.b.confusion.counts) - np.array(self.a.confusion.counts))

    def to_json(self) -> dict[str, Any]:
        """Build the document of `news-studio compare --json`, without the titles."""
        return {
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "n": self.n,
            "groups": self.groups,
            "fixed": self.fixed,
            "broken": self.broken,
            "difference": self.difference,
            "interval": list(self.interval),
            "p_value": self.p_value,
            "mcnemar_p": self.mcnemar_p,
            "macro_f1_difference": self.b.macro_f1 - self.a.macro_f1,
            "macro_f1_interval": None if self.macro_f1_interval is None else list(self.macro_f1_interval),
            "verdict": self.verdict.code,
            "sentence": str(self.verdict.sentence),
            "notes": list(self.verdict.notes),
            "discordance": self.discordance,
            "effective_rows": self.worth,
            "visible_difference": self.visible,
            "per_category": {each.name: each.to_json() for each in self.per_category},
        }


def compare_all(aligned: Aligned, sides: Sequence[Side]) -> list[Comparison]:
    """Compare the first side with each other one; with several, p-values are corrected by Holm."""
    found = [compare(aligned, sides[0], side) for side in sides[1:]]
    if len(found) < 2:
        return found
    adjusted = holm([each.p_value for each in found])
    return [_with_p(each, p_value) for each, p_value in zip(found, adjusted, strict=True)]


def _with_p(comparison: Comparison, p_value: float) -> Comparison:
    verdict = comparison.verdict
    changed = replace(
        verdict, code=_code(p_value, comparison.difference), notes=(*verdict.notes, "several_runs")
    )
    return replace(comparison, p_value=p_value, verdict=changed)


def compare(aligned: Aligned, a: Side, b: Side) -> Comparison:
    """Compare two sides on the rows that they share.

    Raises:
        ValueError: there is no row.
    """
    if not len(aligned):
        raise ValueError("no row to compare")
    k, group = len(aligned.categories), near_groups(aligned.titles)
    rows = PairedRows(label=aligned.label, a=a.answers, b=b.answers, group=group, unparsed=k)
    by_row = rows.difference
    fixed, broken = np.flatnonzero(by_row > 0), np.flatnonzero(by_row < 0)
    resampled = resample(rows)
    difference, reach = float(by_row.mean()), interval(resampled.accuracy)
    p_value = flip_signs(group_sums(group, by_row))
    if len(a.said) > 1 or len(b.said) > 1:
        seeded = seeds.compare_seeds(aligned.label, a.said, b.said, group)
        difference, reach, p_value = seeded.difference, seeded.interval, seeded.p_value
    scores_a, scores_b = side_scores(aligned, a), side_scores(aligned, b)
    groups, discordance = int(group.max()) + 1, float(np.mean(by_row != 0))
    worth = effective_rows(group, by_row)
    return Comparison(
        a=scores_a,
        b=scores_b,
        n=len(aligned),
        groups=groups,
        fixed_rows=fixed,
        broken_rows=broken,
        difference=difference,
        interval=reach,
        p_value=p_value,
        mcnemar_p=mcnemar(len(fixed), len(broken)),
        macro_f1_interval=_open_interval(resampled.macro_f1),
        per_category=_categories(aligned, rows, (a, b), (scores_a, scores_b), resampled.recall),
        discordance=discordance,
        worth=worth,
        visible=visible_difference(worth, round(discordance, 3), grouped=groups < len(aligned)),
        verdict=Verdict(
            code=_code(p_value, difference),
            a=a.name,
            b=b.name,
            n=len(aligned),
            difference=difference,
            hidden=max(abs(reach[0]), abs(reach[1])),
            notes=_notes(aligned, rows, a, b, groups),
        ),
    )


def _open_interval(replicates: Reals) -> tuple[float, float] | None:
    low, high = interval(replicates)
    return (low, high) if low < high else None


def _code(p_value: float, difference: float) -> VerdictCode:
    if p_value >= ALPHA:
        return "no_difference"
    return "better" if difference > 0 else "worse"


def _notes(aligned: Aligned, rows: PairedRows, a: Side, b: Side, groups: int) -> tuple[NoteCode, ...]:
    several = [len(side.said) > 1 for side in (a, b)]
    notes: list[NoteCode] = []
    if np.array_equal(rows.a, rows.b):
        notes.append("same_answers")
    elif not all(several):
        notes.append("one_seed" if any(several) else "one_seed_each")
    if groups < FEW_GROUPS:
        notes.append("few_groups")
    if not aligned.mismatch.is_none:
        notes.append("common_rows")
    return tuple(notes)


def side_scores(aligned: Aligned, side: Side) -> SideScores:
    """Score one side on the shared rows; accuracy and macro F1 are the means of its seeds."""
    matrices = [confusion(aligned, said) for said in side.said]
    accuracies = [float(np.mean(said == aligned.label)) for said in side.said]
    spread = seeds.spread(accuracies)
    macro = [
        np.mean([entry.f1 for entry in category_scores(matrix).values() if entry.support])
        for matrix in matrices
    ]
    return SideScores(
        name=side.name,
        accuracy=spread.mean,
        accuracy_interval=wilson_interval(spread.mean * len(aligned), len(aligned)),
        macro_f1=float(np.mean(macro)),
        unparsed=int(np.sum(side.answers == len(aligned.categories))),
        seeds=spread,
        confusion=confusion(aligned, side.answers),
    )


def confusion(aligned: Aligned, said: Integers) -> Confusion:
    """Count (label, answer) pairs of the shared rows, with a last column for unparsed answers."""
    k = len(aligned.categories)
    counts = np.bincount(aligned.label.astype(np.int64) * (k + 1) + said, minlength=k * (k + 1))
    table = counts.reshape(k, k + 1)
    return Confusion(
        rows=aligned.categories,
        columns=(*aligned.categories, UNPARSED),
        counts=tuple(map(tuple, table.tolist())),
    )


def _categories(
    aligned: Aligned,
    rows: PairedRows,
    sides: tuple[Side, Side],
    scores: tuple[SideScores, SideScores],
    recalls: Reals,
) -> tuple[CategoryDifference, ...]:
    """Compare the recall of every category that has rows; p-values by groups, corrected by Holm."""
    f1_a, f1_b = category_scores(scores[0].confusion), category_scores(scores[1].confusion)
    found = []
    for position, name in enumerate(aligned.categories):
        mine = np.flatnonzero(rows.label == position)
        if not len(mine):
            continue
        by_row, reach = rows.difference[mine], _open_interval(recalls[:, position])
        p_value = flip_signs(group_sums(rows.group[mine], by_row))
        if max(len(side.said) for side in sides) > 1:
            _, group = np.unique(rows.group[mine], return_inverse=True)
            said_a, said_b = ([said[mine] for said in side.said] for side in sides)
            seeded = seeds.compare_seeds(rows.label[mine], said_a, said_b, group)
            p_value, reach = seeded.p_value, seeded.interval
        found.append(
            CategoryDifference(
                name=name,
                n=len(mine),
                fixed=int((by_row > 0).sum()),
                broken=int((by_row < 0).sum()),
                recall_a=_recall(rows.label[mine], [said[mine] for said in sides[0].said]),
                recall_b=_recall(rows.label[mine], [said[mine] for said in sides[1].said]),
                f1_a=f1_a[name].f1,
                f1_b=f1_b[name].f1,
                interval=reach,
                p_value=p_value,
                p_holm=1.0,
            )
        )
    adjusted = holm([each.p_value for each in found])
    return tuple(replace(each, p_holm=p_value) for each, p_value in zip(found, adjusted, strict=True))


def _recall(label: Integers, said: Sequence[Integers]) -> float:
    return float(np.mean([np.mean(each == label) for each in said]))
