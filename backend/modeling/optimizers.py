"""Build optimizer parameter groups for LoRA+: matrix B learns faster than A.

Source: Hayou et al. 2024, "LoRA+: Efficient Low Rank Adaptation of Large Models", section 4.
"""

from typing import Any

import torch
from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel, Trainer, TrainingArguments

from studio.contract import TrainSpec


def make_optimizer(model: PreTrainedModel | PeftModel, spec: TrainSpec) -> torch.optim.Optimizer | None:
    """Build the spec's optimizer over LoRA+ groups; None without LoRA+: the Trainer builds its own."""
    if not spec.loraplus_lr_ratio:
        return None
    assert isinstance(model, PeftModel), "the spec allows loraplus_lr_ratio with lora only"
    arguments = TrainingArguments(
        output_dir="unused",
        optim=spec.optim,
        learning_rate=spec.learning_rate,
        use_cpu=not torch.cuda.is_available(),
        report_to="none",
    )
    kind, options = Trainer.get_optimizer_cls_and_kwargs(arguments)
    optimizer: torch.optim.Optimizer = kind(loraplus_groups(model, spec), **options)
    if "8bit" in spec.optim:
        _keep_embeddings_exact(model)
    return optimizer


def loraplus_groups(model: nn.Module, spec: TrainSpec) -> list[dict[str, object]]:
    """Group parameters by learning rate: only LoRA's B matrices learn `loraplus_lr_ratio` times faster.

    Biases, norms, DoRA's magnitudes and whole modules beside the adapter do not: the reason
    for the ratio, B's start at zero, holds for none of them. Vectors have no weight decay.
    """
    assert spec.loraplus_lr_ratio
    groups: dict[str, list[nn.Parameter]] = {"b": [], "others": [], "vectors": []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            kind = "vectors" if parameter.ndim < 2 else "b" if ".lora_B." in name else "others"
            groups[kind].append(parameter)
    rate = spec.learning_rate
    described = (
        ("others", rate, spec.weight_decay),
        ("b", rate * spec.loraplus_lr_ratio, spec.weight_decay),
        ("vectors", rate, 0.0),
    )
    return [
        {"params": groups[kind], "lr": lr, "weight_decay": decay}
        for kind, lr, decay in described
        if groups[kind]
    ]


def _keep_embeddings_exact(model: nn.Module) -> None:
    """Keep a 32-bit optimizer state for embeddings, as the Trainer does for its own 8-bit optimizers."""
    import bitsandbytes

    manager: Any = bitsandbytes.optim.GlobalOptimManager.get_instance()  # type: ignore[attr-defined, no-untyped-call]
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            manager.register_module_override(module, "weight", {"optim_bits": 32})
