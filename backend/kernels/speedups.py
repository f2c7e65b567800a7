"""Patch a model on a GPU with fused modules and varlen attention.

A patch changes how numbers are rounded, never what is computed. On a CPU nothing is patched.
"""

from typing import Any

import torch

from backend.kernels.fused_modules import fuse
from backend.kernels.varlen_attention import use_varlen_attention
from backend.modeling.loading import uses_bf16
from studio.contract import TrainSpec


def fuse_modules(model: Any) -> None:
    """Patch a model on a GPU with the fused modules alone, where its batches are padded."""
    if torch.cuda.is_available():
        fuse(model)


def patch_model(model: Any, spec: TrainSpec) -> bool:
    """Patch a model on its device with the fused kernels; return whether its attention is now varlen."""
    if not torch.cuda.is_available():
        return False
    fuse(model)
    return use_varlen_attention(model, torch.bfloat16 if uses_bf16(spec.bf16) else torch.float32)
