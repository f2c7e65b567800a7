"""Compute the head's cross-entropy in chunks, never holding the logits of a whole batch.

The vocabulary is the widest layer of a model: 16,000 tokens times 152,000 entries are
10 GB in single precision, and as much again for each copy. Here the head runs over a
few hundred tokens at a time and keeps only the gradient of its input.

N supervised tokens, H width of the hidden state, V vocabulary.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from studio.training.memory import chunk_rows


class ChunkedLoss:
    """The loss of a model's head, in chunks where the head is a plain linear layer at the very end."""

    def __init__(self, model: nn.Module) -> None:
        self.head: Any = model.get_output_embeddings()  # type: ignore[operator]
        self.is_chunked = type(self.head) is nn.Linear and _head_is_last(model, self.head)

    def hidden(self, model: nn.Module, **inputs: Any) -> Tensor:
        """Compute the hidden states that the model passes to its head."""
        assert self.is_chunked
        with _without_head(self.head):
            hidden: Tensor = model(**inputs, use_cache=False).logits
        return hidden

    def nll(self, hidden_NH: Tensor, target_N: Tensor, weight_N: Tensor) -> Tensor:
        """Sum weight times negative log-likelihood in nats, in single precision."""
        device = hidden_NH.device.type
        dtype = (
            torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.head.weight.dtype
        )
        with torch.autocast(device, enabled=False):
            total: Tensor = _ChunkedLoss.apply(  # type: ignore[no-untyped-call]
                hidden_NH.to(dtype), self.head.weight, self.head.bias, target_N, weight_N.float()
            )
        return total


class _ChunkedLoss(torch.autograd.Function):
    """Computes the gradients together with the loss: logits cost more to keep than to use at once."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_NH: Tensor,
        head_VH: Tensor,
        bias_V: Tensor | None,
        target_N: Tensor,
        weight_N: Tensor,
    ) -> Tensor:
        wants_hidden, wants_head, wants_bias = ctx.needs_input_grad[:3]
        dtype = hidden_NH.dtype
        cast_VH = head_VH.to(dtype)
        total = hidden_NH.new_zeros((), dtype=torch.float32)
        dhidden_NH = torch.empty_like(hidden_NH) if wants_hidden else None
        dhead_VH = torch.zeros_like(head_VH) if wants_head else None
        dbias_V = torch.zeros_like(bias_V) if wants_bias and bias_V is not None else None
        size = chunk_rows(head_VH.shape[0])
        for start in range(0, hidden_NH.shape[0], size):
            part = slice(start, start + size)
            logits = F.linear(hidden_NH[part], cast_VH, None if bias_V is None else bias_V.to(dtype))
            scores = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
            target = target_N[part, None]
            total -= (scores.gather(1, target)[:, 0] * weight_N[part]).sum()
            if not (wants_hidden or wants_head or wants_bias):
                del logits, scores
                continue
            # d loss / d logits = weight * (softmax - one-hot), written over the two tensors that hold it.
            scores.exp_().scatter_add_(1, target, scores.new_full((), -1.0).expand_as(target))
            logits.copy_(scores.mul_(weight_N[part, None]))
            if dhidden_NH is not None:
                torch.mm(logits, cast_VH, out=dhidden_NH[part])
            if dhead_VH is not None:
                dhead_VH += logits.T @ hidden_NH[part]
            if dbias_V is not None:
                dbias_V += logits.sum(0)
            del logits, scores  # or the next chunk would be allocated beside this one
        ctx.save_for_backward(dhidden_NH, dhead_VH, dbias_V)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        scaled = [None if d is None else d * gradients[0].to(d.dtype) for d in ctx.saved_tensors]
        return (*scaled, None, None)


@contextmanager
def _without_head(head: nn.Module) -> Iterator[None]:
    head.forward = lambda hidden: hidden
    try:
        yield
    finally:
        del head.forward


@torch.no_grad()
def _head_is_last(model: nn.Module, head: nn.Module) -> bool:
    """Whether logits are the head's very output: no scale, no cap, no slice after it."""
    device = next(model.parameters()).device
    ids = torch.arange(1, 5, device=device)[None]
    was_training = model.training
    model.eval()
    try:
        logits = model(input_ids=ids, use_cache=False).logits
        with _without_head(head):
            hidden = model(input_ids=ids, use_cache=False).logits
        return hidden.shape[-1] == head.in_features and torch.equal(head(hidden), logits)
    finally:
        model.train(was_training)
