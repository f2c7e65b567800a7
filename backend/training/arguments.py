"""Translate a spec into TrainingArguments, and refuse what the loop does not support."""

import dataclasses
import importlib.util
import os
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from backend.modeling.loading import uses_bf16
from studio.contract import TrainSpec
from studio.errors import InputError
from studio.language import say

NEVER = 2**31
"""Steps between two evaluations by the Trainer itself; backend.training.loop_control decides instead."""


class OneDevice:
    """Goes before TrainingArguments: one device a process; several GPUs are used by torchrun, not threads."""

    @property
    def n_gpu(self) -> int:
        """Number of GPUs of this process, 0 or 1, where transformers counts all that it sees."""
        return min(int(super().n_gpu), 1)  # type: ignore[misc]


class OneDeviceArguments(OneDevice, TrainingArguments):
    """TrainingArguments for one device a process."""


def training_arguments(
    spec: TrainSpec,
    output: Path,
    *,
    has_held_out: bool,
    checkpointing: bool = False,
    kind: type[TrainingArguments] = OneDeviceArguments,
    **more: Any,
) -> TrainingArguments:
    """Translate the spec. Evaluations and checkpoints are ours, so the Trainer does none by itself.

    Args:
        spec: the training.
        output: the run folder.
        has_held_out: whether there are held-out samples.
        checkpointing: whether activations are computed twice instead of kept.
        kind: class of the arguments, where a trainer has its own.
        **more: fields of that class alone.
    """
    evaluation: dict[str, Any] = {"eval_strategy": "no"}
    if has_held_out:
        # The plateau schedule follows the held-out loss, whatever is meant by the best model.
        evaluation = {"eval_strategy": "steps", "eval_steps": NEVER, "metric_for_best_model": "eval_loss"}
        evaluation["greater_is_better"] = False
    return kind(
        output_dir=str(output),
        learning_rate=spec.learning_rate,
        optim=spec.optim,
        num_train_epochs=spec.num_train_epochs,
        max_steps=spec.max_steps,
        per_device_train_batch_size=spec.per_device_train_batch_size,
        per_device_eval_batch_size=2 * spec.per_device_train_batch_size,
        gradient_accumulation_steps=spec.gradient_accumulation_steps,
        lr_scheduler_type=spec.lr_scheduler_type,
        lr_scheduler_kwargs=dict(spec.lr_scheduler_kwargs),
        warmup_steps=spec.warmup_steps or spec.warmup_ratio,
        weight_decay=spec.weight_decay,
        max_grad_norm=spec.max_grad_norm,
        neftune_noise_alpha=spec.neftune_noise_alpha,
        seed=spec.seed,
        logging_steps=spec.logging_steps,
        # A NaN loss must be seen, not replaced by the mean of the others.
        logging_nan_inf_filter=False,
        bf16=uses_bf16(spec.bf16),
        use_cpu=not torch.cuda.is_available(),
        ddp_backend="gloo" if _is_one_of_several() and not torch.cuda.is_available() else None,
        ddp_find_unused_parameters=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        **_checkpointing(checkpointing),
        **evaluation,
        **more,
    )


def require_launcher() -> None:
    """Refuse to shard one model over processes, which the loop does not support.

    Raises:
        InputError: accelerate is set to use FSDP or DeepSpeed.
    """
    for name in ("FSDP", "DEEPSPEED"):
        if os.environ.get(f"ACCELERATE_USE_{name}", "false").lower() in ("1", "true"):
            raise InputError(
                say(f"训练循环不支持 {name}。", f"The training loop does not support {name}."),
                remedy=say(
                    "请用 torchrun 或普通的 accelerate 多进程，每个进程放一份完整的模型。",
                    "Use torchrun or accelerate's plain multi-process mode, "
                    "with a whole model in each process.",
                ),
            )


def require_optimizer(spec: TrainSpec) -> None:
    """Refuse an optimizer whose package is not installed, before a model is loaded for it.

    Raises:
        InputError: an 8-bit optimizer without bitsandbytes.
    """
    if "8bit" in spec.optim and importlib.util.find_spec("bitsandbytes") is None:
        raise InputError(
            say(
                f"优化器 {spec.optim} 需要 bitsandbytes。", f"The optimizer {spec.optim} needs bitsandbytes."
            ),
            remedy=say(
                "请运行 pip install bitsandbytes，或选 adamw_torch。",
                "Run pip install bitsandbytes, or choose adamw_torch.",
            ),
        )


def _is_one_of_several() -> bool:
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def _checkpointing(wanted: bool) -> dict[str, Any]:
    """Name the option as the installed version does: transformers 5.20 renamed it."""
    names = {field.name for field in dataclasses.fields(TrainingArguments)}
    name = "activation_checkpointing" if "activation_checkpointing" in names else "gradient_checkpointing"
    # Off is said as well: TRL's arguments have it on by default.
    return {name: wanted, f"{name}_kwargs": {"use_reentrant": False} if wanted else None}
