"""Create, attach and save LoRA adapters, saved so that they work on the original base."""

import json
import logging
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from peft.utils.other import AuxiliaryTrainingWrapper
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from backend.modeling.module_names import find_modules, linear_modules, modules_with_parameters, split_names
from backend.modeling.tokenizers import unusable
from backend.modeling.trust import is_allowed, require_safe
from studio.contract import TrainSpec
from studio.errors import ModelUnusable
from studio.language import say
from studio.modelfiles.adapter_check import require_adapter

log = logging.getLogger(__name__)

WEIGHTS = "adapter_model.safetensors"


def new_adapter(model: PreTrainedModel, spec: TrainSpec) -> PeftModel:
    """Put a new adapter on the model, as the spec describes it.

    Raises:
        ModelUnusable: lora_target or additional_target names no module of this model.
    """
    target: str | list[str] = "all-linear"
    if spec.lora_target.strip() != "all":
        target = find_modules(split_names(spec.lora_target), linear_modules(model), "lora_target", also="all")
    whole = None
    if spec.additional_target:
        # Full paths: peft goes by the end of a name, and `norm` would also mean every `input_layernorm`.
        whole = find_modules(
            split_names(spec.additional_target), modules_with_parameters(model), "additional_target"
        )
    tied = _is_tied(model) and bool(whole) and _touches_embedding(model, whole)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=spec.lora_rank,
        lora_alpha=spec.scaling_alpha,
        lora_dropout=spec.lora_dropout,
        target_modules=target,
        modules_to_save=whole,
        ensure_weight_tying=tied,
        use_rslora=spec.use_rslora,
        use_dora=spec.use_dora,
        init_lora_weights=_pissa(spec) or True,  # type: ignore[arg-type]  # the number is in the name
    )
    # PiSSA is random: with a seed of its own a resumed run decomposes the base in the same way.
    with torch.random.fork_rng(enabled=spec.pissa_init):
        if spec.pissa_init:
            torch.manual_seed(spec.seed)
        adapted: PeftModel = get_peft_model(model, config)
    if spec.pissa_init:
        adapted.pissa_start = _matrices(adapted)  # type: ignore[assignment]
    return adapted


def require_fitting(folder: Path | None, base: Path) -> None:
    """Refuse an adapter that is not safe to read or does not fit its base, before a weight is loaded.

    Raises:
        ModelUnusable: with what does not fit and what to choose instead.
    """
    if folder is not None:
        require_safe(folder)
    require_adapter(folder, base)


def attach_adapter(
    model: PreTrainedModel | PeftModel,
    folder: Path,
    base: Path,
    *,
    is_trainable: bool = False,
    name: str = "default",
    streamed: bool = False,
) -> PeftModel:
    """Put a saved adapter on the model, and require every matrix of it to be used.

    Args:
        model: the base model, which may have other adapters already.
        folder: of the adapter.
        base: where the model came from, for the error.
        is_trainable: whether the adapter is trained on.
        name: of the adapter, where there are several on one base.
        streamed: the model has no storage (device meta); the adapter's own tensors get one.

    Raises:
        ModelUnusable: no adapter there, a pickled one, or one that was made for another base.
    """
    tensors = _read_tensors(folder)
    try:
        config = PeftConfig.from_pretrained(str(folder), inference_mode=not is_trainable)
        config.inference_mode = not is_trainable
        if isinstance(model, PeftModel):
            model.add_adapter(name, config)
            adapted = model
        else:
            adapted = get_peft_model(model, config, adapter_name=name)
        if streamed:
            _give_storage(adapted)
        loaded: Any = set_peft_model_state_dict(adapted, tensors, adapter_name=name)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise _other_base(folder, base, str(error)) from error
    expected = get_peft_model_state_dict(adapted, adapter_name=name, save_embedding_layers=False)
    lacking = [name for name in expected if name not in tensors and ".lora_" in name]
    misfits = [*loaded.unexpected_keys, *lacking]
    if misfits:
        raise _other_base(folder, base, misfits[0])
    return adapted


def _give_storage(adapted: PeftModel) -> None:
    """Give an adapter's own tensors storage, where its base has none; peft makes them where the base is."""
    for module in adapted.modules():
        if isinstance(module, BaseTunerLayer | AuxiliaryTrainingWrapper):
            for name in module.adapter_layer_names:
                part = getattr(module, name, None)
                if isinstance(part, torch.nn.Module):
                    part.to_empty(device="cpu")


def continue_adapter(model: PreTrainedModel, spec: TrainSpec) -> PeftModel:
    """Put the spec's saved adapter on the model, to train it on.

    Its rank and targets are its own; fields of the spec that differ are logged.

    Raises:
        ModelUnusable: see attach_adapter; or it is not a LoRA adapter.
    """
    assert spec.adapter_name_or_path
    adapted = attach_adapter(model, spec.adapter_name_or_path, spec.model_name_or_path, is_trainable=True)
    config = adapted.peft_config["default"]
    if not isinstance(config, LoraConfig):
        raise ModelUnusable(
            say(
                f"{spec.adapter_name_or_path} 是 {config.peft_type} 适配器，不是 LoRA，不能继续训练。",
                f"{spec.adapter_name_or_path} is a {config.peft_type} adapter, not LoRA: "
                "it cannot be trained further.",
            ),
            remedy=say("请选择一个 LoRA 适配器，或留空。", "Choose a LoRA adapter, or leave it empty."),
        )
    log.info(
        "training on from %s: its own rank %d, alpha %g, targets %s",
        spec.adapter_name_or_path,
        config.r,
        config.lora_alpha,
        config.target_modules,
    )
    for field, own in (
        ("lora_rank", config.r),
        ("scaling_alpha", config.lora_alpha),
        ("use_rslora", config.use_rslora),
        ("use_dora", config.use_dora),
    ):
        if getattr(spec, field) != own:
            log.warning("%s %s of the spec is not used: the adapter has %s", field, getattr(spec, field), own)
    return adapted


def save_adapter(model: PeftModel, folder: Path, base: Path) -> None:
    """Write the adapter so that it works on the original base.

    PiSSA has moved part of the base into the adapter; what is written is the difference from
    that start, at twice the rank: W + BA - B0 A0. `base` is recorded in it, so that an error
    elsewhere can name the base it needs.

    Source: peft, examples/pissa_finetuning, "Convert PiSSA to LoRA".
    """
    # By name: beside it there may be the frozen copy that preferences are trained against.
    model.save_pretrained(str(folder), selected_adapters=["default"], save_embedding_layers=False)
    changes: dict[str, Any] = {"base_model_name_or_path": str(base)}
    start: dict[str, Tensor] | None = getattr(model, "pissa_start", None)
    config = model.peft_config["default"]
    if start is not None:
        assert isinstance(config, LoraConfig)
        _write_difference(folder / WEIGHTS, start)
        # The scaling stays: alpha / r, or alpha / sqrt(r) with rslora.
        grown = 2**0.5 if config.use_rslora else 2
        changes |= {"r": 2 * config.r, "lora_alpha": grown * config.lora_alpha, "init_lora_weights": True}
    file = folder / "adapter_config.json"
    document = {**json.loads(file.read_text(encoding="utf-8")), **changes}
    file.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _write_difference(file: Path, start: dict[str, Tensor]) -> None:
    tensors = load_file(file)
    for name, first in start.items():
        is_a = ".lora_A." in name
        tensors[name] = torch.cat([tensors[name], first if is_a else -first], dim=0 if is_a else 1)
    save_file(tensors, file, metadata={"format": "pt"})


def _matrices(adapted: PeftModel) -> dict[str, Tensor]:
    """Copy all A and B, by the names they are saved under."""
    state = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    return {
        name: tensor.detach().cpu().clone()
        for name, tensor in state.items()
        if ".lora_A." in name or ".lora_B." in name
    }


def _pissa(spec: TrainSpec) -> str | None:
    if not spec.pissa_init:
        return None
    return "pissa" if spec.pissa_iter == -1 else f"pissa_niter_{spec.pissa_iter}"


def _is_tied(model: PreTrainedModel) -> bool:
    head = model.get_output_embeddings()
    return head is not None and head.weight is model.get_input_embeddings().weight


def _touches_embedding(model: PreTrainedModel, paths: list[str] | None) -> bool:
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    return any(model.get_submodule(path) in ends for path in paths or ())


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    """Read the adapter's tensors; from a pickle only where an admin allows that for this folder."""
    file, pickled = folder / WEIGHTS, folder / "adapter_model.bin"
    try:
        if file.is_file():
            return load_file(file)
        if pickled.is_file() and is_allowed(folder):
            tensors: dict[str, Tensor] = torch.load(pickled, map_location="cpu", weights_only=True)
            return tensors
    except (OSError, SafetensorError, RuntimeError, UnpicklingError) as error:
        raise unusable(folder, error) from error
    require_safe(folder)
    raise ModelUnusable(
        say(f"{folder} 里没有适配器权重 {WEIGHTS}。", f"{folder} has no adapter weights {WEIGHTS}."),
        remedy=say(
            "请选择含有 adapter_config.json 和权重的文件夹。",
            "Choose a folder with adapter_config.json and its weights.",
        ),
    )


def _other_base(folder: Path, base: Path, reason: str) -> ModelUnusable:
    return ModelUnusable(
        say(
            "适配器 {folder} 与基础模型 {base} 不匹配：{reason}",
            "Adapter {folder} does not fit base {base}: {reason}",
            folder=folder,
            base=base,
            reason=reason,
        ),
        remedy=say(
            "请选择训练这个适配器时用的基础模型，见其 adapter_config.json。",
            "Choose the base model it was trained on; its adapter_config.json names it.",
        ),
    )
