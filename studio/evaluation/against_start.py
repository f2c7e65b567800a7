"""Compare a preference training with the checkpoint that it started from, on the same held-out titles.

The worker answers them with the start before it trains, so that the comparison is there when the run is
over. A training that did not win says so: a loss that fell is no better classifier.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from studio.contract import START, AnswerMode, TrainSpec
from studio.evaluation.compared import compare_entries
from studio.evaluation.comparison import Comparison
from studio.evaluation.entries import Entry, entries_of
from studio.language import say
from studio.runs import Run


@dataclass(frozen=True, kw_only=True)
class AgainstStart:
    """The comparison of a run (B) with its start (A) by one way of answering."""

    answer: AnswerMode
    comparison: Comparison

    @property
    def has_won(self) -> bool:
        """Whether the training is better than its start, more than chance explains."""
        return self.comparison.verdict.code == "better"

    def to_json(self) -> dict[str, Any]:
        """Build the entry of one way of answering in `train --json`."""
        return {**self.comparison.to_json(), "has_won": self.has_won}


def against_start(run: Run) -> list[AgainstStart]:
    """Compare a run with its start by each way of answering that both have; empty for other runs.

    Raises:
        InputError: the predictions of one are gone.
    """
    if not (isinstance(run.spec, TrainSpec) and run.spec.learns_preferences):
        return []
    named = run.record.model_copy(update={"label": say("起点", "the start")})
    before = {
        entry.answer: entry for entry in entries_of(replace(run, folder=run.folder / START, record=named))
    }
    pairs: list[tuple[Entry, Entry]] = [
        (before[entry.answer], entry) for entry in entries_of(run) if entry.answer in before
    ]
    return [AgainstStart(answer=after.answer, comparison=_compare(start, after)) for start, after in pairs]


def _compare(start: Entry, after: Entry) -> Comparison:
    # The two are one run for the comparison, whose keys must differ.
    (run,) = start.runs
    return compare_entries([replace(start, runs=(replace(run, id=f"{run.id}-{START}"),)), after]).comparisons[
        0
    ]


def conclusion(found: Sequence[AgainstStart]) -> str:
    """Say whether the training won, and what to do if it did not; empty without a comparison."""
    if not found:
        return ""
    if any(each.comparison.verdict.code == "worse" for each in found):
        return say(
            "这次偏好训练比起点差：请继续用起点，换小的学习率或更多偏好对再试。",
            "This preference training is worse than its start: keep using the start, and try a lower"
            " learning rate or more pairs.",
        )
    if any(each.has_won for each in found):
        return say("这次偏好训练胜过了起点。", "This preference training won over its start.")
    return say(
        "这次偏好训练没有胜过起点：偏好对的损失降了，不等于分类更准。请继续用起点，或收集更多偏好对。",
        "This preference training did not win over its start: a lower loss on pairs is no better"
        " classification. Keep using the start, or collect more pairs.",
    )
