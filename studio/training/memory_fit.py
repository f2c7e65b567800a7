"""Check whether a training fits a device, and find the cheapest change that makes it fit.

`studio.training.memory` estimates the need; this module compares it with the devices of this machine.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from studio.contract import TrainSpec
from studio.errors import ModelUnusable
from studio.jobs import devices
from studio.language import say
from studio.models.catalog import check_model
from studio.system.documents import READ_FAULTS, parse_json, read_whole
from studio.training import memory
from studio.training.memory import Estimate, ModelShape

Estimator = Callable[[TrainSpec], Estimate]
Fit = Literal["fits", "tight", "too_large"]
TIGHT = 0.9
"""Share of a device's memory above which other programs and fragmentation decide."""

HARDWARE_TABLE: Sequence[tuple[str, str, str, str, str, str, str]] = (
    ("full", "32", "120", "240", "600", "1200", "18x"),
    ("full (pure_bf16)", "16", "60", "120", "300", "600", "8x"),
    ("freeze, LoRA", "16", "16", "32", "64", "160", "2x"),
    ("QLoRA", "8", "10", "20", "40", "80", "x"),
    ("QLoRA", "4", "6", "12", "24", "48", "x/2"),
)
"""GB by method, bits and size (7, 14, 30, 70, x billion parameters), as LLaMA-Factory's README estimates
it; its row for 2 bits, which bitsandbytes does not support, is left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """A device that a run can use, with its memory."""

    name: str
    memory_gib: float
    is_gpu: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SpecChange:
    """Settings that reduce a training's memory, in words, and the total with them."""

    sets: dict[str, Any]
    text: str
    total_gib: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TutorialRule:
    """The row of HARDWARE_TABLE that applies to a spec, and the GB it gives for a model's size."""

    method: str
    bits: str
    per_billion: str
    gb: float


def tutorial_rule(spec: TrainSpec, parameters: int) -> TutorialRule | None:
    """Look up this training in the tutorial's hardware table; None if the model's size is not known."""
    if not parameters:
        return None
    if spec.finetuning_type == "full":
        row = HARDWARE_TABLE[0]  # float32 weights and states, as here
    elif spec.quantization_bit:
        row = next(row for row in HARDWARE_TABLE if row[1] == str(spec.quantization_bit))
    else:
        row = HARDWARE_TABLE[2]
    factor = {"18x": 18, "8x": 8, "2x": 2, "x": 1, "x/2": 0.5}[row[-1]]
    return TutorialRule(method=row[0], bits=row[1], per_billion=row[-1], gb=factor * parameters / 1e9)


def estimator() -> Estimator:
    """Build the memory estimator for this machine: for a GPU if it has one, else for the CPU."""
    on_gpu = any(place.is_gpu for place in places())
    return lambda spec: memory.estimate(spec, model_shape(spec.model_name_or_path), on_gpu=on_gpu)


def model_shape(folder: Path) -> ModelShape:
    """Parse the shape of a model from its config.json, and count its parameters in its weight files.

    Raises:
        ModelUnusable: the config lacks what the estimate needs.
    """
    try:
        config = parse_json(read_whole(folder / "config.json"))
        return memory.shape_of(config, check_model(folder).parameters)
    except READ_FAULTS as error:
        raise ModelUnusable(
            say(
                f"{folder} 的 config.json 没有写明模型的形状。",
                f"The config.json of {folder} does not give its shape.",
            ),
            remedy=say(
                "因此无法估算内存；训练本身也许没有问题。",
                "Memory cannot be estimated; training may work all the same.",
            ),
        ) from error


def places() -> list[Capacity]:
    """List the distinct devices of this machine, GPUs first; the CPU with the machine's RAM."""
    ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpus = {
        (device.name, device.memory_gib): Capacity(
            name=device.name, memory_gib=device.memory_gib, is_gpu=True
        )
        for device in devices.list_devices()
        if device.memory_gib
    }
    return [*gpus.values(), Capacity(name="CPU", memory_gib=round(ram, 1), is_gpu=False)]


def fit(total_gib: float, place: Capacity) -> Fit:
    """Classify whether a training of that size fits a device."""
    if total_gib > place.memory_gib:
        return "too_large"
    return "tight" if total_gib > TIGHT * place.memory_gib else "fits"


def cheapest_change(spec: TrainSpec, memory_gib: float, estimate: Estimator) -> SpecChange | None:
    """Find the cheapest changes that make the training fit with room to spare; None if no change does."""
    options = list(_options(spec))
    bundles = [bundle for size in (1, 2, 3) for bundle in combinations(options, size)]
    for bundle in sorted(bundles, key=lambda bundle: sum(cost for cost, _, _ in bundle)):
        sets = {key: value for _, changes, _ in bundle for key, value in changes.items()}
        if len(sets) < sum(len(changes) for _, changes, _ in bundle):
            continue  # two of them change the same field
        total = estimate(spec.model_copy(update=sets)).total_gib
        if total <= TIGHT * memory_gib:
            joint = say("；", "; ")
            return SpecChange(sets=sets, text=joint.join(text for _, _, text in bundle), total_gib=total)
    return None


def _options(spec: TrainSpec) -> Iterator[tuple[float, dict[str, Any], str]]:
    """Yield cost, settings and text of each change; the cost ranks the loss of speed and quality."""
    if not spec.gradient_checkpointing:
        # Left to itself, a run on a GPU turns it on where memory would not do.
        yield (
            1,
            {"gradient_checkpointing": True},
            say(
                "打开梯度检查点（慢约三分之一，结果一样；设为自动时，GPU 上的运行会自己打开）",
                "gradient checkpointing on (a third slower, same result;"
                " on auto, a run on a GPU turns it on itself)",
            ),
        )
    batch = spec.per_device_train_batch_size
    for share in (2, 4, 8, 16):
        if batch % share == 0:
            accumulation = spec.gradient_accumulation_steps * share
            sets = {
                "per_device_train_batch_size": batch // share,
                "gradient_accumulation_steps": accumulation,
            }
            yield (
                1 + share / 8,
                sets,
                say(
                    f"批大小 {batch // share}、梯度累积 {accumulation}（结果一样，稍慢）",
                    f"batch {batch // share} with accumulation {accumulation} (same result, a little slower)",
                ),
            )
    if spec.optim.startswith("adamw_torch"):
        yield (
            2.5,
            {"optim": "adamw_8bit"},
            say("8 位优化器（状态只占四分之一）", "8-bit optimizer (a quarter of its state)"),
        )
    if spec.finetuning_type == "lora" and spec.quantization_bit is None and not spec.pissa_init:
        yield 4, {"quantization_bit": 8}, say("8 位 QLoRA", "QLoRA in 8 bit")
    if spec.finetuning_type == "lora" and spec.quantization_bit != 4 and not spec.pissa_init:
        yield (
            5,
            {"quantization_bit": 4},
            say("4 位 QLoRA（精度略降）", "QLoRA in 4 bit (slightly less precise)"),
        )
    if spec.finetuning_type != "lora":
        yield 8, {"finetuning_type": "lora"}, say("改用 LoRA", "LoRA instead")
