"""Build complete training specs to start from: presets by model size, method and stage.

A preset is a function of what no preset can know, the model and the data; method and stage
change it afterwards. It starts nothing.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from studio.contract import Stage, TrainSpec
from studio.errors import InputError
from studio.language import say
from studio.models.catalog import check_model
from studio.training.field_relevance import only_what_matters

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
"""Chinese for pydantic's most frequent validation errors; the others are shown as they are."""


SMALL_PARAMETERS = 100_000_000
"""Below this a model is a demonstration model, such as the bundled one."""


def starting_rate(parameters: int) -> float:
    """Compute a starting learning rate for LoRA fine-tuning on a few hundred rows, by model size.

    2e-4 for 7 billion parameters, more for smaller models with the square root of the
    size, at most 5e-4. A starting point between published sweeps, not a law: LoRA likes
    about ten times the rate of full fine-tuning, hardly depends on the rank, and short
    runs err on the low side (Schulman et al. 2025, "LoRA Without Regret").
    """
    return round(min(5e-4, max(2e-4, 2e-4 * math.sqrt(7.6e9 / parameters))), 6)


def adjusted_rate(rate: float, spec: TrainSpec) -> float:
    """Scale a rate meant for 8 samples a step and an adapter scaled by 2 to this spec's batch and adapter.

    It grows with the square root of the samples a step, since their mean is so much less
    noisy, and falls as the adapter's output is scaled up, alpha / rank (or, with rsLoRA,
    alpha / sqrt(rank)): the rank itself hardly matters. Two significant digits.
    """
    rate *= math.sqrt(spec.per_device_train_batch_size * spec.gradient_accumulation_steps / 8)
    if spec.finetuning_type == "lora":
        root = math.sqrt(spec.lora_rank) if spec.use_rslora else spec.lora_rank
        rate *= 2 * root / spec.scaling_alpha
    return float(f"{rate:.2g}")


Method = Literal["lora", "qlora4", "qlora8", "freeze", "full"]
"""The fine-tuning method: finetuning_type and quantization_bit in one choice."""


def method_of(spec: TrainSpec) -> Method:
    """Return the fine-tuning method of a spec."""
    if spec.finetuning_type != "lora":
        return spec.finetuning_type
    return "qlora4" if spec.quantization_bit == 4 else "qlora8" if spec.quantization_bit else "lora"


def with_method(spec: TrainSpec, method: Method) -> TrainSpec:
    """Convert a LoRA spec into a starting point for another fine-tuning method.

    Where the weights themselves learn (full, freeze) the rate is a tenth: full fine-tuning is
    best at about a tenth of LoRA's rate, whatever the size of the model ("LoRA Without
    Regret"). Not below 5e-6, where it is already. QLoRA learns the same adapter on the same
    model, only rounded, and keeps the rate (Dettmers et al. 2023 use 2e-4 for 7 billion).
    """
    if method in ("full", "freeze"):
        rate = float(f"{min(spec.learning_rate, max(spec.learning_rate / 10, 5e-6)):.2g}")
        changes: dict[str, Any] = {"finetuning_type": method, "learning_rate": rate}
    else:
        bits = {"qlora4": 4, "qlora8": 8}.get(method)
        changes = {"finetuning_type": "lora", "quantization_bit": bits}
    return TrainSpec.model_validate(only_what_matters(spec.model_dump() | changes))


def with_texts(spec: TrainSpec) -> TrainSpec:
    """Convert a spec to continued pre-training: one epoch, a fiftieth of the texts held out, no scores.

    More passes over a text teach its wording by heart; the loss falls, the model does not get better.
    """
    changes = {
        "stage": "pt",
        "eval_dataset": None,
        "val_size": 0.02,
        "num_train_epochs": min(1.0, spec.num_train_epochs),
    }
    return TrainSpec.model_validate(only_what_matters(spec.model_dump() | changes))


def with_preferences(spec: TrainSpec, stage: Stage) -> TrainSpec:
    """Convert a spec to a preference training: a twentieth of the learning rate.

    7 billion then start at 1e-5, TRL's advice for adapters (its 1e-6 for whole weights, times ten). Pairs
    say little each and pull hard: at the rate of fine-tuning a model forgets how to answer. They are passed
    once, after which the margin of most is large already (docs/experiments.md, 2026-11-27); ORPO, which
    fine-tunes as well, as often as fine-tuning passes its rows.
    """
    changes = {
        "stage": stage,
        "num_train_epochs": spec.num_train_epochs if stage == "orpo" else min(1.0, spec.num_train_epochs),
        "learning_rate": float(f"{spec.learning_rate / PREFERENCE_RATE:.2g}"),
        "val_size": 0.0,
    }
    return TrainSpec.model_validate(only_what_matters(spec.model_dump() | changes))


PREFERENCE_RATE = 20
"""The learning rate of fine-tuning is so many times that of preferences."""


def rate_reason(spec: TrainSpec, parameters: int) -> str:
    """Explain the learning rate of the sound default in a sentence."""
    size = f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:,.0f} M"
    if spec.learns_preferences:
        return say(
            "偏好训练从微调学习率的二十分之一开始：再大，模型容易忘掉怎样回答。",
            "Preferences start at a twentieth of the rate of fine-tuning: with more, the model easily"
            " forgets how to answer.",
        )
    if method_of(spec) in ("full", "freeze"):
        return say(
            "权重本身参加训练：LoRA 学习率的十分之一左右最好，再大容易忘掉原来的能力。",
            "The weights themselves are trained: about a tenth of LoRA's rate is best;"
            " with more, the model forgets what it knew.",
        )
    if 0 < parameters < SMALL_PARAMETERS:
        return say(
            f"{size} 的小模型要大得多的学习率，这个值是在内置模型上实测的。",
            f"A small model of {size} needs a much higher rate; measured on the bundled model.",
        )
    return say(
        f"按 {size} 估算的起点：7B 用 2e-4，越小越大（按平方根，最多 5e-4）；几乎与秩无关，量化不改变它。",
        f"A starting point for {size}: 2e-4 at 7 B, more for smaller ones by the square root, at most 5e-4;"
        " the rank hardly matters, and quantization does not change it.",
    )


def rate_parts(spec: TrainSpec) -> str:
    """Explain in a sentence how this spec's batch and adapter scale change the usual rate; empty if not."""
    each = spec.per_device_train_batch_size * spec.gradient_accumulation_steps
    parts = []
    if each != 8:
        parts.append(
            say(
                f"每步 {each} 条（平时 8 条，按平方根）",
                f"{each} samples a step (8 is usual; by the square root)",
            )
        )
    scale = spec.scaling_alpha / (math.sqrt(spec.lora_rank) if spec.use_rslora else spec.lora_rank)
    if spec.finetuning_type == "lora" and not math.isclose(scale, 2):
        parts.append(
            say(
                f"适配器放大 {scale:.3g} 倍（平时 2 倍）",
                f"the adapter is scaled by {scale:.3g} (2 is usual)",
            )
        )
    return say("，", ", ").join(parts)


def sound_default(model: Path, dataset_dir: Path) -> TrainSpec:
    """Build the default spec: good for a few hundred to a few thousand rows, by the size of the model.

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
    """Build a smoke-test spec: a minute on a CPU shows that data, model and settings work, not how well."""
    changes = {
        "max_steps": 30,
        "lora_rank": 8,
        "logging_steps": 2,
        "evaluate_after": ("direct",),
        "eval_limit": 50,
    }
    return sound_default(model, dataset_dir).model_copy(update=changes)


def tutorial(model: Path, dataset_dir: Path) -> TrainSpec:
    """Reproduce the settings of the tutorial for DeepSeek-R1-Distill-Qwen-7B, as they are.

    Its own: rate 5e-6, accumulation 2, LoRA+ 16, all layers. The others are the defaults on the page
    of the tutorial's tool: 3 epochs, batch 2, length 2048, cosine without warmup, rank 8,
    alpha 16, clipping at 1, a loss value every 5 steps, a checkpoint every 100, all of them kept;
    options that only this studio has are off. A small model hardly moves at this learning rate.
    """
    return TrainSpec(
        model_name_or_path=model,
        dataset_dir=dataset_dir,
        cutoff_len=2048,
        learning_rate=5e-6,
        num_train_epochs=3.0,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        optim="adamw_torch",
        lr_scheduler_type="cosine",
        warmup_ratio=0.0,
        weight_decay=0.0,
        max_grad_norm=1.0,
        seed=42,
        lora_rank=8,
        lora_alpha=16,
        lora_dropout=0.0,
        lora_target="all",
        loraplus_lr_ratio=16.0,
        direct_share=0.0,
        label_weight=1.0,
        logging_steps=5,
        save_steps=100,
        save_total_limit=None,
    )


PRESETS: Mapping[str, Callable[[Path, Path], TrainSpec]] = {
    "sound_default": sound_default,
    "quick_look": quick_look,
    "tutorial": tutorial,
}


def checked_spec(values: Mapping[str, Any]) -> TrainSpec:
    """Validate the values of a training spec.

    Raises:
        InputError: with one sentence for each invalid field.
    """
    try:
        return TrainSpec.model_validate(dict(values))
    except ValidationError as error:
        problems = [_sentence(problem) for problem in error.errors()]
        raise InputError(
            " ".join(problems), remedy=say("请改正这些设置。", "Correct these settings.")
        ) from error


def _sentence(problem: ErrorDetails) -> str:
    field = ".".join(str(part) for part in problem["loc"])
    template = _CHINESE.get(problem["type"])
    text = template.format(**problem.get("ctx", {})) if template else problem["msg"]
    english = problem["msg"].removeprefix("Value error, ")
    if not field:
        return english
    return say(f"{field}：{text}。", f"{field}: {english}.")
