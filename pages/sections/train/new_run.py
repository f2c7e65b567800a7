"""Draw a new run: the choices, the settings, what they add up to, and the button that starts it."""

import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.sections.train import settings_files
from pages.sections.train.choices import choose, choose_adapter, choose_method
from pages.sections.train.data import Data
from pages.sections.train.learning_rate import rates_box
from pages.sections.train.memory import memory_box
from pages.sections.train.settings_files import IMPORTED
from pages.sections.train.spec_form import spec_widgets
from pages.shared import session
from pages.shared.feedback import report_errors
from pages.shared.run_controls import choose_place
from pages.shared.text import plain
from pages.shared.token_preview import train_line
from studio import runs
from studio.contract import TrainSpec
from studio.errors import StudioError
from studio.jobs import queue
from studio.language import say
from studio.models.catalog import ModelEntry, find_models
from studio.samples.preferences import too_few
from studio.store import Store
from studio.training.presets import (
    PRESETS,
    adjusted_rate,
    checked_spec,
    method_of,
    rate_parts,
    rate_reason,
    with_method,
    with_preferences,
)


def new_run(db: Store) -> None:
    """Draw the choices of a new run and the button that starts it."""
    settings_files.follow_import()
    models = {model.name: model for model in find_models(session.workspace())}
    if not models:
        st.warning(
            say(
                "没有可用的基座模型。把模型文件夹放进工作区的 models/，"
                "或用 news-studio models download 下载。",
                "There is no base model. Put a model folder into models/ of the workspace, "
                "or use: news-studio models download",
            )
        )
        return
    settings_files.follow_address(list(models.values()))
    chosen = choose(db, models)
    if chosen is None:
        return
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        method = choose_method(chosen.start)
    start = chosen.start if method == method_of(chosen.start) else with_method(chosen.start, method)
    with right:
        adapter = choose_adapter(chosen.model, method)
    settled: dict[str, Any] = {
        "finetuning_type": start.finetuning_type,
        "quantization_bit": start.quantization_bit,
        **chosen.held_out,
        **adapter,
    }
    form = settings_files.imported_form() if chosen.preset == IMPORTED else chosen.preset
    if start.learns_preferences:
        form += "-pairs"  # other values to begin with: those of fine-tuning stay in its own form
    values = spec_widgets(start, form, settled)
    _explain(values, start, chosen.model, chosen.data)
    _checks(chosen.model, chosen.data, values)
    spec = _spec(values)
    if spec:
        memory_box(spec, chosen.model.parameters)
        if not spec.learns_preferences:
            rates_box(spec, form, chosen.data.version)
    with st.expander(
        say("设置文件与命令", "Settings files and commands"), key="settings-files", icon=":material/code:"
    ):
        settings_files.import_box(list(models.values()))
        if spec:
            own = spec.dataset_dir == chosen.data.folder
            dataset = chosen.data.name if own else str(spec.dataset_dir)
            settings_files.export_box(spec, model=chosen.model.name, dataset=dataset)
    _start_line(chosen.model, chosen.data, values)


def _explain(values: Mapping[str, Any], start: TrainSpec, model: ModelEntry, data: Data) -> None:
    """Draw what the settings add up to, and why the learning rate starts where it does."""
    parts = []
    batch, accumulation = values["per_device_train_batch_size"], values["gradient_accumulation_steps"]
    if batch and accumulation:
        each = batch * accumulation
        text = say(f"每步 {each} 条样本", f"{each} samples per step")
        if values["stage"] == "pt":
            text += say(
                f"，每条正好 {values['cutoff_len']} 个词元", f" of exactly {values['cutoff_len']} tokens each"
            )
        if values["stage"] != "pt" and not values["val_size"]:
            twice = {"sft": values["direct_share"] or 0, "kto": 1}.get(values["stage"], 0)
            samples = data.rows + round(data.rows * twice)
            steps = values["max_steps"] if values["max_steps"] and values["max_steps"] > 0 else None
            steps = steps or math.ceil(math.ceil(samples / each) * (values["num_train_epochs"] or 0))
            text += say(f"，共约 {steps:,} 步", f", about {steps:,} steps in all")
        parts.append(text)
    ratio, rate = values["loraplus_lr_ratio"], values["learning_rate"]
    if ratio and rate:
        parts.append(
            say(
                f"LoRA+：矩阵 B 的学习率是 {rate * ratio:g}",
                f"LoRA+: the learning rate of matrix B is {rate * ratio:g}",
            )
        )
    usual = with_method(PRESETS["sound_default"](model.path, data.folder), method_of(start))
    if start.learns_preferences:
        usual = with_preferences(usual, start.stage)
    reason = rate_reason(usual, model.parameters)
    spec = _spec(values)
    advised = adjusted_rate(usual.learning_rate, spec) if spec else usual.learning_rate
    if spec and (more := rate_parts(spec)):
        reason = f"{reason} {say('再按', 'Adjusted for ')}{more}{say('调整。', '.')}"
    if rate != advised:
        reason = say(
            f"建议的学习率是 {advised:g}：{reason}", f"Suggested learning rate: {advised:g}. {reason}"
        )
    parts.append(reason)
    st.caption("　·　".join(plain(part) for part in parts))


def _checks(model: ModelEntry, data: Data, values: Mapping[str, Any]) -> None:
    """Draw what is wrong with the model, and how many rows are too long."""
    if values["stage"] == "pt" and data.characters < 4 * (values["cutoff_len"] or 0):
        st.warning(
            say(
                f"文本只有 {data.characters:,} 字，凑不出几条 {values['cutoff_len']} 个词元的样本："
                "请添加文本，或减小“最长样本”。",
                f"The texts have {data.characters:,} characters, too few for samples of "
                f"{values['cutoff_len']} tokens: add texts, or lower the cutoff length.",
            ),
            icon=":material/short_text:",
        )
    if data.chosen and not values["allow_few_pairs"] and (reason := too_few(data.chosen)) is not None:
        st.warning(
            say(*reason)
            + say(
                " 多收集一些，或在“更多设置 → 偏好”里打开“允许少量偏好对”。",
                " Collect more, or turn on “Allow few pairs” under More settings → Preferences.",
            ),
            icon=":material/compare:",
        )
    for problem in model.problems:
        st.warning(f"{plain(problem.message)} {plain(problem.remedy)}")
    if model.ok and values["stage"] == "sft":
        train_line(model, data.folder, values["template"], int(values["cutoff_len"] or 0))


def _spec(values: Mapping[str, Any]) -> TrainSpec | None:
    """Build the spec as it is on screen; None while a value is invalid, which the start button explains."""
    try:
        return checked_spec(values)
    except StudioError:
        return None


def _start_line(model: ModelEntry, data: Data, values: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = choose_place("choose-train")
        label = st.text_input(
            say("给这次运行起个名字", "Name of this run"),
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
        with report_errors():
            workspace = session.workspace()
            run = runs.prepare_run(
                workspace, checked_spec(values), label=label.strip(), version=data.version, place=place
            )
            queue.submit(workspace, run)
            st.session_state["choose-watched-run"] = run.id
            st.rerun()
