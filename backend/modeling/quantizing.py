"""QLoRA: the frozen weights in 4 or 8 bit, through bitsandbytes."""

import logging

import torch
from torch import nn
from transformers import BitsAndBytesConfig

from studio.contract import TrainSpec


def quantization(spec: TrainSpec, dtype: torch.dtype) -> BitsAndBytesConfig:
    """The spec's quantization in the words of transformers; matrices are multiplied in `dtype`."""
    if spec.quantization_bit == 8:
        # It says that it rounds its inputs to 16 bit, once a matrix and step.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=spec.quantization_type,
        bnb_4bit_use_double_quant=spec.double_quantization,
        bnb_4bit_compute_dtype=dtype,
    )


def keep_trainable(model: nn.Module) -> None:
    """Let 4-bit layers go on learning after they were evaluated on a CPU.

    With AVX512-BF16 bitsandbytes packs such a layer anew at its first evaluation, and its
    forward pass on the packed weights, used from then on, has no gradient.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010  a plain attribute, not a module
