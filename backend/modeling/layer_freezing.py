"""Freeze all but some layers of a model (freeze tuning)."""

import logging

from torch import nn
from transformers import PreTrainedModel

from backend.modeling.module_names import find_modules, require_known, split_names
from studio.contract import TrainSpec
from studio.errors import ModelUnusable
from studio.language import say

log = logging.getLogger(__name__)


def freeze_layers(model: PreTrainedModel, spec: TrainSpec) -> PreTrainedModel:
    """Freeze the model but for the layers and modules that the spec names.

    Raises:
        ModelUnusable: the model has fewer layers or no module of a name; with what it has.
    """
    path, layers = find_layers(model)
    numbers = _layer_numbers(spec.freeze_trainable_layers, len(layers))
    chosen: list[nn.Module] = [layers[number] for number in numbers]
    if spec.freeze_trainable_modules.strip() != "all":
        chosen = _modules_inside(chosen, split_names(spec.freeze_trainable_modules))
    if spec.freeze_extra_modules:
        outside = [
            name
            for name, _ in model.named_modules()
            if name and not name.startswith(f"{path}.") and not f"{path}.".startswith(f"{name}.")
        ]
        extra = find_modules(split_names(spec.freeze_extra_modules), outside, "freeze_extra_modules")
        chosen += [model.get_submodule(name) for name in extra]
    model.requires_grad_(False)
    for module in chosen:
        # Trained in float32: a step is often smaller than bfloat16 can represent.
        module.float().requires_grad_(True)
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    log.info("layers %s of %d learn, %d parameters", numbers, len(layers), learning)
    model.train()
    return model


def find_layers(model: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """Find the stack of the model's layers and its path, whatever the architecture calls it.

    Raises:
        ModelUnusable: there is no such stack.
    """
    count = model.config.get_text_config().num_hidden_layers
    stacks = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == count
    ]
    if not stacks:
        raise ModelUnusable(
            say(
                f"在这个模型（{type(model).__name__}）里找不到由 {count} 层组成的列表。",
                f"This model ({type(model).__name__}) has no list of its {count} layers.",
            ),
            remedy=say("请改用 finetuning_type lora 或 full。", "Use finetuning_type lora or full."),
        )
    return max(stacks, key=lambda stack: sum(p.numel() for p in stack[1].parameters()))


def _layer_numbers(wanted: int, count: int) -> list[int]:
    """List the numbers, from 0, of the last `wanted` layers, or of the first where it is negative."""
    if abs(wanted) > count:
        raise ModelUnusable(
            say(
                f"freeze_trainable_layers 是 {wanted}，而模型只有 {count} 层。",
                f"freeze_trainable_layers is {wanted}, but the model has {count} layers.",
            ),
            remedy=say(
                f"请取 1 到 {count}（最后几层），或 -1 到 -{count}（最前几层）。",
                f"Choose 1 to {count} for the last layers, or -1 to -{count} for the first.",
            ),
        )
    return list(range(count - wanted, count)) if wanted > 0 else list(range(-wanted))


def _modules_inside(layers: list[nn.Module], names: list[str]) -> list[nn.Module]:
    """Find the modules of those names in all of the layers; layers may differ from one another."""
    inside = [{name: module for name, module in layer.named_modules() if name} for layer in layers]
    paths = sorted({path for modules in inside for path in modules})
    known = {part for path in paths for part in path.split(".")} | set(paths)
    require_known(
        [name for name in names if name not in known],
        sorted(part for part in known if "." not in part and not part.isdigit()),
        "freeze_trainable_modules",
        also="all",
    )
    return [
        module
        for modules in inside
        for path, module in modules.items()
        if any(path == name or path.endswith(f".{name}") for name in names)
    ]
