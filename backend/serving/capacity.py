"""Decide how many answers of which length are computed at once, by the memory that is free.

Keys and values are kept in a rectangle: as many rows as answers, each as long as the longest. Without a
bound a few requests with a large limit would take all memory of the machine.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

log = logging.getLogger(__name__)

SHARE = 0.4
"""Of the free memory, for keys and values: while the engine enlarges them it holds the old ones too."""
FEW_SLOTS = 16
SHORT_CONTEXT = 2048
"""Neither is gone below before the other is down to it: a conversation still fits, and a few people's."""


@dataclass(frozen=True)
class Capacity:
    """Answers computed at once, and the longest prompt with its answer, in tokens."""

    slots: int
    context: int


def plan(model: PreTrainedModel, *, slots: int, context: int, engines: int = 1) -> Capacity:
    """Plan for a loaded model; `slots` and `context` are what is wanted at most.

    Args:
        model: whose keys and values are kept.
        slots: answers at once.
        context: longest prompt and answer together, in tokens.
        engines: how many keep keys and values of their own.
    """
    wanted = Capacity(slots, min(context, _context_of(model)))
    free = _free_bytes(model)
    if free is None:
        return wanted
    found = fit(wanted, place_bytes=_place_bytes(model), budget=int(SHARE * free) // engines)
    if found != wanted:
        log.warning("%d answers of %d tokens at once, for want of memory", found.slots, found.context)
    return found


def fit(wanted: Capacity, *, place_bytes: int, budget: int) -> Capacity:
    """Reduce what is wanted to what fits: first the answers, then their length, then the answers again."""
    slots, context = wanted.slots, wanted.context
    places = budget // place_bytes
    if slots * context > places:
        slots = max(min(slots, places // context), min(slots, FEW_SLOTS))
    if slots * context > places:
        context = max(min(context, places // slots), min(context, SHORT_CONTEXT))
    if slots * context > places:
        slots = max(1, min(slots, places // context))
    return Capacity(slots, context)


def _config(model: PreTrainedModel) -> Any:
    return model.config.get_text_config()


def _context_of(model: PreTrainedModel) -> int:
    return int(getattr(_config(model), "max_position_embeddings", None) or 2**31)


def _place_bytes(model: PreTrainedModel) -> int:
    """Count the bytes that the keys and values of one token take."""
    config = _config(model)
    heads = int(config.num_attention_heads)
    key_heads = int(getattr(config, "num_key_value_heads", None) or heads)
    width = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    return 2 * int(config.num_hidden_layers) * key_heads * width * model.dtype.itemsize


def _free_bytes(model: PreTrainedModel) -> int | None:
    if model.device.type == "cuda":
        return int(torch.cuda.mem_get_info(model.device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) * 1024
    except (OSError, ValueError, StopIteration):
        return None
