"""Complete training specs to start from: a quick look, a sound default, the tutorial's settings.

A preset is a function of what no preset can know, the model and the data. It starts nothing.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from studio.contract import TrainSpec
from studio.errors import InputError
from studio.language import say
from studio.models import check_model

_CHINESE = {
    "greater_than": "应大于 {gt:g}",
    "greater_than_equal": "应不小于 {ge:g}",
    "less_than": "应小于 {lt:g}",
    "less_than_equal": "应不大于 {le:g}",
    "int_from_float": "应是整数",
    "int_parsing": "应是整数",
    "float_parsing": "应是数字",
    "missing": "不能为空",
}
"""What pydantic's most frequent complaints say in Chinese; the others are shown as they are."""


SMALL_PARAMETERS = 100_000_000
"""Below this a model is a demonstration model, such as the bundled one."""


def starting_rate(parameters: int) -> float:
    """A learning rate to start a LoRA fine-tuning of a few hundred rows from, by model size.

    2e-4 for 7 billion parameters, more for smaller models with the square root of the
    size, at most 5e-4. A starting point between published sweeps, not a law: LoRA likes
    about ten times the rate of full fine-tuning, hardly depends on the rank, and short
    runs err on the low side (Schulman et al. 2025, "LoRA Without Regret").
    """
    return round(min(5e-4, max(2e-4, 2e-4 * math.sqrt(7.6e9 / parameters))), 6)


def sound_default(model: Path, dataset_dir: Path) -> TrainSpec:
    """Good for a few hundred to a few thousand rows, by the size of the model.

    The values for a small model were measured on the bundled one (docs/experiments.md).
    """
    parameters = check_model(model).parameters
    if 0 < parameters < SMALL_PARAMETERS:
        sized = {"learning_rate": 1.5e-3, "num_train_epochs": 5.0, "lora_rank": 32, "label_weight": 8.0}
    else:
        sized = {
            "learning_rate": starting_rate(parameters or 7_600_000_000),
            "num_train_epochs": 3.0,
            "lora_rank": 16,
        }
    return TrainSpec(model_name_or_path=model, dataset_dir=dataset_dir, **sized)


def quick_look(model: Path, dataset_dir: Path) -> TrainSpec:
    """A minute on a CPU: shows that data, model and settings fit together, not how good they can be."""
    changes = {
        "max_steps": 30,
        "lora_rank": 8,
        "logging_steps": 2,
        "evaluate_after": ("direct",),
        "eval_limit": 50,
    }
    return sound_default(model, dataset_dir).model_copy(update=changes)


def tutorial(model: Path, dataset_dir: Path) -> TrainSpec:
    """The settings of the tutorial for DeepSeek-R1-Distill-Qwen-7B, as they are.

    A small model hardly moves at this learning rate.
    """
    return TrainSpec(
        model_name_or_path=model,
        dataset_dir=dataset_dir,
        cutoff_len=2048,
        learning_rate=5e-6,
        num_train_epochs=3.0,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        warmup_ratio=0.0,
        lora_rank=8,
        lora_alpha=16,
        lora_target="all",
        loraplus_lr_ratio=16.0,
        direct_share=0.0,
        label_weight=1.0,
    )


PRESETS: Mapping[str, Callable[[Path, Path], TrainSpec]] = {
    "sound_default": sound_default,
    "quick_look": quick_look,
    "tutorial": tutorial,
}


def checked_spec(values: Mapping[str, Any]) -> TrainSpec:
    """The spec of these values.

    Raises:
        InputError: with one sentence for each field that cannot be used.
    """
    try:
        return TrainSpec.model_validate(dict(values))
    except ValidationError as error:
        problems = [_sentence(problem) for problem in error.errors()]
        raise InputError(
            " ".join(problems), remedy=say("请改正这些设置。", "Mend these settings.")
        ) from error


def _sentence(problem: ErrorDetails) -> str:
    field = ".".join(str(part) for part in problem["loc"])
    template = _CHINESE.get(problem["type"])
    text = template.format(**problem.get("ctx", {})) if template else problem["msg"]
    english = problem["msg"].removeprefix("Value error, ")
    if not field:
        return english
    return say(f"{field}：{text}。", f"{field}: {english}.")
