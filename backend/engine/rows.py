"""Keep what the next step needs to know of every row, as tensors on the model's device.

A step reads and writes them in place, so that a captured graph can be replayed without the host.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backend.engine.requests import Decoding

REPEAT_WINDOW = 24
"""Last tokens of the thought that the repetition penalty applies to."""

NEVER = 1 << 40
"""Step at which a thought is closed from outside, where it never is."""

_INTS = ("token", "length", "step", "closes_at", "inside", "forced", "top_k", "seed", "adapter")
_FLOATS = ("temperature", "top_p", "penalty")


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a row starts with: its last prompt token, the tokens before that one, and how it is decoded."""

    token: int
    length: int
    decoding: Decoding
    closes_at: int
    adapter: int = 0


class RowState:
    """The state of all rows; the live ones are the first.

    `token` was chosen last and is computed next; `length` tokens are before it; `step` tokens
    were chosen so far, the last of them in `recent`. `inside`: the thought is still open.
    """

    def __init__(self, rows: int, device: torch.device) -> None:
        self.ints = torch.zeros((rows, len(_INTS) + REPEAT_WINDOW), dtype=torch.int64, device=device)
        self.floats = torch.zeros((rows, len(_FLOATS)), device=device)

    def view(self, count: int) -> "RowView":
        """View the first rows."""
        return RowView(self.ints[:count], self.floats[:count])

    def load(self, first: int, starts: Sequence[Start]) -> None:
        """Set rows, from the first on, to how they start."""
        ints = [
            [
                start.token,
                start.length,
                0,
                start.closes_at,
                int(start.decoding.thinks),
                0,
                start.decoding.top_k,
                start.decoding.seed,
                start.adapter,
                *[-1] * REPEAT_WINDOW,
            ]
            for start in starts
        ]
        floats = [
            [start.decoding.temperature, start.decoding.top_p, start.decoding.repetition_penalty]
            for start in starts
        ]
        end = first + len(starts)
        self.ints[first:end] = torch.tensor(ints, dtype=torch.int64).to(self.ints.device, non_blocking=True)
        self.floats[first:end] = torch.tensor(floats).to(self.floats.device, non_blocking=True)

    def move(self, source: Tensor, target: Tensor) -> None:
        """Copy rows over others; no row is both."""
        self.ints[target] = self.ints[source]
        self.floats[target] = self.floats[source]

    def grow(self, rows: int) -> None:
        """Enlarge to so many rows, keeping what is stored."""
        for name in ("ints", "floats"):
            old: Tensor = getattr(self, name)
            new = old.new_zeros((rows, old.shape[1]))
            new[: old.shape[0]] = old
            setattr(self, name, new)


class RowView:
    """Columns of the first rows, each (B,), `recent` (B, REPEAT_WINDOW); written in place."""

    def __init__(self, ints: Tensor, floats: Tensor) -> None:
        columns = dict(zip(_INTS, ints.unbind(1)[: len(_INTS)], strict=True))
        self.token = columns["token"]
        self.length = columns["length"]
        self.step = columns["step"]
        self.closes_at = columns["closes_at"]
        self.inside = columns["inside"]
        self.forced = columns["forced"]
        self.top_k = columns["top_k"]
        self.seed = columns["seed"]
        self.adapter = columns["adapter"]
        self.recent = ints[:, len(_INTS) :]
        self.temperature, self.top_p, self.penalty = floats.unbind(1)
