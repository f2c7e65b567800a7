"""The finetuning methods that the memory estimate is measured against."""

from pathlib import Path
from typing import Any

from studio.contract import TrainSpec

METHODS: dict[str, dict[str, Any]] = {
    "lora": {},
    "qlora4": {"quantization_bit": 4},
    "full": {"finetuning_type": "full"},
    "qlora8": {"quantization_bit": 8},
    "dropout": {"lora_dropout": 0.1},
    "dora": {"use_dora": True},
    "freeze": {"finetuning_type": "freeze", "freeze_trainable_layers": 2},
    "twice": {"gradient_checkpointing": True},
}


def benchmark_spec(model: Path, data: Path, **changes: Any) -> TrainSpec:
    """Build the spec of a training without evaluation, extra rows or weights, as other programs can do it."""
    fields: dict[str, Any] = {
        "model_name_or_path": model,
        "dataset_dir": data,
        "eval_dataset": None,
        "template": "deepseekr1",
        "cutoff_len": 8192,
        "learning_rate": 1e-4,
        "warmup_steps": 4,
        "lora_rank": 8,
        "label_weight": 1.0,
        "direct_share": 0.0,
        "logging_steps": 1,
    }
    return TrainSpec(**(fields | changes))
