"""Draw widgets for the training settings, made from TrainSpec itself.

Name, bounds, choices and explanation of every widget come from the field, so that a new
setting appears here by being listed. Only what matters under the other choices is drawn.
Values go into the spec, which has the last word.
"""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import streamlit as st

from pages.sections.train.field_texts import field_help, field_label
from pages.shared.feedback import reporting
from studio.contract import TrainSpec
from studio.language import say
from studio.training.field_relevance import matters, only_what_matters

IMPORTANT = (
    "num_train_epochs",
    "learning_rate",
    "lora_rank",
    "freeze_trainable_layers",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
)
GROUPS: dict[str, tuple[tuple[str, str], tuple[str, ...]]] = {
    "method": (
        ("方法", "Method"),
        (
            "lora_alpha",
            "lora_dropout",
            "lora_target",
            "additional_target",
            "loraplus_lr_ratio",
            "use_rslora",
            "use_dora",
            "pissa_init",
            "pissa_iter",
            "freeze_trainable_modules",
            "freeze_extra_modules",
        ),
    ),
    "learning": (
        ("优化", "Optimization"),
        (
            "max_steps",
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
    "preferences": (
        ("偏好", "Preferences"),
        (
            "pref_beta",
            "pref_loss",
            "pref_ftx",
            "dpo_label_smoothing",
            "kto_chosen_weight",
            "kto_rejected_weight",
            "allow_few_pairs",
        ),
    ),
    "memory": (
        ("内存", "Memory"),
        (
            "quantization_type",
            "double_quantization",
            "gradient_checkpointing",
            "bf16",
        ),
    ),
    "evaluation": (
        ("日志与评估", "Logging and evaluation"),
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
    "finetuning_type",
    "quantization_bit",
    "model_name_or_path",
    "dataset_dir",
    "adapter_name_or_path",
    "dataset",
    "eval_dataset",
    "val_size",
)
"""Set by the choices above the form, or not for this page."""
NOTHING = ""
"""What a widget holds for None: a select box takes None for "nothing was chosen yet"."""


def spec_widgets(start: TrainSpec, form: str, settled: Mapping[str, Any]) -> dict[str, Any]:
    """Draw the settings that matter, the important ones first, the rest folded; return all of the spec.

    Args:
        start: the values to begin with.
        form: part of the widget keys, so that another preset brings its values.
        settled: values that were chosen above the form.

    Returns:
        The fields of the spec, without those that do not matter under the others.
    """
    asked = [*IMPORTANT, *(name for _, names in GROUPS.values() for name in names)]
    values = start.model_dump() | dict(settled)
    values |= {name: _current(form, name, getattr(start, name)) for name in asked}
    with st.grid(5, min_column_width=140):
        for name in IMPORTANT:
            _draw(form, name, start, values)
    with st.expander(say("更多设置", "More settings"), key="more-settings", icon=":material/tune:"):
        groups = [
            (title, names) for title, names in GROUPS.values() if any(matters(name, values) for name in names)
        ]
        tabs = st.tabs([say(*title) for title, _ in groups])
        for tab, (_, names) in zip(tabs, groups, strict=True):
            with tab, st.grid(3, min_column_width=180):
                for name in names:
                    _draw(form, name, start, values)
    return only_what_matters(values)


def _draw(form: str, name: str, start: TrainSpec, values: dict[str, Any]) -> None:
    """Draw the field's widget, if the field matters; its value goes into `values`, and is kept.

    Streamlit forgets a widget that is not drawn: what was typed comes back from what was kept.
    """
    if not matters(name, values):
        return
    key, begin = _key(form, name), getattr(start, name)
    if key not in st.session_state or _last(form, name, begin) is None:
        st.session_state[key] = (_last(form, name, begin) or (begin, _shown(name, begin)))[1]
    values[name] = field_widget(name, begin, key)
    _kept()[key] = (begin, st.session_state[key])


def _last(form: str, name: str, start: Any) -> tuple[Any, Any] | None:
    """Return what was kept of a widget, unless its start has changed since.

    Another model or method brings another rate, but leaves the number of epochs as it was typed.
    """
    kept = _kept().get(_key(form, name))
    return kept if kept and kept[0] == start else None


def _current(form: str, name: str, start: Any) -> Any:
    """Return the value of a widget before it is drawn."""
    last = _last(form, name, start)
    if last is None:
        return start
    shown = st.session_state.get(_key(form, name), last[1])
    if isinstance(start, dict):
        return _numbers_of(shown)
    return tuple(shown) if isinstance(start, tuple) else _value(shown)


def _kept() -> dict[str, tuple[Any, Any]]:
    """Map each widget to the start value it was drawn with and its last value."""
    kept: dict[str, tuple[Any, Any]] = st.session_state.setdefault("spec-kept", {})
    return kept


def _key(form: str, name: str) -> str:
    return f"spec-{form}-{name}"


@reporting
def take_over(form: str, name: str, value: Any) -> None:
    """Put a value into a widget of the form."""
    st.session_state[_key(form, name)] = _shown(name, value)


def _shown(name: str, value: Any) -> Any:
    """Convert a value to what its widget holds."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {number:g}" for key, number in value.items())
    if isinstance(value, tuple):
        return list(value)
    kind, optional = _kind(TrainSpec.model_fields[name].annotation)
    is_number = kind in (int, float)
    return NOTHING if value is None and optional and not is_number else value


def field_widget(name: str, start: Any, key: str) -> Any:
    """Draw the widget that fits a field's type; its value is in the session already."""
    common: dict[str, Any] = {"label": field_label(name), "help": field_help(name), "key": key}
    kind, optional = _kind(TrainSpec.model_fields[name].annotation)
    if get_origin(kind) is Literal:
        choices = (NOTHING, *get_args(kind)) if optional else get_args(kind)
        return _value(st.selectbox(options=choices, format_func=_choice_name, **common))
    if get_origin(kind) is dict:
        return _numbers_of(st.text_input(placeholder="min_lr_rate: 0.1", **common))
    if get_origin(kind) is tuple:
        answers = get_args(get_args(kind)[0])
        return tuple(st.pills(options=answers, selection_mode="multi", **common))
    if kind is bool and optional:
        chosen = st.selectbox(options=(NOTHING, True, False), format_func=_switch_name, **common)
        return _value(chosen)
    if kind is bool:
        return st.checkbox(**common)
    if kind in (int, float):
        more: dict[str, Any] = {"step": 1} if kind is int else {"step": _step(start), "format": "%g"}
        if optional:
            more["value"] = None
        return st.number_input(placeholder=say("留空", "empty"), **more, **common)
    text = st.text_input(placeholder=say("留空", "empty") if optional else None, **common)
    return text.strip() or None if optional else text


def _numbers_of(text: str | None) -> dict[str, Any]:
    """Parse `name: number` pairs; what is not a number is left to the spec to refuse."""
    pairs = [part.partition(":") for part in (text or "").replace("，", ",").split(",") if part.strip()]
    return {name.strip(): number.strip() for name, _, number in pairs}


def _value(shown: Any) -> Any:
    return None if shown == NOTHING else shown


def _choice_name(choice: str | int) -> str:
    return say("关", "off") if choice == NOTHING else str(choice)


def _kind(annotation: Any) -> tuple[Any, bool]:
    """Return a field's type without None, and whether None was in it."""
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        return kinds[0], True
    return annotation, False


def _step(value: float | None) -> float:
    """Return a tenth of the value: plus and minus fit a learning rate as well as a number of epochs."""
    return 1.0 if value is None or value >= 1 else float(f"{(value or 0.1) / 10:.0e}")


def _switch_name(value: bool | str) -> str:
    if value == NOTHING:
        return say("自动", "automatic")
    return say("开", "on") if value else say("关", "off")
