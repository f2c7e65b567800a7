"""Decide whether to turn gradient checkpointing on: only where a training does not fit without it."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from studio.contract import TrainSpec
from studio.training.memory import GIB, estimate, shape_of

MEMORY_SHARE = 0.85
"""Of the memory that is free or holds this model already; the rest is for what an estimate cannot know."""


def use_gradient_checkpointing(model: nn.Module, spec: TrainSpec, lengths: Sequence[int]) -> bool:
    """Whether to use gradient checkpointing: as the spec says, else where memory would not suffice.

    True where the shape of the model is unknown. `lengths` are the tokens of each training row.
    """
    if spec.gradient_checkpointing is not None:
        return spec.gradient_checkpointing
    if not torch.cuda.is_available():
        return False
    free, _ = torch.cuda.mem_get_info()
    needed = needed_bytes(model, spec, lengths)
    return needed is None or needed > MEMORY_SHARE * (free + torch.cuda.memory_allocated())


def needed_bytes(model: nn.Module, spec: TrainSpec, lengths: Sequence[int]) -> float | None:
    """Estimate the memory without checkpointing, by the longest rows; None for an unknown model shape."""
    longest = sorted(lengths, reverse=True)
    rows = longest[: spec.per_device_train_batch_size]
    try:
        shape = shape_of(model.config.to_dict())  # type: ignore[union-attr,operator]
    except (KeyError, ValueError, TypeError):
        return None
    plain = spec.model_copy(update={"gradient_checkpointing": False, "cutoff_len": max(rows, default=16)})
    found = estimate(plain, shape, longest=math.ceil(sum(rows) / max(len(rows), 1)))
    return (found.total_gib - found.overhead_gib) * GIB
