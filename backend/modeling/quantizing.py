"""Quantize the frozen weights to 4 or 8 bit through bitsandbytes (QLoRA)."""

import logging

import torch
from torch import nn
from transformers import BitsAndBytesConfig

from studio.contract import TrainSpec


def quantization(spec: TrainSpec, dtype: torch.dtype) -> BitsAndBytesConfig:
    """Translate the spec's quantization for transformers; matrices are multiplied in `dtype`."""
    if spec.quantization_bit == 8:
        # It warns that it casts its inputs to 16 bit, once a matrix and step.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=spec.quantization_type,
        bnb_4bit_use_double_quant=spec.double_quantization,
        bnb_4bit_compute_dtype=dtype,
    )


def keep_trainable(model: nn.Module) -> None:
    """Keep 4-bit layers trainable after an evaluation on a CPU.

    With AVX512-BF16 bitsandbytes repacks such a layer at its first evaluation, and its
    forward pass on the repacked weights, used from then on, has no gradient.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010  a plain attribute, not a module
