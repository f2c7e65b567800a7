"""Describe what answers titles, whichever engine is behind it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from studio.contract import EngineUsed


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A written answer, its number of tokens, and whether it came to its end.

    `forced`: the thought ran into its limit and was closed from outside. `problem`: why there is no
    answer, where what was asked refused or failed this title alone. `votes`: of several samples, how many
    named each category.
    """

    text: str
    tokens: int
    finished: bool
    forced: bool = False
    problem: str = ""
    votes: dict[str, int] | None = None


def never() -> bool:
    """Go on."""
    return False


class Answering(Protocol):
    """Answers titles under a scheme's prompt."""

    def answer(
        self, titles: Sequence[str], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Written]]:
        """Write an answer with a think chain to each title, as it finishes: (its index, the answer)."""
        ...

    def score(
        self, titles: Sequence[str], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, dict[str, float]]]:
        """Score the categories of each title after an empty chain, as it finishes: their probabilities."""
        ...

    def describe(self) -> EngineUsed:
        """Describe the engine, for the record beside the scores."""
        ...
