"""Attribute errors to causes: a decision list over the tags of a row, each cause with what can be done.

The first cause that applies is the row's. A tag that most right rows have as well explains nothing and is
passed over. Pure.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from studio.contract import Prediction

Cause = Literal[
    "label_wrong",
    "chain_contradicts",
    "chain_right",
    "chain_wrong",
    "format",
    "outside",
    "boundary",
    "unexplained",
]
Action = Literal["relabel", "rewrite_chain", "add_similar", "merge_or_split", "leave"]

USUAL = 0.5
"""Share of the right rows above which a tag is usual and explains no error."""
BOTH_WAYS = 2
"""Errors in each direction that make a pair of categories a boundary case."""


@dataclass(frozen=True, kw_only=True)
class CauseText:
    """How a cause is named and explained, and the action that it calls for."""

    name: tuple[str, str]
    meaning: tuple[str, str]
    action: Action


CAUSES: Mapping[Cause, CauseText] = {
    "label_wrong": CauseText(
        name=("标签看来有误", "The label looks wrong"),
        meaning=(
            "几条线索一致指向别的类别。请重新标注这条评估标题；改了以后，旧得分也会不同。",
            "Several signals agree on another category. Relabel this evaluation title; its old scores were "
            "measured against a wrong label.",
        ),
        action="relabel",
    ),
    "chain_right": CauseText(
        name=("思维链对，答案错", "Chain right, answer wrong"),
        meaning=(
            "思维链落在正确的类别上，最后一步却写了别的。补充相近的标题，或提高类别词元的权重（label_weight）。",
            "The chain concludes with the right category, the last step writes another. Add similar titles, "
            "or raise label_weight.",
        ),
        action="add_similar",
    ),
    "chain_contradicts": CauseText(
        name=("思维链与答案矛盾", "Chain contradicts the answer"),
        meaning=(
            "模型写的思维链与它自己的答案不一致。检查最相近的训练行：它们的思维链是否落在自己的类别上。",
            "The model's chain and its answer disagree. Check whether the chains of the nearest training "
            "rows conclude with their own category.",
        ),
        action="rewrite_chain",
    ),
    "chain_wrong": CauseText(
        name=("思维链带偏", "The chain leads astray"),
        meaning=(
            "思维链引用了标题里没有的词，或者不写思维链时答案不同。重写最相近的训练行的思维链，让它引用标题原文。",
            "The chain quotes what the title does not say, or without a chain the answer is another. Rewrite "
            "the chains of the nearest training rows so that they quote their titles.",
        ),
        action="rewrite_chain",
    ),
    "format": CauseText(
        name=("格式", "Format"),
        meaning=(
            "回答读不出类别，或思维链写到上限被截断。提高 max_new_tokens 或训练更久，不必改数据。",
            "No category can be read, or the chain was cut off at its limit. Raise max_new_tokens or train "
            "longer; the data need no change.",
        ),
        action="leave",
    ),
    "outside": CauseText(
        name=("训练集里没有类似的", "Outside the training data"),
        meaning=(
            "训练集里没有相近的标题。把待标注标题里相近的排到前面。",
            "Nothing in the training data resembles it. Put similar waiting titles first in the label queue.",
        ),
        action="add_similar",
    ),
    "boundary": CauseText(
        name=("两类的边界", "Border of two categories"),
        meaning=(
            "这两类互相答错，或最近的训练行就属于另一类。先定清楚两类的界线（合并、拆分或写一条细则），再谈标题。",
            "These two categories are confused both ways, or the nearest training row has the other one. "
            "Settle the border first (merge, split, or a rule for the pair), then the titles.",
        ),
        action="merge_or_split",
    ),
    "unexplained": CauseText(
        name=("原因不明", "Unexplained"),
        meaning=(
            "没有一条线索说得通。单条错误不必处理。",
            "No signal explains it. A single error of this kind needs no action.",
        ),
        action="leave",
    ),
}
ACTION_NAMES: Mapping[Action, tuple[str, str]] = {
    "relabel": ("重新标注", "Relabel"),
    "rewrite_chain": ("重写思维链", "Rewrite chains"),
    "add_similar": ("补充相近标题", "Add similar titles"),
    "merge_or_split": ("合并或拆分类别", "Merge or split categories"),
    "leave": ("不处理", "Leave"),
}

_BY_TAG: Mapping[Cause, tuple[str, ...]] = {
    "label_wrong": ("suspect_label",),
    "chain_right": ("chain_right",),
    "chain_contradicts": ("chain_contradicts",),
    "chain_wrong": ("quotes_absent", "mode_flip"),
    "format": ("unparsed", "forced"),
    "outside": ("no_near_row",),
    "boundary": ("near_other_label",),
    "unexplained": (),
}


def attribute(rows: Sequence[Prediction], tags: Mapping[int, Sequence[str]]) -> dict[int, Cause]:
    """Attribute each wrong row to a cause, by row number."""
    wrong = [row for row in rows if row.predicted != row.label]
    telling = _telling([row for row in rows if row.predicted == row.label], tags)
    pairs = Counter((row.label, row.predicted) for row in wrong)

    def is_border(row: Prediction) -> bool:
        there, back = pairs[row.label, row.predicted], pairs[row.predicted or "", row.label]
        return min(there, back) >= BOTH_WAYS

    return {row.row: _cause(row, tags.get(row.row, ()), telling, is_border) for row in wrong}


def _telling(right: Sequence[Prediction], tags: Mapping[int, Sequence[str]]) -> Callable[[str], bool]:
    """Tell which tags are not usual among the right rows."""
    counts = Counter(tag for row in right for tag in tags.get(row.row, ()))
    return lambda tag: counts[tag] <= USUAL * len(right)


def _cause(
    row: Prediction,
    tags: Sequence[str],
    telling: Callable[[str], bool],
    is_border: Callable[[Prediction], bool],
) -> Cause:
    # An answer that broke off has no conclusion that a chain could contradict.
    broke_off = "unparsed" in tags or "forced" in tags
    for cause, names in _BY_TAG.items():
        if broke_off and cause.startswith("chain"):
            continue
        if any(tag in tags and telling(tag) for tag in names) or (cause == "boundary" and is_border(row)):
            return cause
    return "unexplained"


def by_cause(rows: Iterable[Prediction], causes: Mapping[int, Cause]) -> dict[Cause, list[Prediction]]:
    """Group wrong rows by their cause, in the order of the list; causes without a row are absent."""
    found: dict[Cause, list[Prediction]] = {cause: [] for cause in CAUSES}
    for row in rows:
        if row.row in causes:
            found[causes[row.row]].append(row)
    return {cause: grouped for cause, grouped in found.items() if grouped}
