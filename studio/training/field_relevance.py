"""Decide which settings have an effect, given the others.

A setting without effect is hidden and keeps its default, so that no spec is refused
for a value that nobody sees.
"""

from collections.abc import Callable, Mapping
from typing import Any

from studio.contract import PREFERENCE_STAGES, TrainSpec

Values = Mapping[str, Any]


def _lora(values: Values) -> bool:
    return bool(values["finetuning_type"] == "lora")


def _new_adapter(values: Values) -> bool:
    """Return whether a new LoRA adapter is made: one that is resumed from brings its own shape."""
    return _lora(values) and not values.get("adapter_name_or_path")


def _freeze(values: Values) -> bool:
    return bool(values["finetuning_type"] == "freeze")


def _four_bits(values: Values) -> bool:
    return _lora(values) and values.get("quantization_bit") == 4


def _conversations(values: Values) -> bool:
    return bool(values["stage"] == "sft")


def _pairs(values: Values) -> bool:
    return values["stage"] in PREFERENCE_STAGES


def _answers(values: Values) -> bool:
    """Return whether answers are learned, from conversations or pairs, rather than plain text."""
    return bool(values["stage"] != "pt")


def _dpo(values: Values) -> bool:
    return bool(values["stage"] == "dpo")


def _held_out(values: Values) -> bool:
    return bool(values.get("eval_dataset")) or bool(values.get("val_size"))


def _scored(values: Values) -> bool:
    return _answers(values) and bool(values.get("eval_dataset"))


def _best(values: Values) -> bool:
    selects_best = values.get("load_best_model_at_end") or values.get("early_stopping_steps")
    return _held_out(values) and _answers(values) and bool(selects_best)


_WHEN: Mapping[str, Callable[[Values], bool]] = {
    "adapter_name_or_path": _lora,
    "quantization_bit": _lora,
    "quantization_type": _four_bits,
    "double_quantization": _four_bits,
    "loraplus_lr_ratio": _lora,
    "lora_dropout": _lora,
    **dict.fromkeys(("lora_rank", "lora_alpha", "lora_target", "use_rslora", "use_dora"), _new_adapter),
    "additional_target": lambda values: _new_adapter(values) and not _pairs(values),
    "pissa_init": lambda values: _new_adapter(values) and not values.get("quantization_bit"),
    "pissa_iter": lambda values: _new_adapter(values) and bool(values.get("pissa_init")),
    **dict.fromkeys(("freeze_trainable_layers", "freeze_trainable_modules", "freeze_extra_modules"), _freeze),
    **dict.fromkeys(("template", "overlong"), _answers),
    **dict.fromkeys(("train_on_prompt", "direct_share", "label_weight"), _conversations),
    "padding_free": lambda values: not _pairs(values),
    **dict.fromkeys(("pref_beta", "allow_few_pairs"), _pairs),
    **dict.fromkeys(("pref_loss", "pref_ftx", "dpo_label_smoothing"), _dpo),
    **dict.fromkeys(("kto_chosen_weight", "kto_rejected_weight"), lambda values: values["stage"] == "kto"),
    "warmup_ratio": lambda values: not values.get("warmup_steps"),
    **dict.fromkeys(("eval_steps", "early_stopping_steps", "load_best_model_at_end"), _held_out),
    "eval_category_accuracy": lambda values: _answers(values) and _held_out(values),
    "metric_for_best_model": _best,
    "save_total_limit": lambda values: (
        bool(values.get("save_steps")) or bool(values.get("load_best_model_at_end"))
    ),
    **dict.fromkeys(("evaluate_after", "eval_limit"), _scored),
    "max_new_tokens": lambda values: _scored(values) and "chain" in (values.get("evaluate_after") or ()),
}


OF_ONE_METHOD = (
    "loraplus_lr_ratio",
    "lora_dropout",
    "lora_rank",
    "lora_alpha",
    "lora_target",
    "additional_target",
    "use_rslora",
    "use_dora",
    "pissa_init",
    "pissa_iter",
    "freeze_trainable_layers",
    "freeze_trainable_modules",
    "freeze_extra_modules",
    "pref_beta",
    "pref_loss",
    "pref_ftx",
    "dpo_label_smoothing",
    "kto_chosen_weight",
    "kto_rejected_weight",
)
"""Fields of one method or stage that other tools write whatever the method, and read only under theirs."""


def matters(name: str, values: Values) -> bool:
    """Return whether a field has any effect, given the values of the others."""
    return name not in _WHEN or _WHEN[name](values)


def only_what_matters(values: Values) -> dict[str, Any]:
    """Reset every field without effect to its default in TrainSpec."""
    kept = dict(values)
    for name in _WHEN:
        if name in kept and not matters(name, kept):
            kept[name] = TrainSpec.model_fields[name].get_default(call_default_factory=True)
    return kept
