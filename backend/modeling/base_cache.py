"""A base model that stays in memory between the trainings of one process.

Each training gets a copy that it may change; the original is never handed out.
"""

import copy
import logging
import os
from typing import Any

from transformers import PreTrainedModel

from backend.modeling.loading import load_for_training
from studio.contract import TrainSpec

log = logging.getLogger(__name__)

_LOADED_BY = ("model_name_or_path", "finetuning_type", "bf16")
"""Fields of the spec that decide what is loaded; quantized models are not kept."""
SHARE_TO_FILL = 0.8
"""Of the free memory, by the copy; the rest is for the training itself."""


class ResidentBase:
    """Loads base models for trainings, and keeps the last one where memory allows."""

    def __init__(self) -> None:
        self.loads = 0
        self._kept: PreTrainedModel | None = None
        self._key: tuple[Any, ...] = ()

    def load(self, spec: TrainSpec) -> PreTrainedModel:
        """The spec's base model, the caller's own."""
        key = tuple(getattr(spec, name) for name in _LOADED_BY)
        if self._kept is None or key != self._key or spec.quantization_bit:
            self._kept = None
            self.loads += 1
            loaded = load_for_training(spec)
            if spec.quantization_bit or not has_room(loaded):
                return loaded
            self._kept, self._key = loaded, key
        else:
            log.info("the base model is in memory already")
        return copy.deepcopy(self._kept)


def has_room(model: PreTrainedModel) -> bool:
    """Whether the memory of this machine holds another copy of the model's weights."""
    weights = sum(weight.nbytes for weight in model.parameters())
    return weights < SHARE_TO_FILL * free_bytes()


def free_bytes() -> int:
    """Memory that can be had without swapping; the whole memory where the system does not tell."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            available = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(available.split()[1]) * 1024
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
