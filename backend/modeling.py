"""Loading a base model and its adapter, and making them trainable.

Weights come from safetensors only, and no code that a model folder brings is run.
"""

import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from transformers import AutoModelForCausalLM, PreTrainedModel

from backend.tokenizers import load_tokenizer as load_tokenizer  # whoever loads a model wants both
from backend.tokenizers import unusable
from studio.contract import TrainSpec
from studio.errors import ModelUnusable
from studio.language import say


def on_device(model: PreTrainedModel) -> PreTrainedModel:
    """The model on the first GPU, or on the CPU where there is none."""
    torch.nn.Module.to(model, "cuda" if torch.cuda.is_available() else "cpu")
    return model


def uses_bf16(wanted: bool | None) -> bool:
    """Whether to compute in bfloat16; None decides by the device."""
    if wanted is None:
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return wanted


def load_model(
    folder: Path, adapter: Path | None = None, *, dtype: torch.dtype = torch.float32
) -> PreTrainedModel:
    """A causal language model, with an adapter merged into it if one is given.

    Raises:
        ModelUnusable: missing or incomplete files, or an adapter for another base.
    """
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise unusable(folder, error) from error
    if adapter is None:
        return model
    try:
        merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelUnusable(
            say(
                f"适配器 {adapter} 与基础模型 {folder} 不匹配：{error}",
                f"Adapter {adapter} does not fit base {folder}: {error}",
            ),
            remedy=say(
                "请选择训练这个适配器时用的基础模型，见其 adapter_config.json。",
                "Choose the base model it was trained on; its adapter_config.json names it.",
            ),
        ) from error
    return merged  # type: ignore[no-any-return]


def make_trainable(model: PreTrainedModel, spec: TrainSpec) -> PreTrainedModel | PeftModel:
    """The model with the parameters trainable that the spec asks for.

    Raises:
        ModelUnusable: lora_target names no module of this model; the message lists them.
    """
    if spec.finetuning_type == "full":
        model.float().train()
        return model
    target: str | list[str] = "all-linear"
    if spec.lora_target != "all":
        target = [name.strip() for name in spec.lora_target.split(",") if name.strip()]
        _require_modules(model, target)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=spec.lora_rank,
        lora_alpha=spec.scaling_alpha,
        lora_dropout=spec.lora_dropout,
        target_modules=target,
        use_rslora=spec.use_rslora,
        use_dora=spec.use_dora,
    )
    return get_peft_model(model, config)


def make_optimizer(model: PreTrainedModel | PeftModel, spec: TrainSpec) -> torch.optim.Optimizer | None:
    """The LoRA+ optimizer if the spec asks for one; None: the Trainer's AdamW."""
    if not spec.loraplus_lr_ratio:
        return None
    assert isinstance(model, PeftModel), "the spec allows loraplus_lr_ratio with lora only"
    optimizer: torch.optim.Optimizer = create_loraplus_optimizer(
        model,
        torch.optim.AdamW,
        lr=spec.learning_rate,
        loraplus_lr_ratio=spec.loraplus_lr_ratio,
        loraplus_weight_decay=spec.weight_decay,
        weight_decay=spec.weight_decay,
    )
    return optimizer


def name_base_in_adapter(adapter: Path, base: Path) -> None:
    """Write the base's place into a saved adapter, so that loading it elsewhere can say which base it needs."""
    file = adapter / "adapter_config.json"
    if file.is_file():
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = str(base)
        file.write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _require_modules(model: PreTrainedModel, wanted: list[str]) -> None:
    linear = sorted(
        {name.rpartition(".")[2] for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    )
    unknown = [name for name in wanted if name not in linear]
    if unknown:
        raise ModelUnusable(
            say(
                f"模型没有这些模块：{'、'.join(unknown)}。",
                f"The model has no modules named {', '.join(unknown)}.",
            ),
            remedy=say(
                f"lora_target 可用：all、{'、'.join(linear)}。",
                f"lora_target takes all, {', '.join(linear)}.",
            ),
        )
