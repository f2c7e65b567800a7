"""State the verdict of a comparison: four codes with arguments, and their sentences in both languages."""

from dataclasses import dataclass
from typing import Literal

from studio.language import say

VerdictCode = Literal["better", "worse", "no_difference", "not_comparable"]
NoteCode = Literal["one_seed_each", "one_seed", "few_groups", "common_rows", "several_runs", "same_answers"]

FEW_GROUPS = 30
"""Fewer near-duplicate groups than this, and any interval is rough."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a comparison of A with B shows; numbers are 0 to 1.

    `hidden` is the largest difference that the interval still allows, `notes` are what the reader
    must know beside the sentence.
    """

    code: VerdictCode
    a: str
    b: str
    n: int
    difference: float
    hidden: float
    notes: tuple[NoteCode, ...] = ()

    @property
    def sentence(self) -> str:
        """Say it in one sentence."""
        points = {"points": f"{abs(self.difference) * 100:.1f}", "hidden": f"{self.hidden * 100:.1f}"}
        parts: dict[str, object] = {"a": self.a, "b": self.b, "n": self.n, **points}
        match self.code:
            case "better":
                return say(
                    "{b} 比 {a} 好：同样的 {n} 条标题，准确率高 {points} 个百分点，这不是偶然。",
                    "{b} is better than {a}: on the same {n} titles its accuracy is {points} points higher, "
                    "more than chance explains.",
                    **parts,
                )
            case "worse":
                return say(
                    "{b} 比 {a} 差：同样的 {n} 条标题，准确率低 {points} 个百分点，这不是偶然。",
                    "{b} is worse than {a}: on the same {n} titles its accuracy is {points} points lower, "
                    "more than chance explains.",
                    **parts,
                )
            case "no_difference":
                return say(
                    "{n} 条标题看不出 {a} 和 {b} 有差别；差别若有，不超过 {hidden} 个百分点。",
                    "{n} titles show no difference between {a} and {b}; one of up to {hidden} points could "
                    "still hide.",
                    **parts,
                )
            case "not_comparable":
                return say("{a} 和 {b} 不能比较。", "{a} and {b} cannot be compared.", **parts)


def note(code: NoteCode) -> str:
    """Say what a reader must know beside the verdict."""
    match code:
        case "one_seed_each":
            return say(
                "两边各只有一个随机种子：换一个种子，差别可能不同。",
                "One seed each: another seed may give another difference.",
            )
        case "one_seed":
            return say(
                "有一边只有一个随机种子：它的运气没有算进去。",
                "One side has a single seed, whose luck is not accounted for.",
            )
        case "few_groups":
            return say(
                "彼此不同的新闻不到 {few} 件，区间只能参考。",
                "There are fewer than {few} different stories; the interval is rough.",
                few=FEW_GROUPS,
            )
        case "common_rows":
            return say(
                "只比较了都有、且类别相同的标题。",
                "Only titles that all of them have, with the same category, were compared.",
            )
        case "several_runs":
            return say(
                "同时比较了几个运行，p 值已按次数校正。",
                "Several runs were compared at once; the p-values are corrected for that.",
            )
        case "same_answers":
            return say("每条标题的答案都一样。", "Their answers are the same for every title.")
