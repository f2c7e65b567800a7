"""Restrict what an answer may say: small pieces, each a state machine over the tokens of one answer."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Restriction(Protocol):
    """A constraint at work on one answer."""

    def allowed(self, inside: bool) -> Tensor | None:
        """Return the tokens that alone may come next, their ids; None: any. `inside`: the thought is open."""

    def banned(self, inside: bool) -> Tensor | None:
        """Return the tokens that may not come next, their ids; None: none."""

    def push(self, token: int, inside: bool) -> None:
        """Note the token that was chosen; `inside`: the thought was open before it."""

    @property
    def complete(self) -> bool:
        """Whether the answer is whole, so that nothing needs to come after it."""


class Constraint(Protocol):
    """What restricts an answer; it starts anew for each."""

    def start(self) -> Restriction:
        """Start on an answer of which nothing is written yet."""


@dataclass(frozen=True)
class Limits:
    """What the constraints of a step's rows add up to: (row, token) pairs, on the model's device.

    Args:
        only_rows: the rows that have `only_pairs`, (R,).
        only_pairs: place in only_rows, and a token that may come, (2, N).
        never_pairs: row, and a token that may not, (2, M).
    """

    only_rows: Tensor
    only_pairs: Tensor
    never_pairs: Tensor

    @staticmethod
    def of(
        rows: Sequence[Sequence[Restriction]], inside: Sequence[bool], device: torch.device
    ) -> "Limits | None":
        """Collect what each row's restrictions say; None: nothing."""
        only: list[Tensor] = []
        never: list[Tensor] = []
        limited: list[int] = []
        forbidden: list[int] = []
        for row, restrictions in enumerate(rows):
            found: Tensor | None = None
            for restriction in restrictions:
                ids = restriction.allowed(inside[row])
                if ids is not None:
                    found = ids if found is None else found[torch.isin(found, ids)]
                banned = restriction.banned(inside[row])
                if banned is not None:
                    never.append(banned)
                    forbidden.append(row)
            if found is not None:
                only.append(found)
                limited.append(row)
        if not only and not never:
            return None
        return Limits(
            torch.tensor(limited, dtype=torch.int64).to(device),
            _pairs(list(range(len(limited))), only).to(device),
            _pairs(forbidden, never).to(device),
        )

    def apply(self, scores_BV: Tensor) -> None:
        """Rule out the tokens that may not come, in place."""
        if self.only_rows.numel():
            ruled_out = torch.ones(
                (len(self.only_rows), scores_BV.shape[1]), dtype=torch.bool, device=scores_BV.device
            )
            ruled_out[self.only_pairs[0], self.only_pairs[1]] = False
            scores_BV[self.only_rows] = scores_BV[self.only_rows].masked_fill(ruled_out, -torch.inf)
        if self.never_pairs.numel():
            scores_BV[self.never_pairs[0], self.never_pairs[1]] = -torch.inf


def _pairs(rows: list[int], tokens: list[Tensor]) -> Tensor:
    """Pair each row with its tokens, (2, N)."""
    if not rows:
        return torch.empty((2, 0), dtype=torch.int64)
    lengths = torch.tensor([len(ids) for ids in tokens])
    return torch.stack([torch.tensor(rows).repeat_interleave(lengths), torch.cat(tokens)])


@dataclass
class OneOf:
    """Has the answer behind the thought be one of some texts, such as the categories.

    `choices` are their tokens as they follow the closed thought, the end token not included.
    """

    choices: Sequence[Sequence[int]]

    @staticmethod
    def of(answers: Sequence[Sequence[int]], end: Sequence[int]) -> "OneOf":
        """Build it from whole answers: the end token stays only where another answer goes on."""
        bare = [tuple(itertools.takewhile(lambda token: token not in end, answer)) for answer in answers]

        def goes_on(own: tuple[int, ...]) -> bool:
            return any(other != own and other[: len(own)] == own for other in bare)

        return OneOf(
            [tuple(answer) if goes_on(own) else own for answer, own in zip(answers, bare, strict=True)]
        )

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
        place = len(self._written)
        return torch.tensor(sorted({choice[place] for choice in self._open() if len(choice) > place}))

    def banned(self, inside: bool) -> Tensor | None:
        return None

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
