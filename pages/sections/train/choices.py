"""Draw the choices above the settings: stage, model, data, preset, held-out rows, method, adapter."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import streamlit as st

from pages.sections.train import settings_files
from pages.sections.train.data import (
    STAGE_HELP,
    STAGE_NAMES,
    Data,
    add_texts_form,
    choose_data,
    choose_held_out,
    coverage_warning,
    leak_warning,
)
from pages.sections.train.settings_files import IMPORTED
from pages.shared import session
from pages.shared.elements import choose_one
from pages.shared.run_names import METHOD_NAMES
from pages.shared.text import run_option
from studio import runs
from studio.contract import Stage, TrainSpec
from studio.errors import StudioError
from studio.language import say
from studio.models.catalog import ModelEntry
from studio.runs import Run
from studio.store import Store
from studio.training.presets import PRESETS, Method, method_of, with_preferences, with_texts

PRESET_NAMES = {
    "sound_default": ("稳妥默认", "Sound default"),
    "quick_look": ("快速看看", "Quick look"),
    "tutorial": ("教程设置", "Tutorial settings"),
    IMPORTED: ("读入的文件", "Imported file"),
}
PRESET_HELP = (
    "稳妥默认：适合几百到几千条数据。快速看看：一分钟内走完一遍，只看能否跑通。"
    "教程设置：教程在 LLaMA-Factory 网页上用的值，适合 7B 模型；小模型在这个学习率下几乎学不到东西。",
    "Sound default: for hundreds to thousands of rows. Quick look: one minute, to see that everything runs. "
    "Tutorial settings: what the tutorial enters on LLaMA-Factory's page, for 7B models; "
    "a small model hardly learns at that rate.",
)
METHOD_HELP = (
    "LoRA：冻结原权重，只训练旁边的小矩阵，文件小，最常用。QLoRA：同上，原权重量化成 8 或 4 位，省内存。"
    "部分层：只训练几层，其余冻结。全参数：训练所有权重，最费内存，数据多时才值得。",
    "LoRA: trains small matrices beside the frozen weights; small files, the usual choice. "
    "QLoRA: the same with the frozen weights quantized to 8 or 4 bit. Freeze: trains some layers. "
    "Full: trains every weight; takes the most memory and needs a lot of data to pay off.",
)
assert set(METHOD_NAMES) == set(get_args(Method))


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What was chosen above the form: model, data, preset, the spec it begins with, the held-out rows."""

    model: ModelEntry
    data: Data
    preset: str
    start: TrainSpec
    held_out: Mapping[str, Any]


def choose(db: Store, models: Mapping[str, ModelEntry]) -> Chosen | None:
    """Draw stage, model, data, preset and held-out rows; None, with what to do, where there is no data."""
    stage = _choose_stage()
    with st.grid(4, min_column_width=180):
        name = st.selectbox(
            say("基座模型", "Base model"),
            list(models),
            format_func=lambda name: _model_label(models[name]),
            key="choose-train-model",
        )
        data = choose_data(db, stage)
        preset = _choose_preset()
        start = _start(preset, models[name], data, stage)
        held_out = choose_held_out(db, data, start, preset) if data else {}
    if stage in STAGE_HELP:
        st.caption(say(*STAGE_HELP[stage]))
    if stage == "pt":
        add_texts_form(is_open=data is None)
    if data is None and stage in STAGE_HELP:
        st.info(
            say(
                "还没有冻结的偏好对：在“偏好对”页冻结一个版本。",
                "There are no frozen preference pairs yet: freeze a version on the Pairs page.",
            ),
            icon=":material/compare:",
        )
        session.link("pairs", say("打开偏好对", "Open Pairs"))
        return None
    if data is None:
        st.info(
            say(
                "先添加文本：继续预训练用的是纯文本，不是问答。",
                "Add texts first: continued pre-training uses plain text, not conversations.",
            ),
            icon=":material/upload_file:",
        )
        return None
    leak_warning()
    if stage != "pt":
        coverage_warning(data, held_out)
    return Chosen(model=models[name], data=data, preset=preset, start=start, held_out=held_out)


def _choose_stage() -> Stage:
    st.session_state.setdefault("choose-train-stage", "sft")
    return choose_one(
        say("训练阶段", "Training stage"),
        list(STAGE_NAMES),
        key="choose-train-stage",
        format_func=lambda stage: say(*STAGE_NAMES[stage]),
        label_visibility="collapsed",
    )


def _choose_preset() -> str:
    names = [*PRESETS, *([IMPORTED] if settings_files.imported() else [])]
    chosen: str = st.selectbox(
        say("预设", "Preset"),
        names,
        format_func=lambda name: say(*PRESET_NAMES[name]),
        key="choose-train-preset",
        help=say(*PRESET_HELP),
    )
    return chosen


def _start(preset: str, model: ModelEntry, data: Data | None, stage: Stage) -> TrainSpec:
    """Return the spec to begin with: the preset on this model and data, in the chosen stage."""
    folder = data.folder if data else model.path
    if preset == IMPORTED:
        start = settings_files.imported_start(PRESETS["sound_default"](model.path, folder))
        settings_files.start_method(start)
    else:
        start = PRESETS[preset](model.path, folder)
    if stage == "pt" and start.stage == "sft":
        return with_texts(start)
    if stage in STAGE_HELP and start.stage == "sft":
        return with_preferences(start, stage)
    return start if stage == start.stage else start.model_copy(update={"stage": stage})


def choose_method(start: TrainSpec) -> Method:
    """Draw the choice of a method, beginning with that of the spec."""
    st.session_state.setdefault("choose-train-method", method_of(start))
    return choose_one(
        say("方法", "Method"),
        list(METHOD_NAMES),
        key="choose-train-method",
        fallback=method_of(start),
        format_func=lambda name: say(*METHOD_NAMES[name]),
        help=say(*METHOD_HELP),
    )


def choose_adapter(model: ModelEntry, method: Method) -> dict[str, Any]:
    """Draw the choice of a finished adapter to continue from, if there is one; as a field of the spec."""
    if method in ("freeze", "full"):
        return {}
    adapters = {run.id: (run, folder) for run, folder in _adapters(model)}
    if not adapters:
        return {}
    chosen = st.selectbox(
        say("从哪里开始", "Start from"),
        ["", *adapters],
        format_func=lambda run_id: (
            run_option(adapters[run_id][0]) if run_id else say("新的适配器", "a new adapter")
        ),
        key="choose-train-adapter",
        help=say(
            "从一次完成的 LoRA 训练继续；秩和作用层由那个适配器决定。",
            "Continue from a finished LoRA run; that adapter determines the rank and the target layers.",
        ),
    )
    return {"adapter_name_or_path": adapters[chosen][1] if chosen else None}


def _adapters(model: ModelEntry) -> list[tuple[Run, Path]]:
    found = []
    for run in runs.list_runs(session.workspace()):
        if run.state != "done" or run.spec.kind != "train" or run.spec.model_name_or_path != model.path:
            continue
        try:
            _, adapter = runs.trained_model(run)
        except StudioError:
            continue
        if adapter and adapter.is_dir():
            found.append((run, adapter))
    return found


def _model_label(model: ModelEntry) -> str:
    name = say("内置小模型", "bundled") if model.bundled else model.name
    return f"{name} · {model.parameters / 1e6:,.0f} M"
