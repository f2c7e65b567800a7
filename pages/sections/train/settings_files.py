"""Import settings from a YAML file, reporting every key; export them as files and commands."""

from collections.abc import Sequence
from typing import Any, get_args

import streamlit as st

from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import report_errors, show_failure
from pages.shared.text import plain
from studio import runs
from studio.contract import Stage, TrainSpec
from studio.errors import InputError
from studio.language import say
from studio.models.catalog import ModelEntry
from studio.training import settings_file, shell_commands
from studio.training.presets import checked_spec, method_of, sound_default
from studio.training.settings_file import NAMES, KeyOutcome, Note, SettingsFile

IMPORTED = "imported"
OUTCOME_NAMES: dict[KeyOutcome, tuple[str, str]] = {
    "unknown": ("未知", "unknown"),
    "refused": ("不能使用", "cannot be used"),
    "translated": ("已转换", "translated"),
    "default": ("补默认值", "default added"),
    "taken": ("采用", "accepted"),
    "not_done": ("这里不做", "not done here"),
    "ignored": ("无影响", "no effect"),
}
ORIGIN_NAMES = {
    "studio": ("本工作室的设置", "settings of this studio"),
    "llamafactory": ("LLaMA-Factory 的训练文件", "a LLaMA-Factory training file"),
    "llamaboard": ("LLaMA-Factory 网页保存的设置", "settings saved by LLaMA-Factory's page"),
}


def imported() -> SettingsFile | None:
    """Return the settings file that was read in this session, if there is one."""
    return st.session_state.get("settings_file")


def imported_form() -> str:
    """Return the part of the widget keys that lets another file bring its own values."""
    return f"{IMPORTED}{st.session_state.get('settings-file-number', 0)}"


def imported_start(base: TrainSpec) -> TrainSpec:
    """Return the file's settings on this model and data; the base where they cannot be used."""
    found = imported()
    assert found is not None, "no file was read"
    values = {key: value for key, value in found.values.items() if key not in NAMES}
    if values.get("val_size") or found.values.get("eval_dataset", "eval") is None:
        values["eval_dataset"] = None
    try:
        return checked_spec(base.model_dump() | values)
    except InputError as error:
        show_failure(error.problem, error.remedy)
        return base


def import_box(models: Sequence[ModelEntry]) -> None:
    """Draw the upload of a settings file, or its pasted text; afterwards, what became of each of its keys."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        file = st.file_uploader(
            say("YAML 或 JSON 文件", "A YAML or JSON file"),
            type=["yaml", "yml", "json"],
            key="settings-file-file",
            help=say(
                "本页导出的文件，或 LLaMA-Factory 的训练 YAML、training_args.yaml、llamaboard_config.yaml。",
                "A file exported here, or LLaMA-Factory's training YAML, training_args.yaml, "
                "llamaboard_config.yaml.",
            ),
        )
        pasted = st.text_area(
            say("或粘贴", "or paste"),
            key="settings-file-pasted",
            height=110,
            placeholder="learning_rate: 1.0e-4",
        )
    if st.button(say("导入设置", "Import settings"), key="settings-file-read", icon=":material/download:"):
        with report_errors():
            # Read once, a file makes room for what is pasted after it.
            is_new = file is not None and file.file_id != st.session_state.get("settings-file-last")
            if file is not None and (is_new or not (pasted or "").strip()):
                st.session_state["settings-file-last"] = file.file_id
                content, name = file.getvalue().decode("utf-8-sig", errors="replace"), file.name
            else:
                content, name = pasted or "", "YAML"
            take(settings_file.read_settings_file(content, name), models)
    found = imported()
    if found:
        _report(found)


def take(found: SettingsFile, models: Sequence[ModelEntry], *, dataset: str | None = None) -> None:
    """Start the form from the file; the choices above it follow in the next run.

    Args:
        found: the settings.
        models: to find the model that the file names.
        dataset: version to choose; None: the choice stays.
    """
    number = st.session_state.get("settings-file-number", 0) + 1
    st.session_state["settings_file"], st.session_state["settings-file-number"] = found, number
    wanted = str(found.values.get("model_name_or_path") or "")
    name = next((model.name for model in models if str(model.path) == wanted), None)
    name = name or settings_file.match_name(wanted, [model.name for model in models])
    follow: dict[str, Any] = {"choose-train-preset": IMPORTED}
    if dataset:
        follow["choose-train-dataset"] = dataset
    if name:
        follow["choose-train-model"] = name
    st.session_state["settings-file-model"] = "" if name else wanted
    if found.values.get("stage") in get_args(Stage):
        follow["choose-train-stage"] = found.values["stage"]
    st.session_state["settings-file-follow"] = follow
    st.rerun()


def follow_address(models: Sequence[ModelEntry]) -> None:
    """Start the form from the settings of the run that the address names, once: `?settings=RUN`."""
    asked = st.query_params.get("settings")
    if asked is None:
        return
    del st.query_params["settings"]
    with report_errors():
        run = runs.get_run(session.workspace(), asked)
        if isinstance(run.spec, TrainSpec):
            found = settings_file.settings_file_of(run.spec.model_dump(mode="json"))
            take(found, models, dataset=run.version)


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
            say("列表最前面的设置没有用上。", "The settings at the top of the list were not used."),
            icon=":material/help:",
        )
    elsewhere = st.session_state.get("settings-file-model")
    if elsewhere:
        st.info(
            say(
                f"没有文件里的模型 {plain(elsewhere)}：改用上面选的基座模型。",
                f"The model of the file, {plain(elsewhere)}, is not available: the base model chosen above "
                "is used.",
            ),
            icon=":material/deployed_code:",
        )
    order = list(OUTCOME_NAMES)
    notes = sorted(found.notes, key=lambda note: order.index(note.outcome))
    table(
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
        say("结果", "outcome"): _outcome(note),
        say("本工作室的设置", "setting here"): sets,
        say("说明", "note"): _why(note),
    }


def _outcome(note: Note) -> str:
    """Name what became of a key; a model or dataset is what the choices above say, whatever the file has."""
    return say("由上面选择", "chosen above") if _is_name(note) else say(*OUTCOME_NAMES[note.outcome])


def _is_name(note: Note) -> bool:
    return note.key.rpartition(".")[2] in (*NAMES, "model_name") and note.outcome == "taken"


def _why(note: Note) -> str:
    if _is_name(note):
        return say("文件里的名字不会自动采用", "the name in the file is not taken by itself")
    return note.text


def _short(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 80 else text[:79] + "…"


def export_box(spec: TrainSpec, *, model: str, dataset: str) -> None:
    """Draw the spec as files to download, and the commands that do the same."""
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
    st.caption(say("等价的命令：", "The same training as one command:"))
    st.code(shell_commands.as_one_line(spec, base, model=model, dataset=dataset), language=None)
    st.caption(
        say(
            "或用上面的文件；多卡用 accelerate 或 torchrun：",
            "Or with the files above; on several GPUs with accelerate or torchrun:",
        )
    )
    st.code(
        "\n".join(
            [
                shell_commands.by_file(),
                "",
                shell_commands.by_launcher("accelerate"),
                "",
                shell_commands.by_launcher("torchrun"),
            ]
        ),
        language=None,
    )


def start_method(start: TrainSpec) -> None:
    """Begin the page with the method of the file."""
    st.session_state.setdefault("choose-train-method", method_of(start))
