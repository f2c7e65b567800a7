"""Find cohorts in which errors gather: every leaf of a tree of depth two over the tags.

A cohort is one or two tags that its rows have, or lack. The most extreme of hundreds of cohorts looks bad by
chance alone; so each is held against the most extreme one of shuffled outcomes (max-T permutation, Westfall
and Young 1993), which keeps the chance of any false finding at 5 %. Near copies of a title count once: a
story told five times is no evidence five times. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.contract import Prediction
from studio.evaluation.tags import NOT, kind_of, tag_name
from studio.language import say
from studio.samples.similarity import group_near

SMALLEST = 15
"""Rows that a cohort has at least."""
ALARM = 0.05
"""Chance that any cohort is reported where errors fall at random."""
SHUFFLES, FEWEST_SHUFFLES = 999, 199
WORK = 2e10
"""Products that the shuffles may take; more rows or cohorts get fewer shuffles."""
MOST_TAGS = 40
"""Tags that are combined, those nearest to half of the rows first."""
SAME = 0.6
"""Overlap (Jaccard) from which two cohorts are the same finding."""
MOST_FOUND = 5
SECOND_TAG = 0.5
"""Standard deviations that a second tag has to add."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Rows with these tags (`!` before a tag: without it), their errors, and those of the other rows.

    `p_value` is corrected for the search over all cohorts.
    """

    tags: tuple[str, ...]
    rows: int
    errors: int
    other_rows: int
    other_errors: int
    p_value: float

    @property
    def sentence(self) -> str:
        """Say which titles they are and how often they are answered wrong."""
        rate, rest = self.errors / self.rows, self.other_errors / max(1, self.other_rows)
        zh = "、".join(str(tag_name(tag)) for tag in self.tags)
        en = " and ".join(str(tag_name(tag)) for tag in self.tags)
        return say(
            f"{zh}的标题：{self.rows} 条错 {self.errors} 条（{rate:.0%}），其余的错 {rest:.0%}；"
            f"校正后 p = {self.p_value:.3f}。",
            f"Titles with {en}: {self.errors} of {self.rows} wrong ({rate:.0%}), the others {rest:.0%}; "
            f"p = {self.p_value:.3f} after correction.",
        )


@dataclass(frozen=True, kw_only=True)
class CohortSearch:
    """The bad cohorts, the worst first, of how many that were compared over how many rows.

    `visible`: errors that a cohort of 20 rows would have needed to be found; None: more than 20.
    """

    found: tuple[Cohort, ...]
    compared: int
    rows: int
    visible: int | None

    @property
    def nothing_sentence(self) -> str:
        """Say what was searched where nothing was found, and what could have been overlooked."""
        if not self.compared:
            return say(
                f"标题太少，分不出至少 {SMALLEST} 条的组。",
                f"There are too few titles for groups of at least {SMALLEST}.",
            )
        what = say(
            f"没有找到错误特别集中的一组（比较了 {self.compared} 组，每组至少 {SMALLEST} 条）。",
            f"No group was found in which errors gather ({self.compared} compared, {SMALLEST} rows or more).",
        )
        if self.visible is None:
            return what + say("20 条的组即使全错也看不出来。", " A group of 20, all wrong, would not show.")
        return what + say(
            f"20 条的组要错 {self.visible} 条以上才看得出来。",
            f" A group of 20 shows only from {self.visible} errors on.",
        )


def find_cohorts(
    rows: Sequence[Prediction], tags: Mapping[int, Sequence[str]], *, seed: int = 0, most: int = SHUFFLES
) -> CohortSearch:
    """Search every cohort of one or two tags for more errors than chance explains, by `most` shuffles."""
    kept = _one_of_each_story(rows)
    wrong = np.array([row.predicted != row.label for row in kept], dtype=bool)
    literals = _literals(kept, tags)
    names, members = _cohorts(literals, len(kept))
    if not names or not 0 < wrong.sum() < len(kept):
        return CohortSearch(found=(), compared=len(names), rows=len(kept), visible=None)
    matrix = np.stack(members).astype(np.float32)
    sizes = matrix.sum(axis=1)
    excess = _excess(matrix @ wrong.astype(np.float32), sizes, wrong)
    highest = _highest_of_shuffles(matrix, sizes, wrong, seed, most)
    p_values = (1 + (highest[None, :] >= excess[:, None] - 1e-6).sum(axis=1)) / (1 + len(highest))
    found: list[Cohort] = []
    shown: list[Flags] = []
    # Of two descriptions that are as good as one another the shorter one is shown.
    preferred = excess - SECOND_TAG * np.array([len(tags) - 1 for tags in names])
    for index in np.argsort(-preferred, kind="stable"):
        if len(found) == MOST_FOUND:
            break
        if p_values[index] > ALARM or any(_overlap(members[index], other) >= SAME for other in shown):
            continue
        shown.append(members[index])
        found.append(_cohort(names[index], members[index], wrong, float(p_values[index])))
    limit = float(np.quantile(highest, 1 - ALARM))
    return CohortSearch(
        found=tuple(found), compared=len(names), rows=len(kept), visible=_visible(limit, wrong)
    )


def _one_of_each_story(rows: Sequence[Prediction]) -> list[Prediction]:
    """Keep the first row of each group of near copies."""
    repeated = {index for group in group_near([row.title for row in rows]) for index in group[1:]}
    return [row for index, row in enumerate(rows) if index not in repeated]


def _literals(rows: Sequence[Prediction], tags: Mapping[int, Sequence[str]]) -> dict[str, Flags]:
    """Map each tag that may explain errors to the rows that have it; outcomes explain nothing."""
    having: dict[str, Flags] = {}
    for index, row in enumerate(rows):
        for tag in tags.get(row.row, ()):
            if kind_of(tag) != "outcome":
                having.setdefault(tag, np.zeros(len(rows), dtype=bool))[index] = True
    half = len(rows) / 2
    chosen = sorted(having, key=lambda tag: (abs(float(having[tag].sum()) - half), tag))[:MOST_TAGS]
    return {tag: having[tag] for tag in sorted(chosen)}


def _cohorts(literals: Mapping[str, Flags], count: int) -> tuple[list[tuple[str, ...]], list[Flags]]:
    """List the cohorts that are large enough, each set of rows once, by its shortest description."""
    names: list[tuple[str, ...]] = []
    members: list[Flags] = []
    seen: set[bytes] = set()
    for tags, flags in _descriptions(literals):
        size = int(flags.sum())
        key = flags.tobytes()
        if SMALLEST <= size < count and key not in seen:
            seen.add(key)
            names.append(tags)
            members.append(flags)
    return names, members


def _descriptions(literals: Mapping[str, Flags]) -> Iterator[tuple[tuple[str, ...], Flags]]:
    """Yield one tag or none of it, then every two of different tags."""
    both = {**literals, **{f"{NOT}{tag}": ~flags for tag, flags in literals.items()}}
    yield from (((tag,), flags) for tag, flags in both.items())
    for one, other in combinations(both, 2):
        if one.removeprefix(NOT) != other.removeprefix(NOT):
            yield (one, other), both[one] & both[other]


def _excess(errors: Any, sizes: Any, wrong: Flags) -> Any:
    """Standardize the errors of cohorts: hypergeometric mean and deviation, one-sided."""
    total, share = len(wrong), wrong.mean()
    spread = np.sqrt(sizes * share * (1 - share) * (total - sizes) / (total - 1))
    return (errors - sizes * share) / np.maximum(spread, 1e-9)


def _highest_of_shuffles(matrix: Any, sizes: Any, wrong: Flags, seed: int, most: int) -> Any:
    """Return the most extreme excess of all cohorts under shuffled outcomes, for each shuffle."""
    shuffles = int(np.clip(WORK / matrix.size, FEWEST_SHUFFLES, most))
    random = np.random.default_rng(seed)
    highest = np.empty(shuffles)
    for start in range(0, shuffles, 100):
        count = min(100, shuffles - start)
        shuffled = np.stack([random.permutation(wrong) for _ in range(count)], axis=1)
        errors = matrix @ shuffled.astype(np.float32)
        highest[start : start + count] = _excess(errors, sizes[:, None], wrong).max(axis=0)
    return highest


def _cohort(tags: tuple[str, ...], members: Flags, wrong: Flags, p_value: float) -> Cohort:
    errors, rows = int(wrong[members].sum()), int(members.sum())
    return Cohort(
        tags=tags,
        rows=rows,
        errors=errors,
        other_rows=len(wrong) - rows,
        other_errors=int(wrong.sum()) - errors,
        p_value=p_value,
    )


def _overlap(one: Flags, other: Flags) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def _visible(limit: float, wrong: Flags, size: int = 20) -> int | None:
    """Return the errors from which a cohort of that size is beyond what shuffles reach."""
    if size >= len(wrong):
        return None
    excess = _excess(np.arange(size + 1.0), np.full(size + 1, float(size)), wrong)
    beyond = np.flatnonzero(excess > limit)
    return int(beyond[0]) if len(beyond) else None
