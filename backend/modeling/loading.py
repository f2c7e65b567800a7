"""Load weights from disk, quantized or not, with or without an adapter."""

import os
from pathlib import Path
from typing import Any, TypeVar

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, PreTrainedModel

from backend.modeling.adapters import attach_adapter, require_fitting
from backend.modeling.tokenizers import unusable
from backend.modeling.trust import is_allowed, require_safe
from studio.contract import TrainSpec

AnyModel = TypeVar("AnyModel", PreTrainedModel, PeftModel)


def on_device(model: AnyModel) -> AnyModel:
    """Move the model to the first GPU, or to the CPU where there is none."""
    torch.nn.Module.to(model, "cuda" if torch.cuda.is_available() else "cpu")
    return model


def uses_bf16(wanted: bool | None) -> bool:
    """Whether to train in bfloat16; None: on a GPU that has it.

    Not on a CPU, though many are faster in it: a small model answered worse (docs/experiments.md).
    """
    if wanted is None:
        return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported())
    return wanted


def dtype_for_use() -> torch.dtype:
    """Return the dtype for evaluation and serving: bfloat16 on a GPU that has it, else float32."""
    return torch.bfloat16 if uses_bf16(None) else torch.float32


def load_model(
    folder: Path, adapter: Path | None = None, *, dtype: torch.dtype | None = None
) -> PreTrainedModel:
    """Load a causal language model, and merge an adapter into it if one is given.

    The base is loaded as it is on disk, also for an adapter that was trained on a
    quantized one: merging into 4-bit weights would round most of the adapter away.

    Args:
        folder: of the base model.
        adapter: folder of a LoRA adapter; checked before the base is loaded.
        dtype: None: see dtype_for_use.

    Raises:
        ModelUnusable: missing or incomplete files, pickles, or an adapter for another base.
    """
    require_fitting(adapter, folder)
    model = _load(folder, dtype or dtype_for_use())
    if adapter is None:
        return model
    merged: PreTrainedModel = attach_adapter(model, adapter, folder).merge_and_unload()
    return merged


def load_with_adapter(folder: Path, adapter: Path) -> PeftModel:
    """Load a model in float32 with a LoRA adapter whose matrices require gradients, unmerged.

    Raises:
        ModelUnusable: see load_model.
    """
    require_fitting(adapter, folder)
    return attach_adapter(_load(folder, torch.float32), adapter, folder, is_trainable=True)


def load_for_training(spec: TrainSpec) -> PreTrainedModel:
    """Load the spec's base model for training: frozen weights small, trained ones exact.

    full: float32. lora and freeze: bfloat16 where the run computes in it, since frozen
    weights gain nothing from more; with `quantization_bit` the linear layers in 4 or 8 bit.

    Raises:
        ModelUnusable: see load_model.
    """
    in_bf16 = spec.finetuning_type != "full" and uses_bf16(spec.bf16)
    dtype = torch.bfloat16 if in_bf16 else torch.float32
    if spec.quantization_bit is None:
        return _load(spec.model_name_or_path, dtype)
    # Here, not above: bitsandbytes takes seconds to import.
    from backend.modeling.quantizing import keep_trainable, quantization

    device: int | str = int(os.environ.get("LOCAL_RANK", "0")) if torch.cuda.is_available() else "cpu"
    model = _load(
        spec.model_name_or_path,
        dtype,
        quantization_config=quantization(spec, dtype),
        device_map={"": device},
    )
    keep_trainable(model)
    return model


def _load(folder: Path, dtype: torch.dtype, **options: Any) -> PreTrainedModel:
    require_safe(folder)
    allowed = is_allowed(folder)
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            # None: safetensors where there are any. Pickles are then read with weights_only.
            use_safetensors=None if allowed else True,
            trust_remote_code=allowed,
            local_files_only=True,
            **options,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise unusable(folder, error) from error
    return model
