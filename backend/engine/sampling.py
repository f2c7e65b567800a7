"""Choose the next token of every row from its logits, on the device, and update the rows' state.

B rows, V vocabulary, N alternatives whose log probabilities are recorded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backend.engine.rows import RowView


@dataclass(frozen=True)
class Plan:
    """What a step has to do beyond the likeliest token, for any of its rows.

    Args:
        samples: a row has a temperature.
        sorts: a sampled row has top_p or top_k.
        penalizes: a row has a repetition penalty.
        thinks: a row's thought is open, or may still be closed from outside.
        top_logprobs: alternatives to record; None: no log probabilities.
    """

    samples: bool = False
    sorts: bool = False
    penalizes: bool = False
    thinks: bool = False
    top_logprobs: int | None = None


@dataclass(frozen=True)
class Chosen:
    """Log probabilities of the chosen tokens (B,), and the likeliest with theirs, (B, N) twice."""

    logprobs: Tensor
    top_ids: Tensor
    top_logprobs: Tensor

    def first(self, count: int) -> "Chosen":
        """Copy what belongs to the first rows: a replayed graph writes to the same memory again."""
        return Chosen(*(x[:count].clone() for x in (self.logprobs, self.top_ids, self.top_logprobs)))


@dataclass(frozen=True)
class Marks:
    """The tokens that end an answer, that close a thought from outside, and that show it is closed."""

    end: tuple[int, ...]
    close: tuple[int, ...]
    mark: tuple[int, ...]


class TokenChooser:
    """Chooses tokens by each row's decoding.

    A thought is closed at its limit, and an answer does not end inside it. The repetition
    penalty covers the last tokens of the thought, and only inside it: transformers' own covers
    all that went before, so that it penalizes a chain that quotes its title, and an answer that
    is the category which the chain argued for. Loops are short, so a short window breaks them too.
    Chosen by cross-validation over the training rows (docs/experiments.md, 2026-11-25).
    `last_place`: of the cache.
    """

    def __init__(self, marks: Marks, device: torch.device) -> None:
        self.end = torch.tensor(marks.end, device=device)
        self.close = torch.tensor(marks.close, device=device)
        self.mark = torch.tensor(marks.mark, device=device)
        self.last_place = 0

    def __call__(
        self, logits_BV: Tensor, rows: RowView, plan: Plan, allowed: Sequence[tuple[int, Tensor]] = ()
    ) -> Chosen | None:
        """Write each row's next token and state; return log probabilities where the plan asks for them.

        `allowed` restricts rows to tokens: (row, their ids).
        """
        scores_BV = logits_BV.float()
        raw_BV = scores_BV.log_softmax(dim=-1) if plan.top_logprobs is not None else None
        if scores_BV.data_ptr() == logits_BV.data_ptr():
            scores_BV = scores_BV.clone()
        if plan.thinks:
            inside_B = rows.inside.bool()
            kept = scores_BV[:, self.end]
            scores_BV[:, self.end] = torch.where(inside_B[:, None], -torch.inf, kept)
        if plan.penalizes:
            self._penalize(scores_BV, rows)
        for row, ids in allowed:
            only = torch.full_like(scores_BV[row], -torch.inf)
            only[ids] = scores_BV[row, ids]
            scores_BV[row] = only
        token_B = scores_BV.argmax(dim=-1)
        if plan.samples:
            sampled_B = _sample(scores_BV, rows, sorts=plan.sorts)
            token_B = torch.where(rows.temperature > 0, sampled_B, token_B)
        if plan.thinks:
            token_B = self._close_thoughts(token_B, rows)
        chosen = None
        if raw_BV is not None:
            top = raw_BV.topk(max(plan.top_logprobs or 0, 1), dim=-1)
            chosen = Chosen(raw_BV.gather(1, token_B[:, None])[:, 0], top.indices, top.values)
        self._advance(token_B, rows, plan)
        return chosen

    def _penalize(self, scores_BV: Tensor, rows: RowView) -> None:
        recent = rows.recent
        # Places that hold nothing yet stand for the last token, which is penalized once in any case.
        ids = torch.where(recent < 0, recent[:, -1:], recent).clamp(min=0)
        before = scores_BV.gather(1, ids)
        penalty = rows.penalty[:, None]
        after = torch.where(before < 0, before * penalty, before / penalty)
        applies = rows.inside.bool() & (rows.step > 0)
        scores_BV.scatter_(1, ids, torch.where(applies[:, None], after, before))

    def _close_thoughts(self, token_B: Tensor, rows: RowView) -> Tensor:
        since = rows.step - rows.closes_at
        within = (since >= 0) & (since < len(self.close))
        rows.forced.logical_or_(within & rows.inside.bool())
        forcing = within & rows.forced.bool()
        return torch.where(forcing, self.close[since.clamp(0, len(self.close) - 1)], token_B)

    def _advance(self, token_B: Tensor, rows: RowView, plan: Plan) -> None:
        if plan.thinks or plan.penalizes:
            rows.recent.copy_(torch.cat([rows.recent[:, 1:], token_B[:, None]], dim=1))
            closed = (rows.recent[:, -len(self.mark) :] == self.mark).all(dim=1)
            rows.inside.logical_and_(~closed)
        rows.token.copy_(token_B)
        # Rows behind the live ones are computed too where a graph is padded: they stay within the cache.
        rows.length.add_(1).clamp_(max=self.last_place)
        rows.step.add_(1)


def _sample(scores_BV: Tensor, rows: RowView, *, sorts: bool) -> Tensor:
    """Draw a token a row by its temperature, top_k and top_p, (B,)."""
    drawn_B = uniform(rows.seed, rows.step)[:, None]
    heat = rows.temperature.clamp(min=1e-4)[:, None]
    if not sorts:
        sums_BV = (scores_BV / heat).softmax(dim=-1).cumsum(dim=-1)
        place = torch.searchsorted(sums_BV, drawn_B * sums_BV[:, -1:], right=True)
        return place.clamp(max=scores_BV.shape[1] - 1)[:, 0]
    sorted_BV, ids_BV = scores_BV.sort(dim=-1, descending=True, stable=True)
    rank = torch.arange(scores_BV.shape[1], device=scores_BV.device)
    top_k = rows.top_k[:, None]
    scaled_BV = (sorted_BV / heat).masked_fill((top_k > 0) & (rank >= top_k), -torch.inf)
    p_BV = scaled_BV.softmax(dim=-1)
    before_BV = p_BV.cumsum(dim=-1) - p_BV
    # The likeliest token stays, however small top_p is.
    p_BV = p_BV.masked_fill((before_BV >= rows.top_p[:, None]) & (rank > 0), 0.0)
    sums_BV = p_BV.cumsum(dim=-1)
    place = torch.searchsorted(sums_BV, drawn_B * sums_BV[:, -1:], right=True)
    return ids_BV.gather(1, place.clamp(max=scores_BV.shape[1] - 1))[:, 0]


def uniform(seed_B: Tensor, step_B: Tensor) -> Tensor:
    """Compute a number in [0, 1) from seed and step alone, so that neighbours change nothing, (B,).

    Source: the mixing of SplitMix64 (Steele, Lea, Flood 2014).
    """
    z = seed_B * -7046029254386353131 + step_B * -4942790177534073029 + -7046029254386353131
    z = (z ^ _shifted(z, 30)) * -4658895280553007687
    z = (z ^ _shifted(z, 27)) * -7723592293110705685
    z = z ^ _shifted(z, 31)
    # 24 bits: what float32 holds exactly, below 1.
    return _shifted(z, 40).float() / float(1 << 24)


def _shifted(z: Tensor, bits: int) -> Tensor:
    """Shift right without sign."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)
