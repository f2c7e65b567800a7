"""Check by names and shapes alone that a LoRA adapter fits a base model."""

import re
from collections.abc import Mapping
from pathlib import Path

from studio.language import say
from studio.modelfiles.folder_check import read_json
from studio.modelfiles.safetensors_headers import ModelProblem, Shape, read_weights

_LORA = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])(?:\.\w+)?\.weight$")


def check_adapter(adapter: Path, base: Path) -> list[ModelProblem]:
    """Check a LoRA adapter against a base; returns the problems, empty when it fits."""
    config = read_json(adapter / "adapter_config.json")
    if isinstance(config, ModelProblem):
        return [config]
    weights, base_weights = read_weights(adapter, "adapter_model"), read_weights(base)
    if weights.problems or base_weights.problems:
        return [*weights.problems, *base_weights.problems]
    named = str(config.get("base_model_name_or_path") or "")
    misfit = _misfit(weights.shapes, base_weights.shapes)
    if misfit:
        return [_other_base(adapter, base, named, misfit)]
    if named and Path(named).name != base.name:
        return [_base_differs_in_name(adapter, base, named)]
    return []


def _misfit(adapter: Mapping[str, Shape], base: Mapping[str, Shape]) -> str | None:
    """Find the first layer whose shape does not fit the base; returns it in words, None if all fit."""
    known = 0
    for name, shape in adapter.items():
        match = _LORA.match(name)
        target = base.get(f"{match['module']}.weight") if match else None
        if match is None or target is None or len(target) != 2 or len(shape) != 2:
            continue
        known += 1
        # A is (rank, in), B is (out, rank), the weight of a linear layer (out, in).
        found, wanted = (shape[1], target[1]) if match["side"] == "A" else (shape[0], target[0])
        if found != wanted:
            return f"{match['module']}: {found} != {wanted}"
    return None if known else say("没有一层同名", "not one layer of that name")


def _other_base(adapter: Path, base: Path, named: str, misfit: str) -> ModelProblem:
    return ModelProblem(
        code="adapter_other_base",
        message=say(
            f"适配器 {adapter} 不属于基座 {base}（{misfit}）。",
            f"The adapter {adapter} does not belong to the base {base} ({misfit}).",
        ),
        remedy=say(
            f"请选择它训练时的基座：{named or '?'}。", f"Choose the base it was trained on: {named or '?'}."
        ),
    )


def _base_differs_in_name(adapter: Path, base: Path, named: str) -> ModelProblem:
    return ModelProblem(
        code="adapter_base_name",
        severity="warning",
        message=say(
            f"适配器 {adapter} 是在 {named} 上训练的，与 {base} 形状相同但名称不同。",
            f"The adapter {adapter} was trained on {named}; {base} has the same shapes but another name.",
        ),
        remedy=say(
            "若不是同一个模型，请改用它的基座。", "Unless both are the same model, choose its own base."
        ),
    )
