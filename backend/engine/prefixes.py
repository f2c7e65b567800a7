"""Remember the keys and values of beginnings that requests share, such as the prompt of all titles."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

SHORTEST = 8
"""Tokens below which copying is not worth the bookkeeping."""


@dataclass(eq=False)
class Prefix:
    """A beginning and its keys and values, per layer (K, T, D) twice."""

    ids: tuple[int, ...]
    adapter: int
    stored: list[tuple[Tensor, Tensor]]


class PrefixStore:
    """The beginnings used last, a bounded number of tokens of them."""

    def __init__(self, most_tokens: int = 8192) -> None:
        self.most_tokens = most_tokens
        self._held: list[Prefix] = []

    def find(self, prompt: Sequence[int], adapter: int) -> tuple[Prefix, int] | None:
        """Find the beginning that has most in common with a prompt, and how many tokens; None: too few.

        The prompt's last token is never taken from here: its logits are still to be computed.
        """
        best: tuple[Prefix, int] | None = None
        for held in self._held:
            if held.adapter != adapter:
                continue
            common = common_length([held.ids, prompt[:-1]])
            if common < len(held.ids):
                # Rows of one start are prefilled together: fewer different starts, fewer forwards.
                common -= common % 16
            if common >= SHORTEST and (best is None or common > best[1]):
                best = held, common
        if best:
            self._held.remove(best[0])
            self._held.append(best[0])
        return best

    def add(self, prefix: Prefix) -> None:
        """Remember a beginning; forget those used longest ago."""
        self._held = [held for held in self._held if held.ids != prefix.ids or held.adapter != prefix.adapter]
        self._held.append(prefix)
        while sum(len(held.ids) for held in self._held) > self.most_tokens and len(self._held) > 1:
            del self._held[0]


def common_length(rows: Sequence[Sequence[int]]) -> int:
    """Count the tokens that all rows begin with."""
    shortest = min(map(len, rows), default=0)
    # The smallest and the largest row differ first where any two do.
    low, high = min(tuple(row[:shortest]) for row in rows), max(tuple(row[:shortest]) for row in rows)
    return next((i for i, (a, b) in enumerate(zip(low, high, strict=True)) if a != b), shortest)
