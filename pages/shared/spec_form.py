"""Widgets for the training settings, made from TrainSpec itself.

Name, bounds, choices and explanation of every widget come from the field, so that a new
setting appears here by being listed. Values go into the spec, which has the last word.
"""

from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import streamlit as st

from pages.shared.fields import field_help, field_label
from studio.contract import TrainSpec
from studio.language import say

IMPORTANT = ("num_train_epochs", "learning_rate", "lora_rank", "per_device_train_batch_size")
GROUPS: dict[str, tuple[tuple[str, str], tuple[str, ...]]] = {
    "method": (
        ("方法", "Method"),
        (
            "finetuning_type",
            "lora_alpha",
            "lora_dropout",
            "lora_target",
            "additional_target",
            "loraplus_lr_ratio",
            "use_rslora",
            "use_dora",
            "pissa_init",
            "pissa_iter",
            "freeze_trainable_layers",
            "freeze_trainable_modules",
            "freeze_extra_modules",
        ),
    ),
    "learning": (
        ("学习过程", "Learning"),
        (
            "max_steps",
            "gradient_accumulation_steps",
            "optim",
            "lr_scheduler_type",
            "lr_scheduler_kwargs",
            "warmup_ratio",
            "warmup_steps",
            "weight_decay",
            "max_grad_norm",
            "neftune_noise_alpha",
            "seed",
        ),
    ),
    "samples": (
        ("样本与损失", "Samples and loss"),
        (
            "template",
            "cutoff_len",
            "overlong",
            "train_on_prompt",
            "direct_share",
            "label_weight",
            "padding_free",
        ),
    ),
    "memory": (
        ("内存", "Memory"),
        (
            "quantization_bit",
            "quantization_type",
            "double_quantization",
            "gradient_checkpointing",
            "bf16",
        ),
    ),
    "evaluation": (
        ("记录与评估", "Records and evaluation"),
        (
            "logging_steps",
            "eval_steps",
            "eval_category_accuracy",
            "early_stopping_steps",
            "load_best_model_at_end",
            "metric_for_best_model",
            "save_steps",
            "save_total_limit",
            "evaluate_after",
            "eval_limit",
            "max_new_tokens",
        ),
    ),
}
NOT_ASKED = (
    "format_version",
    "kind",
    "stage",
    "model_name_or_path",
    "dataset_dir",
    "adapter_name_or_path",
    "dataset",
    "eval_dataset",
    "val_size",
)
"""Settled by the choices above the form, or not for this page."""


def spec_widgets(preset: TrainSpec, preset_name: str) -> dict[str, Any]:
    """Draw the settings, the important ones first, the rest folded; return what they say.

    Args:
        preset_name: part of the widget keys, so that another preset brings its values.
    """
    values: dict[str, Any] = {}
    with st.grid(4, min_column_width=150):
        for name in IMPORTANT:
            values[name] = field_widget(name, getattr(preset, name), preset_name)
    with st.expander(say("更多设置", "More settings"), key="more-settings", icon=":material/tune:"):
        tabs = st.tabs([say(*title) for title, _ in GROUPS.values()])
        for tab, (_, names) in zip(tabs, GROUPS.values(), strict=True):
            with tab, st.grid(3, min_column_width=180):
                for name in names:
                    values[name] = field_widget(name, getattr(preset, name), preset_name)
    return values


def field_widget(name: str, value: Any, preset_name: str) -> Any:
    """The widget that fits a field's type, starting at `value`."""
    common: dict[str, Any] = {
        "label": field_label(name),
        "help": field_help(name),
        "key": f"spec-{preset_name}-{name}",
    }
    kind, optional = _kind(TrainSpec.model_fields[name].annotation)
    if get_origin(kind) is Literal:
        choices = (None, *get_args(kind)) if optional else get_args(kind)
        return st.selectbox(
            options=choices,
            index=choices.index(value),
            format_func=lambda choice: say("关", "off") if choice is None else choice,
            **common,
        )
    if get_origin(kind) is dict:
        return _numbers_by_name(value, **common)
    if get_origin(kind) is tuple:
        answers = get_args(get_args(kind)[0])
        return tuple(st.pills(options=answers, selection_mode="multi", default=list(value), **common))
    if kind is bool and optional:
        return st.selectbox(options=(None, True, False), format_func=_switch_name, index=0, **common)
    if kind is bool:
        return st.checkbox(value=value, **common)
    if kind is int:
        return st.number_input(value=value, step=1, placeholder=say("留空", "empty"), **common)
    if kind is float:
        return st.number_input(
            value=value, step=_step(value), format="%g", placeholder=say("留空", "empty"), **common
        )
    return st.text_input(value=value, **common)


def _numbers_by_name(value: dict[str, float], **common: Any) -> dict[str, Any]:
    """A line of `name: number`, separated by commas; what is no number is left to the spec to refuse."""
    text = st.text_input(
        value=", ".join(f"{name}: {number:g}" for name, number in value.items()),
        placeholder="min_lr_rate: 0.1",
        **common,
    )
    pairs = [part.partition(":") for part in (text or "").replace("，", ",").split(",") if part.strip()]
    return {name.strip(): number.strip() for name, _, number in pairs}


def _kind(annotation: Any) -> tuple[Any, bool]:
    """A field's type without None, and whether None was in it."""
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        return kinds[0], True
    return annotation, False


def _step(value: float | None) -> float:
    """A tenth of the value, so that plus and minus fit a learning rate as well as a number of epochs."""
    return 1.0 if value is None or value >= 1 else float(f"{(value or 0.1) / 10:.0e}")


def _switch_name(value: bool | None) -> str:
    return {None: say("自动", "automatic"), True: say("开", "on"), False: say("关", "off")}[value]
