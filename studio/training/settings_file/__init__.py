"""Read and write settings files: ours, LLaMA-Factory's YAML, its board's.

    text -> read_settings_file -> SettingsFile: values as fields of TrainSpec, a note on every key

Pure: no file is opened and no name of a model or dataset is resolved.

    _keys          List the keys of LLaMA-Factory that TrainSpec lacks: ignored, refused, renamed.
    _llamafactory  Translate a training YAML or a board's state of LLaMA-Factory into TrainSpec.
    _meanings      Translate each key of a LLaMA-Factory file, by a converter where its meaning differs.
    _notes         Record for each key whether it was accepted, translated, ignored or refused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import yaml

from studio.contract import TrainSpec
from studio.errors import InputError, UnreadableFile
from studio.language import say
from studio.system.documents import READ_FAULTS, one_line
from studio.training.settings_file._llamafactory import translate, translate_board, unknown
from studio.training.settings_file._notes import KeyOutcome as KeyOutcome
from studio.training.settings_file._notes import Note as Note
from studio.training.settings_file._notes import SettingsFile as SettingsFile

LONGEST = 1_000_000
"""Characters; a settings file has a few thousand."""
_DATASETS = ("dataset", "eval_dataset")
NAMES = ("model_name_or_path", "adapter_name_or_path", "dataset_dir", "dataset", "eval_dataset")
"""Fields that name models and data, which may have other names here."""


def write_yaml(spec: TrainSpec) -> str:
    """Serialize the whole spec, defaults included, so that it means the same in a later version."""
    values = spec.model_dump(mode="json")
    text: str = yaml.safe_dump(values, allow_unicode=True, sort_keys=False, default_flow_style=None)
    return text


def read_settings_file(text: str, name: str = "YAML") -> SettingsFile:
    """Parse the settings of a YAML or JSON text: ours, LLaMA-Factory's, or those of its web page.

    Raises:
        UnreadableFile: too long, not YAML, or not a list of `key: value`.
    """
    if len(text) > LONGEST:
        raise _unreadable(name, say("太长，不像设置文件", "it is too long for a settings file"))
    try:
        content = yaml.safe_load(text.removeprefix("\ufeff"))
    except (yaml.YAMLError, *READ_FAULTS) as error:
        why = say("嵌套太深", "nested too deeply") if isinstance(error, RecursionError) else one_line(error)
        raise _unreadable(name, why) from error
    if not isinstance(content, dict) or not content:
        raise UnreadableFile(
            say(f"{name} 不是“字段: 值”的列表。", f"{name} is not a list of field: value."),
            remedy=say("例如 learning_rate: 0.002。", "For example learning_rate: 0.002."),
        )
    return settings_file_of({str(key): value for key, value in content.items()})


def settings_file_of(given: Mapping[str, Any]) -> SettingsFile:
    """Translate a parsed settings file; its keys show which tool wrote it."""
    if any(key.startswith(("top.", "train.")) for key in given):
        return translate_board(given)
    if _is_foreign(given):
        return translate(given)
    notes = tuple(
        Note(key=key, value=value, outcome="taken", sets={key: value})
        if key in TrainSpec.model_fields
        else unknown(key, value)
        for key, value in given.items()
    )
    values = {key: value for key, value in given.items() if key in TrainSpec.model_fields}
    return SettingsFile(origin="studio", values=values, notes=notes)


def require_readable(settings_file: SettingsFile) -> None:
    """Refuse a settings file with keys that are unknown or not supported.

    Raises:
        InputError: keys that neither tool has, or that ask for what is not supported here.
    """
    bad = settings_file.noted("unknown", "refused")
    if not bad:
        return
    reasons = [f"{note.key}{say('：', ': ')}{_why(note)}" if _why(note) else note.key for note in bad]
    raise InputError(
        say(
            "这些设置不能用：{reasons_zh}。",
            "These settings cannot be used: {reasons_en}.",
            reasons_zh="；".join(reasons),
            reasons_en="; ".join(reasons),
        ),
        remedy=say("请删去或改正它们。", "Remove or correct them."),
    )


def with_other_dataset(settings_file: SettingsFile, name: str) -> SettingsFile:
    """Let another dataset win over those that the file names; they are told, and refuse nothing any more."""
    text = say(f"改用命令里的数据集 {name}", f"the dataset of the command, {name}, is used instead")
    notes = tuple(
        Note(key=note.key, value=note.value, outcome="not_done", text=text) if note.key in _DATASETS else note
        for note in settings_file.notes
    )
    values = {key: value for key, value in settings_file.values.items() if key not in _DATASETS}
    return replace(settings_file, values=values, notes=notes)


def match_name(wanted: str, names: Iterable[str]) -> str | None:
    """Match a file's name for a model or dataset: the same, or the same last part, case-insensitively.

    `deepseek-ai/DeepSeek-R1-Distill-Qwen-7B` and `/models/deepseek-r1-distill-qwen-7b/` are one model.
    """
    known = list(names)
    if wanted in known:
        return wanted
    last = _last(wanted)
    return next((name for name in known if last and _last(name) == last), None)


def _last(name: str) -> str:
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2].casefold()


def _is_foreign(given: Mapping[str, Any]) -> bool:
    """Return whether the file has a key of LLaMA-Factory alone; `kind` or `format_version` are ours."""
    if "kind" in given or "format_version" in given:
        return False
    settings_file = translate(given)
    ours = TrainSpec.model_fields
    return any(
        note.key not in ours and note.outcome not in ("unknown", "default") for note in settings_file.notes
    )


def _why(note: Note) -> str:
    if note.outcome == "unknown":
        return note.text or say("没有这个设置", "there is no such setting")
    return f"{note.value} — {note.text}"


def _unreadable(name: str, why: str) -> UnreadableFile:
    return UnreadableFile(
        say("无法读取 {name}：{why}", "Cannot read {name}: {why}", name=name, why=why),
        remedy=say("请给出一个 YAML 或 JSON 文件。", "Name a YAML or JSON file."),
    )
