"""Draw a new export: which model, which format, which type of weights, and the command that repeats it."""

import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import streamlit as st

from pages.sections.export.texts import decoding_note, format_name, loss, purpose
from pages.shared import session
from pages.shared.elements import choose_one, table
from pages.shared.feedback import notify, reporting
from pages.shared.text import file_size, run_option
from studio import runs
from studio.contract import QUANTS_OF, ExportFormat, ExportQuant, ExportReport
from studio.errors import StudioError
from studio.language import say
from studio.messages import message, shown, stored
from studio.models.catalog import find_models
from studio.operations.export_sizes import ModelSize, measured_before, model_size
from studio.operations.exports import DEFAULT_QUANTS, decoding_settings, export_spec, submit_export
from studio.operations.released import released_run
from studio.workspace import Workspace

FORMATS: tuple[ExportFormat, ...] = ("package", "gguf", "ollama", "safetensors", "adapter")
_WIDE_ENOUGH = 12


@dataclass(frozen=True, kw_only=True)
class Exportable:
    """A model that can be exported; `target` is what the command calls it."""

    option: str
    target: str
    model: Path
    adapter: Path | None
    run: str | None


def new_export() -> None:
    """Draw the choices of a new export."""
    workspace = session.workspace()
    models = {one.option: one for one in _exportables(workspace)}
    if not models:
        st.info(
            say("还没有可以导出的模型。先训练一次。", "There is no model to export yet. Train one first."),
            icon=":material/model_training:",
        )
        session.link("train", say("去训练", "Train"))
        return
    by_target = {one.target: option for option, one in models.items()}
    asked = st.query_params.get("run")
    if asked in by_target and st.session_state.get("followed-run") != asked:
        st.session_state["choose-export-model"] = by_target[asked]
        st.session_state["followed-run"] = asked
    chosen = models[
        st.selectbox(say("模型", "Model"), list(models), format_func=plain_option, key="choose-export-model")
    ]
    format_ = _choose_format(chosen)
    st.caption(purpose(format_))
    quant = _choose_quant(workspace, chosen, format_)
    st.caption(decoding_note(format_, float(decoding_settings(chosen.model).get("repetition_penalty", 1.0))))
    name = _name_and_details(chosen)
    out = _free_folder(workspace, chosen, format_, quant)
    _command(chosen, format_, quant, out, name)
    st.button(
        say("开始导出并核对", "Export and prove"),
        key="export-start",
        type="primary",
        icon=":material/rocket_launch:",
        on_click=_start,
        args=(chosen.target, format_, quant, name),
    )


def plain_option(option: str) -> str:
    """Show an option as it is; options are plain text."""
    return option


def _exportables(workspace: Workspace) -> list[Exportable]:
    """List the released run, then every trained one, then the bases."""
    released = released_run(workspace)
    found: list[Exportable] = []
    for run in runs.list_runs(workspace):
        if run.spec.kind != "train" or not run.result or not run.result.checkpoint:
            continue
        try:
            model, adapter = runs.trained_model(run)
        except StudioError:
            continue  # its checkpoint was discarded or moved away
        is_released = released is not None and released.id == run.id
        option = run_option(run) + (say(" · 已发布", " · released") if is_released else "")
        one = Exportable(option=option, target=run.id, model=model, adapter=adapter, run=run.id)
        found.insert(0 if is_released else len(found), one)
    for base in find_models(workspace):
        if base.ok:
            label = stored(message("label_bundled_base")) if base.bundled else base.name
            name = "bundled" if base.bundled else base.name
            found.append(
                Exportable(option=shown(label) or name, target=name, model=base.path, adapter=None, run=None)
            )
    return found


def _choose_format(chosen: Exportable) -> ExportFormat:
    formats = [one for one in FORMATS if one != "adapter" or chosen.adapter is not None]
    if st.session_state.get("choose-export-format") not in formats:
        st.session_state["choose-export-format"] = formats[0]
    return choose_one(say("格式", "Format"), formats, key="choose-export-format", format_func=format_name)


def _choose_quant(workspace: Workspace, chosen: Exportable, format_: ExportFormat) -> ExportQuant:
    quants = list(QUANTS_OF[format_])
    if len(quants) == 1:
        return quants[0]
    size = model_size(chosen.model)
    measured = measured_before(workspace, chosen.run, chosen.model)
    key = f"choose-export-quant-{format_}"
    st.session_state.setdefault(key, DEFAULT_QUANTS[format_])
    labels = {quant: _quant_label(quant, size) for quant in quants}
    quant: ExportQuant = st.selectbox(
        say("权重类型", "Type of weights"), quants, key=key, format_func=labels.__getitem__
    )
    st.caption(_cost(quant, _proof_of(measured, format_, quant)))
    if size is not None and not size.is_wide and "_k" in quant:
        st.caption(
            say(
                "这个模型有的矩阵宽度不是 256 的倍数，K 量化写不了它们，会按 llama.cpp 的规则换成更大的类型；"
                "q4_0 往往更小。",
                "Some matrices of this model have a width that is no multiple of 256, which K-quants need; "
                "by llama.cpp's rule they get a larger type. q4_0 is often smaller.",
            )
        )
    with st.expander(say("各类型的大小与代价", "Size and cost of every type"), key="export-quants"):
        table(
            (_quant_row(one, size, _proof_of(measured, format_, one)) for one in quants),
            hide_index=True,
            width="stretch",
            height="content",
        )
    return quant


def _quant_row(quant: ExportQuant, size: ModelSize | None, report: ExportReport | None) -> dict[str, str]:
    proof = report.proof if report else None
    return {
        say("类型", "Type"): quant,
        say("大小", "Size"): file_size(report.bytes)
        if report
        else f"{say('约', 'about')} {file_size(size.estimate(quant))}"
        if size
        else "",
        say("通常", "Usually"): loss(quant),
        say("类别相同", "Same category"): f"{proof.same_category} / {proof.titles}" if proof else "",
        say("答对", "Right"): f"{proof.right_before} → {proof.right_after}" if proof else "",
        say("思维链相同", "Same chain"): f"{proof.same_text} / {proof.texts}" if proof else "",
    }


def _proof_of(
    measured: dict[tuple[ExportFormat, ExportQuant], ExportReport], format_: ExportFormat, quant: ExportQuant
) -> ExportReport | None:
    """Find a proof of the same file: a GGUF is the same in all three formats that hold one."""
    alike: tuple[ExportFormat, ...] = (
        (format_,) if format_ == "safetensors" else ("gguf", "ollama", "package")
    )
    return next((measured[one, quant] for one in alike if (one, quant) in measured), None)


def _quant_label(quant: ExportQuant, size: ModelSize | None) -> str:
    about = f" · {say('约', 'about')} {file_size(size.estimate(quant))}" if size else ""
    return f"{quant}{about} · {loss(quant)}"


def _cost(quant: ExportQuant, report: ExportReport | None) -> str:
    if report is None:
        return say(
            f"{quant} 的代价：这个模型还没有量过，导出时会量。",
            f"What {quant} costs: not measured for this model yet; the export will measure it.",
        )
    proof = report.proof
    return say(
        f"{quant} 的代价，量过：{proof.titles} 个标题里类别相同 {proof.same_category}，"
        f"答对 {proof.right_before} → {proof.right_after}，p = {proof.p_value:.2g}，"
        f"{file_size(report.bytes)}。",
        f"What {quant} costs, measured: of {proof.titles} titles {proof.same_category} have the same "
        f"category, right {proof.right_before} → {proof.right_after}, p = {proof.p_value:.2g}, "
        f"{file_size(report.bytes)}.",
    )


def _name_and_details(chosen: Exportable) -> str:
    with (
        st.expander(say("更多设置", "More settings"), key="export-details"),
        st.grid(4, min_column_width=150),
    ):
        name = st.text_input(
            say("模型名", "Model name"), value="news-classifier", key="export-name", max_chars=80
        )
        st.number_input(
            say("核对几个标题", "Titles to prove with"), min_value=0, value=100, step=20, key="export-titles"
        )
        st.number_input(
            say("其中比较几条思维链", "Of these, chains"), min_value=0, value=20, step=10, key="export-chains"
        )
        st.text_input(
            say("分片大小", "Shard size"),
            value="4GB",
            key="export-shards",
            help=say("safetensors 文件最大多大。", "Largest safetensors file."),
        )
    return name


def _free_folder(workspace: Workspace, chosen: Exportable, format_: ExportFormat, quant: ExportQuant) -> Path:
    """Name a folder of the workspace that does not exist yet."""
    kind = format_ if format_ == "adapter" else f"{format_}-{quant}"
    name = f"{Path(chosen.target).name}-{kind}"
    free = workspace.exports / name
    if free.exists():
        free = workspace.exports / f"{name}-{datetime.now():%m%d-%H%M%S}"
    return free


def _command(chosen: Exportable, format_: ExportFormat, quant: ExportQuant, out: Path, name: str) -> None:
    words = ["news-studio", "export", chosen.target, str(out), "--format", format_]
    if format_ != "adapter":
        words += ["--quant", quant]
    if name != "news-classifier":
        words += ["--name", name]
    st.caption(say("同样的导出，用命令：", "The same export as a command:"))
    st.code(shlex.join(words), language=None, wrap_lines=True)


@reporting
def _start(target: str, format_: ExportFormat, quant: ExportQuant, name: str) -> None:
    """Queue the export."""
    workspace = session.workspace()
    chosen = next(one for one in _exportables(workspace) if one.target == target)
    spec = export_spec(
        workspace,
        target,
        _free_folder(workspace, chosen, format_, quant),
        format=format_,
        quant=quant,
        name=name,
        shard_size=str(st.session_state.get("export-shards") or "4GB"),
        proof_titles=int(st.session_state.get("export-titles") or 0),
        proof_chains=int(st.session_state.get("export-chains") or 0),
    )
    job = submit_export(workspace, spec)
    st.session_state["choose-export"] = job.id
    notify(say("已排队。关掉浏览器也会继续。", "Queued. It goes on when the browser closes."))
