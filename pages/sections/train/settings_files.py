"""Settings as files on the Train page: read YAML, say what became of each key, write YAML and commands."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.shared import shell
from studio.contract import TrainSpec
from studio.errors import InputError
from studio.language import say
from studio.models.catalog import ModelEntry
from studio.training import settings_file
from studio.training import shell_commands as equivalent
from studio.training.presets import checked_spec, method_of, sound_default
from studio.training.settings_file import NAMES, KeyOutcome, Note, SettingsFile

IMPORTED = "imported"
OUTCOME_NAMES: dict[KeyOutcome, tuple[str, str]] = {
    "unknown": ("不认识", "unknown"),
    "refused": ("不能用", "cannot be used"),
    "translated": ("换了说法", "translated"),
    "default": ("补上默认值", "default added"),
    "taken": ("照用", "taken"),
    "ignored": ("没有影响", "without effect"),
}
ORIGIN_NAMES = {
    "studio": ("本工作室的设置", "settings of this studio"),
    "llamafactory": ("LLaMA-Factory 的训练文件", "a LLaMA-Factory training file"),
    "llamaboard": ("LLaMA-Factory 网页保存的设置", "settings saved by LLaMA-Factory's page"),
}


def imported() -> SettingsFile | None:
    """The settings file that was read in this session, if there is one."""
    return st.session_state.get("settings_file")


def imported_form() -> str:
    """Part of the widget keys: another file brings its own values."""
    return f"{IMPORTED}{st.session_state.get('settings-file-number', 0)}"


def imported_start(base: TrainSpec) -> TrainSpec:
    """The file's settings on this model and data; the sound default where they cannot be used."""
    found = imported()
    assert found is not None, "no file was read"
    values = {key: value for key, value in found.values.items() if key not in NAMES}
    if values.get("val_size") or found.values.get("eval_dataset", "eval") is None:
        values["eval_dataset"] = None
    try:
        return checked_spec(base.model_dump() | values)
    except InputError as error:
        st.error(f"{shell.plain(error.problem)}\n\n{shell.plain(error.remedy)}", icon=":material/error:")
        return base


def import_box(models: Sequence[ModelEntry]) -> None:
    """Upload or paste a settings file; afterwards, what became of each of its keys."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        file = st.file_uploader(
            say("YAML 或 JSON 文件", "A YAML or JSON file"),
            type=["yaml", "yml", "json"],
            key="settings-file-file",
            help=say(
                "本页导出的，或 LLaMA-Factory 的训练 YAML、training_args.yaml、llamaboard_config.yaml。",
                "Written by this page, or LLaMA-Factory's training YAML, training_args.yaml, llamaboard_config.yaml.",
            ),
        )
        pasted = st.text_area(
            say("或粘贴", "or paste"),
            key="settings-file-pasted",
            height=110,
            placeholder="learning_rate: 1.0e-4",
        )
    if st.button(say("读入设置", "Read the settings"), key="settings-file-read", icon=":material/download:"):
        with shell.report_errors():
            content = file.getvalue().decode("utf-8-sig", errors="replace") if file else pasted
            _take(settings_file.read_settings_file(content or "", file.name if file else "YAML"), models)
    found = imported()
    if found:
        _report(found)


def _take(found: SettingsFile, models: Sequence[ModelEntry]) -> None:
    """Make the file the start of the form; the choices above it follow at the next drawing."""
    number = st.session_state.get("settings-file-number", 0) + 1
    st.session_state["settings_file"], st.session_state["settings-file-number"] = found, number
    wanted = str(found.values.get("model_name_or_path") or "")
    name = next((model.name for model in models if str(model.path) == wanted), None)
    name = name or settings_file.match_name(wanted, [model.name for model in models])
    follow: dict[str, Any] = {"choose-train-preset": IMPORTED}
    if name:
        follow["choose-train-model"] = name
    st.session_state["settings-file-model"] = "" if name else wanted
    if found.values.get("stage") in ("sft", "pt"):
        follow["choose-train-stage"] = found.values["stage"]
    st.session_state["settings-file-follow"] = follow
    st.rerun()


def follow_import() -> None:
    """Put the choices that a file made into their widgets, before these are drawn."""
    for key, value in st.session_state.pop("settings-file-follow", {}).items():
        st.session_state[key] = value
        st.session_state.pop("choose-train-method", None)


def _report(found: SettingsFile) -> None:
    counts = [
        f"{say(*name)} {len(found.noted(outcome))}"
        for outcome, name in OUTCOME_NAMES.items()
        if found.noted(outcome)
    ]
    st.markdown(f"**{say(*ORIGIN_NAMES[found.origin])}**　{' · '.join(counts)}")
    if found.noted("unknown", "refused"):
        st.warning(
            say("下面排在最前面的设置没有用上。", "The settings at the top of the list were not used."),
            icon=":material/help:",
        )
    elsewhere = st.session_state.get("settings-file-model")
    if elsewhere:
        st.info(
            say(
                f"文件里的模型 {shell.plain(elsewhere)} 不在这里：用的是上面选的基座模型。",
                f"The model of the file, {shell.plain(elsewhere)}, is not here: the base model chosen above is used.",
            ),
            icon=":material/deployed_code:",
        )
    order = list(OUTCOME_NAMES)
    notes = sorted(found.notes, key=lambda note: order.index(note.outcome))
    shell.table(
        [_line(note) for note in notes],
        hide_index=True,
        height=min(400, 40 + 35 * len(notes)),
        alt=say("文件里的每一项设置", "Every setting of the file"),
    )


def _line(note: Note) -> dict[str, str]:
    sets = ", ".join(f"{name}: {_short(value)}" for name, value in note.sets.items())
    return {
        say("设置", "setting"): note.key,
        say("文件里的值", "in the file"): "" if note.outcome == "default" else _short(note.value),
        say("结果", "outcome"): say(*OUTCOME_NAMES[note.outcome]),
        say("这里", "here"): sets,
        say("说明", "why"): _why(note),
    }


def _why(note: Note) -> str:
    if note.key.rpartition(".")[2] in (*NAMES, "model_name") and note.outcome == "taken":
        return say("在上面选择", "chosen above")
    return note.text


def _short(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 80 else text[:79] + "…"


def export_box(spec: TrainSpec, *, model: str, dataset: str) -> None:
    """The spec as files to keep, and the commands that do the same."""
    with st.container(horizontal=True):
        st.download_button(
            say("下载 spec.yaml", "Download spec.yaml"),
            settings_file.write_yaml(spec),
            file_name="spec.yaml",
            mime="application/yaml",
            key="settings-file-yaml",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            say("下载 spec.json（给 accelerate、torchrun）", "Download spec.json (for accelerate, torchrun)"),
            spec.model_dump_json(indent=2),
            file_name="spec.json",
            mime="application/json",
            key="settings-file-json",
            icon=":material/download:",
            on_click="ignore",
        )
    base = sound_default(spec.model_name_or_path, spec.dataset_dir)
    st.caption(say("同样的训练，一条命令：", "The same training as one command:"))
    st.code(equivalent.as_one_line(spec, base, model=model, dataset=dataset), language="bash")
    st.caption(
        say(
            "或用上面的文件；多卡用 accelerate 或 torchrun：",
            "Or by the files above; several cards by accelerate or torchrun:",
        )
    )
    st.code(
        "\n".join(
            [
                equivalent.by_file(),
                "",
                equivalent.by_launcher("accelerate"),
                "",
                equivalent.by_launcher("torchrun"),
            ]
        ),
        language="bash",
    )


def start_method(start: TrainSpec) -> None:
    """The method that a file asks for is the one that the page begins with."""
    st.session_state.setdefault("choose-train-method", method_of(start))
