"""Define a preference pair: its kind, its two answers, who preferred one, and why. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from studio.language import say
from studio.messages import shown
from studio.samples.canonical import write_answer

Kind = Literal["dispute", "edit", "draft", "wrong", "sampled", "runs"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order of trust: of near duplicates the first is kept."""
Form = Literal["chain", "direct"]

_NAMES: Mapping[Kind, tuple[str, str]] = {
    "dispute": ("复核定下的争议", "disputes settled in review"),
    "edit": ("改过的决定", "corrected decisions"),
    "draft": ("改过或退掉的草稿", "edited and rejected drafts"),
    "wrong": ("报错的回答", "answers reported as wrong"),
    "sampled": ("采样的回答，对的胜过错的", "sampled answers, right over wrong"),
    "runs": ("两个运行答得不同", "two runs that differ"),
}


def kind_name(kind: Kind) -> str:
    """Name a kind of pairs."""
    return say(*_NAMES[kind])


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerSide:
    """One answer of a pair; `by` is the person, the model or the run that gave it."""

    category: str
    chain: str | None
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PreferencePair:
    """Two answers to one title, of which a person or a label prefers the first.

    `person` preferred it at `at` (UTC, ISO 8601) with `comment`, typed or a stored message. `sources`
    names the rows and runs that it was derived from. `title_id` is None for a title that the workspace
    does not have.
    """

    kind: Kind
    title_id: int | None
    title: str
    chosen: AnswerSide
    rejected: AnswerSide
    person: str
    at: str
    comment: str | None = None
    sources: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def form(self) -> Form:
        """Whether the answers are compared with their chains, or by the category alone.

        Where one of them has no chain neither is given one: else the pair would teach to write a
        chain, or not to, whatever the category.
        """
        return "chain" if self.chosen.chain and self.rejected.chain else "direct"

    @property
    def confused(self) -> tuple[str, str] | None:
        """The two categories that were confused, the right one first; None where only the chains differ."""
        if self.chosen.category == self.rejected.category:
            return None
        return self.chosen.category, self.rejected.category

    @property
    def says_something(self) -> bool:
        """Whether the two answers differ in what would be trained on."""
        return self.answer("chosen") != self.answer("rejected")

    @property
    def comment_text(self) -> str:
        """The comment as its reader sees it; often empty."""
        return shown(self.comment) or ""

    def answer(self, which: Literal["chosen", "rejected"]) -> str:
        """Write one of the answers in canonical form."""
        side = self.chosen if which == "chosen" else self.rejected
        return write_answer((side.chain or "") if self.form == "chain" else "", side.category)

    def to_json(self) -> dict[str, Any]:
        """Build the entry of a pair in the documents of `pairs list` and of a version."""
        return {**asdict(self), "form": self.form, "sources": dict(self.sources)}
