"""Cache the base model in memory between the trainings of one process.

Each training gets a copy that it may change; the original is never handed out.
"""

import copy
import logging
import os
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from backend.modeling.loading import load_for_training
from studio.contract import TrainSpec

log = logging.getLogger(__name__)

_LOADED_BY = ("model_name_or_path", "finetuning_type", "bf16")
"""Fields of the spec that decide what is loaded; quantized models are not kept."""
MEMORY_SHARE = 0.8
"""Share of the free memory that the copy may take; the rest is for the training itself."""


class BaseCache:
    """Loads base models, and caches the last one where memory allows."""

    def __init__(self) -> None:
        self.loads = 0
        self._cached: PreTrainedModel | None = None
        self._key: tuple[Any, ...] = ()

    def load(self, spec: TrainSpec) -> PreTrainedModel:
        """Load the spec's base model, or copy it from the cache; the caller may change it."""
        key = tuple(getattr(spec, name) for name in _LOADED_BY)
        if self._cached is None or key != self._key or spec.quantization_bit:
            self._cached = None
            self.loads += 1
            loaded = load_for_training(spec)
            if spec.quantization_bit or not fits_a_copy(loaded):
                return loaded
            self._cached, self._key = loaded, key
        else:
            log.info("the base model is copied from the cache")
        return copy.deepcopy(self._cached)


def fits_a_copy(model: PreTrainedModel) -> bool:
    """Whether the memory of this machine fits another copy of the model's weights."""
    weights = sum(weight.nbytes for weight in model.parameters())
    return weights < MEMORY_SHARE * free_bytes()


def free_bytes() -> int:
    """Return the memory available without swapping; the whole memory where the system does not tell."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as lines:
            available = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(available.split()[1]) * 1024
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
