"""A new run on the Train page: what, on what, how, and the button that starts it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import streamlit as st

from pages.sections.train import data as training_data
from pages.sections.train import learning_rate as rates_view
from pages.sections.train import memory as memory_view
from pages.sections.train import settings_files
from pages.sections.train.data import STAGE_NAMES, Data, Stage
from pages.sections.train.settings_files import IMPORTED
from pages.sections.train.spec_form import spec_widgets
from pages.shared import shell
from pages.shared import token_preview as preview_view
from pages.shared.run_controls import place_choice
from studio import runs
from studio.contract import TrainSpec
from studio.errors import StudioError
from studio.jobs import queue as jobs
from studio.language import say
from studio.models.catalog import ModelEntry, find_models
from studio.runs import Run
from studio.store import Store
from studio.training.presets import (
    PRESETS,
    Method,
    adjusted_rate,
    checked_spec,
    method_of,
    rate_parts,
    rate_reason,
    with_method,
    with_texts,
)

PRESET_NAMES = {
    "sound_default": ("稳妥默认", "Sound default"),
    "quick_look": ("快速看看", "Quick look"),
    "tutorial": ("教程设置", "Tutorial's settings"),
    IMPORTED: ("读入的文件", "The file that was read"),
}
PRESET_HELP = (
    "稳妥默认：适合几百到几千条数据。快速看看：一分钟内走完一遍，只看通不通。教程设置：教程在 LLaMA-Factory 网页上用的值，适合 7B 模型；小模型在这个学习率下几乎不动。",
    "Sound default: for hundreds to thousands of rows. Quick look: a minute, to see that all fits. Tutorial's settings: what the tutorial enters on LLaMA-Factory's page, for 7B models; a small model hardly moves at that rate.",
)
METHOD_NAMES: Mapping[Method, tuple[str, str]] = {
    "lora": ("LoRA", "LoRA"),
    "qlora8": ("QLoRA 8 位", "QLoRA 8 bit"),
    "qlora4": ("QLoRA 4 位", "QLoRA 4 bit"),
    "freeze": ("只学几层", "Freeze"),
    "full": ("全部权重", "Full"),
}
METHOD_HELP = (
    "LoRA：原权重不动，只学旁边的小矩阵，文件小，最常用。QLoRA：同上，原权重压成 8 或 4 位，省内存。只学几层：其余冻结。全部权重：最费内存，数据多时才值得。",
    "LoRA: small matrices beside frozen weights; small files, the usual choice. QLoRA: the same with the frozen weights in 8 or 4 bit. Freeze: some layers learn. Full: every weight; takes most memory, pays with much data.",
)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What was chosen above the form: model, data, preset, the spec it begins with, the held-out rows."""

    model: ModelEntry
    data: Data
    preset: str
    start: TrainSpec
    held_out: Mapping[str, Any]


def new_run(db: Store) -> None:
    """The choices of a new run and the button that starts it."""
    settings_files.follow_import()
    models = {model.name: model for model in find_models(shell.workspace())}
    if not models:
        st.warning(
            say(
                "没有可用的基座模型。把模型文件夹放进工作区的 models/，或用 news-studio models download 下载。",
                "There is no base model. Put a model folder into models/ of the workspace, or use: news-studio models download",
            )
        )
        return
    chosen = _choose(db, models)
    if chosen is None:
        return
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        method = _choose_method(chosen.start)
    start = chosen.start if method == method_of(chosen.start) else with_method(chosen.start, method)
    with right:
        adapter = _choose_adapter(chosen.model, method)
    settled: dict[str, Any] = {
        "finetuning_type": start.finetuning_type,
        "quantization_bit": start.quantization_bit,
        **chosen.held_out,
        **adapter,
    }
    form = settings_files.imported_form() if chosen.preset == IMPORTED else chosen.preset
    values = spec_widgets(start, form, settled)
    _explain(values, start, chosen.model, chosen.data)
    _checks(chosen.model, chosen.data, values)
    spec = _spec(values)
    if spec:
        memory_view.memory_box(spec, chosen.model.parameters)
        rates_view.rates_box(spec, form, chosen.data.version)
    with st.expander(
        say("设置文件与命令", "Settings as files and commands"), key="settings-files", icon=":material/code:"
    ):
        settings_files.import_box(list(models.values()))
        if spec:
            own = spec.dataset_dir == chosen.data.folder
            dataset = chosen.data.name if own else str(spec.dataset_dir)
            settings_files.export_box(spec, model=chosen.model.name, dataset=dataset)
    _start_line(chosen.model, chosen.data, values)


def _choose(db: Store, models: Mapping[str, ModelEntry]) -> Chosen | None:
    """Stage, model, data, preset and held-out rows; None, with what to do, where there is no data."""
    stage = _choose_stage()
    with st.grid(4, min_column_width=180):
        name = st.selectbox(
            say("基座模型", "Base model"),
            list(models),
            format_func=lambda name: _model_label(models[name]),
            key="choose-train-model",
        )
        data = training_data.choose_data(db, stage)
        preset = _choose_preset()
        start = _start(preset, models[name], data, stage)
        held_out = training_data.choose_held_out(db, data, start, preset) if data else {}
    if stage == "pt":
        training_data.add_texts_form(is_open=data is None)
    if data is None:
        st.info(
            say(
                "先加入文本：继续预训练学的是纯文本，不是问答。",
                "Add texts first: continued pre-training learns plain text, not questions and answers.",
            ),
            icon=":material/upload_file:",
        )
        return None
    training_data.leak_warning()
    return Chosen(model=models[name], data=data, preset=preset, start=start, held_out=held_out)


def _choose_stage() -> Stage:
    st.session_state.setdefault("choose-train-stage", "sft")
    stage: Stage | None = st.segmented_control(
        say("学什么", "What is learned"),
        list(STAGE_NAMES),
        format_func=lambda stage: say(*STAGE_NAMES[stage]),
        required=True,
        key="choose-train-stage",
        label_visibility="collapsed",
    )
    return stage or "sft"


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
    """The spec to begin with: the preset on this model and data, in the chosen stage."""
    folder = data.folder if data else model.path
    if preset == IMPORTED:
        start = settings_files.imported_start(PRESETS["sound_default"](model.path, folder))
        settings_files.start_method(start)
    else:
        start = PRESETS[preset](model.path, folder)
    if stage == "pt" and start.stage == "sft":
        return with_texts(start)
    return start if stage == start.stage else start.model_copy(update={"stage": stage})


def _choose_method(start: TrainSpec) -> Method:
    st.session_state.setdefault("choose-train-method", method_of(start))
    chosen: Method | None = st.segmented_control(
        say("方法", "Method"),
        list(METHOD_NAMES),
        format_func=lambda name: say(*METHOD_NAMES[name]),
        required=True,
        key="choose-train-method",
        help=say(*METHOD_HELP),
    )
    return chosen or "lora"


def _choose_adapter(model: ModelEntry, method: Method) -> dict[str, Any]:
    """A finished adapter of this base to go on from, where there is one."""
    if method in ("freeze", "full"):
        return {}
    adapters = {run.id: (run, folder) for run, folder in _adapters(model)}
    if not adapters:
        return {}
    chosen = st.selectbox(
        say("从哪里开始", "Begin with"),
        ["", *adapters],
        format_func=lambda run_id: (
            shell.run_option(adapters[run_id][0]) if run_id else say("新的适配器", "a new adapter")
        ),
        key="choose-train-adapter",
        help=say(
            "接着一次完成的 LoRA 训练往下学；秩和作用层由那个适配器决定。",
            "Go on from a finished LoRA run; its rank and layers are that adapter's.",
        ),
    )
    return {"adapter_name_or_path": adapters[chosen][1] if chosen else None}


def _adapters(model: ModelEntry) -> list[tuple[Run, Any]]:
    found = []
    for run in runs.list_runs(shell.workspace()):
        if run.state != "done" or run.spec.kind != "train" or run.spec.model_name_or_path != model.path:
            continue
        try:
            _, adapter = runs.trained_model(run)
        except StudioError:
            continue
        if adapter and adapter.is_dir():
            found.append((run, adapter))
    return found


def _explain(values: Mapping[str, Any], start: TrainSpec, model: ModelEntry, data: Data) -> None:
    """What the numbers above add up to, and why the rate starts where it does."""
    parts = []
    batch, accumulation = values["per_device_train_batch_size"], values["gradient_accumulation_steps"]
    if batch and accumulation:
        each = batch * accumulation
        text = say(f"每步学 {each} 条样本", f"{each} samples a step")
        if values["stage"] == "pt":
            text += say(
                f"，每条正好 {values['cutoff_len']} 个词元", f" of exactly {values['cutoff_len']} tokens"
            )
        if values["stage"] == "sft" and not values["val_size"]:
            samples = data.rows + round(data.rows * (values["direct_share"] or 0))
            steps = values["max_steps"] if values["max_steps"] and values["max_steps"] > 0 else None
            steps = steps or math.ceil(math.ceil(samples / each) * (values["num_train_epochs"] or 0))
            text += say(f"，共约 {steps:,} 步", f", about {steps:,} steps in all")
        parts.append(text)
    ratio, rate = values["loraplus_lr_ratio"], values["learning_rate"]
    if ratio and rate:
        parts.append(
            say(f"LoRA+：矩阵 B 的学习率是 {rate * ratio:g}", f"LoRA+: matrix B learns at {rate * ratio:g}")
        )
    usual = with_method(PRESETS["sound_default"](model.path, data.folder), method_of(start))
    reason = rate_reason(usual, model.parameters)
    spec = _spec(values)
    advised = adjusted_rate(usual.learning_rate, spec) if spec else usual.learning_rate
    if spec and (more := rate_parts(spec)):
        reason = f"{reason} {say('再按', 'Adjusted for ')}{more}{say('调整。', '.')}"
    if rate != advised:
        reason = say(
            f"学习率的起点是 {advised:g}：{reason}", f"A rate to start from is {advised:g}. {reason}"
        )
    parts.append(reason)
    st.caption("　·　".join(shell.plain(part) for part in parts))


def _checks(model: ModelEntry, data: Data, values: Mapping[str, Any]) -> None:
    """What is wrong with the model, and how many rows are too long."""
    if values["stage"] == "pt" and data.characters < 4 * (values["cutoff_len"] or 0):
        st.warning(
            say(
                f"文本只有 {data.characters:,} 字，凑不出几条 {values['cutoff_len']} 个词元的样本：加文本，或减小“最长样本”。",
                f"The texts have {data.characters:,} characters, hardly a sample of {values['cutoff_len']} tokens: add texts, or lower the longest sample.",
            ),
            icon=":material/short_text:",
        )
    for problem in model.problems:
        st.warning(f"{shell.plain(problem.message)} {shell.plain(problem.remedy)}")
    if model.ok and values["stage"] == "sft":
        preview_view.train_line(model, data.folder, values["template"], int(values["cutoff_len"] or 0))


def _spec(values: Mapping[str, Any]) -> TrainSpec | None:
    """The spec as it stands on screen; None while a value does not fit, which the start button explains."""
    try:
        return checked_spec(values)
    except StudioError:
        return None


def _start_line(model: ModelEntry, data: Data, values: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = place_choice("choose-train")
        label = st.text_input(
            say("给这次运行起个名字", "A name for this run"),
            key="train-label",
            placeholder=say("可不填", "optional"),
            width=300,
        )
        start = st.button(
            say("开始训练", "Start training"),
            key="train-start",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not model.ok,
        )
    if start:
        with shell.report_errors():
            workspace = shell.workspace()
            run = runs.prepare_run(
                workspace, checked_spec(values), label=label.strip(), version=data.version, place=place
            )
            jobs.submit(workspace, run)
            st.session_state["choose-watched-run"] = run.id
            st.rerun()


def _model_label(model: ModelEntry) -> str:
    name = say("内置小模型", "bundled") if model.bundled else model.name
    return f"{name} · {model.parameters / 1e6:,.0f} M"


assert set(METHOD_NAMES) == set(get_args(Method))
