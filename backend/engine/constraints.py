"""Restrict what an answer may say: small pieces, each a state machine over the tokens of one answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Restriction(Protocol):
    """A constraint at work on one answer."""

    def allowed(self, inside: bool) -> Tensor | None:
        """Return the tokens that may come next, their ids; None: any. `inside`: the thought is open."""

    def push(self, token: int, inside: bool) -> None:
        """Note the token that was chosen; `inside`: the thought was open before it."""

    @property
    def complete(self) -> bool:
        """Whether the answer is whole, so that nothing needs to come after it."""


class Constraint(Protocol):
    """What restricts an answer; it starts anew for each."""

    def start(self) -> Restriction:
        """Start on an answer of which nothing is written yet."""


@dataclass
class OneOf:
    """Has the answer behind the thought be one of some texts, such as the categories.

    `choices` are their tokens as they follow the closed thought, the end token not included.
    """

    choices: Sequence[Sequence[int]]

    def start(self) -> Restriction:
        """Start before the first token."""
        return _OneOfRestriction([tuple(choice) for choice in self.choices])


class _OneOfRestriction:
    def __init__(self, choices: list[tuple[int, ...]]) -> None:
        self._choices = choices
        self._written: tuple[int, ...] = ()

    def allowed(self, inside: bool) -> Tensor | None:
        if inside or self.complete:
            return None
        import torch

        place = len(self._written)
        return torch.tensor(sorted({choice[place] for choice in self._open() if len(choice) > place}))

    def push(self, token: int, inside: bool) -> None:
        if not inside:
            self._written = (*self._written, token)

    @property
    def complete(self) -> bool:
        going = self._open()
        return bool(self._written) and all(len(choice) == len(self._written) for choice in going)

    def _open(self) -> list[tuple[int, ...]]:
        place = len(self._written)
        return [choice for choice in self._choices if choice[:place] == self._written]
