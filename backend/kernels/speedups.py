"""What makes training fast on a GPU: fused pieces, and attention over the bounds of samples.

What is chosen here changes roundings, never what is computed. On a CPU the plain forms stay.
"""

from typing import Any

import torch

from backend.kernels.fused_modules import fuse
from backend.kernels.varlen_attention import use_bounded_flash
from backend.modeling.loading import uses_bf16
from studio.contract import TrainSpec


def speed_up(model: Any, spec: TrainSpec) -> bool:
    """Give a model on its device its fastest forms; whether its attention takes the bounds of samples."""
    if not torch.cuda.is_available():
        return False
    fuse(model)
    return use_bounded_flash(model, torch.bfloat16 if uses_bf16(spec.bf16) else torch.float32)
