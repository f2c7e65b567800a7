"""Load a training spec from a file, options and `--set`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from studio import runs
from studio.contract import PREFERENCE_STAGES, TrainSpec
from studio.datasets.lookup import Dataset, resolve_dataset
from studio.datasets.mixed_eval import entries, with_eval_of
from studio.errors import InputError, UnreadableFile
from studio.ingest.plain_texts import add_texts, list_texts
from studio.language import say
from studio.modelfiles.adapter_check import require_adapter
from studio.models.catalog import find_models, resolve_model
from studio.system.documents import READ_FAULTS, one_line, read_whole, typed_path
from studio.training.presets import checked_spec, sound_default, with_preferences
from studio.training.settings_file import (
    NAMES,
    SettingsFile,
    match_name,
    read_settings_file,
    require_readable,
    with_other_dataset,
)
from studio.workspace import BUNDLED_NAME, Workspace


def read_spec_file(file: Path) -> SettingsFile:
    """Read a settings file, YAML or JSON, ours or LLaMA-Factory's.

    Raises:
        UnreadableFile: missing, not YAML, or not a mapping.
    """
    try:
        text = read_whole(file).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise UnreadableFile(
            say(f"无法读取训练参数 {file}：{error}", f"Cannot read the spec {file}: {error}"),
            remedy=say("请给出一个 YAML 或 JSON 文件。", "Name a YAML or JSON file."),
        ) from error
    return read_settings_file(text, str(file))


def remarks(settings_file: SettingsFile) -> list[str]:
    """List, a line each, the keys of another tool's file that were translated, defaulted or ignored."""
    if settings_file.origin == "studio":
        return []
    lines = []
    for note in settings_file.noted("translated", "default", "ignored", "not_done"):
        sets = ", ".join(f"{name}: {value}" for name, value in note.sets.items())
        found = f"{note.key}: {note.value}" if note.outcome != "default" else note.key
        lines.append(f"{found} -> {sets or '-'}  ({note.text})")
    return lines


def build_train_spec(
    workspace: Workspace,
    file: Path | SettingsFile | None,
    dataset: str | None,
    model: str | None,
    settings: Sequence[str],
    held_out: str | None = None,
) -> tuple[TrainSpec, str | None]:
    """Merge file, options and `--set` into a training spec; returns it with the dataset version it trains on.

    In rising precedence: the sound default, the file, the options, each --set. `held_out` names a dataset
    whose eval rows are held out beside the training rows of another. Pairs have none of their own: they
    take those of the run whose adapter they train on from.

    Raises:
        InputError: unreadable file, unknown field, a value or an adapter that does not fit.
    """
    settings_file = read_spec_file(file) if isinstance(file, Path) else file
    is_foreign = settings_file is not None and settings_file.origin != "studio"
    if settings_file and dataset and is_foreign:
        # Its dataset names are its own; the option's folder has train and eval.
        settings_file = with_other_dataset(settings_file, dataset)
    if settings_file:
        require_readable(settings_file)
    given: dict[str, Any] = dict(settings_file.values) if settings_file else {}
    given |= dict(read_setting(text) for text in settings)
    found = _dataset(workspace, dataset, given, is_foreign)
    model_text = model or str(given.get("model_name_or_path") or BUNDLED_NAME)
    if model is None:
        model_text = match_name(model_text, [known.name for known in find_models(workspace)]) or model_text
    named = {key: given[key] for key in NAMES[1:] if key in given and key != "dataset_dir"}
    rest = {key: value for key, value in given.items() if key not in NAMES}
    base = sound_default(resolve_model(workspace, model_text), found.folder)
    if given.get("stage") in PREFERENCE_STAGES:
        base = with_preferences(base, given["stage"])
        source = held_out_of_start(workspace, given.get("adapter_name_or_path"))
        if held_out is None and source is not None and "eval" not in entries(found.folder):
            held_out = str(source)
    values = base.model_dump() | _held_out(found.folder, given, is_foreign) | named | rest
    if held_out is not None:
        mixed = with_eval_of(workspace, found.folder, resolve_dataset(workspace, held_out).folder)
        values |= {"dataset_dir": mixed.folder, "eval_dataset": "eval"}
    spec = checked_spec(values)
    require_adapter(spec.adapter_name_or_path, spec.model_name_or_path)
    return spec, found.version


def held_out_of_start(workspace: Workspace, adapter: object) -> Path | None:
    """Find the dataset whose eval rows scored the run that made an adapter; None where nobody knows."""
    if not adapter:
        return None
    folder = Path(str(adapter)).resolve()
    for run in runs.list_runs(workspace):
        if isinstance(run.spec, TrainSpec) and folder.is_relative_to(run.folder.resolve()):
            return run.spec.dataset_dir if "eval" in entries(run.spec.dataset_dir) else None
    return None


def _dataset(workspace: Workspace, option: str | None, given: Mapping[str, Any], is_foreign: bool) -> Dataset:
    """Resolve the dataset to train on: the option, the file's folder, or the bundled samples."""
    text = option or given.get("dataset_dir")
    if text is None and is_foreign and given.get("dataset"):
        text = "data"  # LLaMA-Factory's default folder
    text = str(text or BUNDLED_NAME)
    if given.get("stage") == "pt":
        found = _texts(workspace, text)
        if found:
            return Dataset(folder=found, version=None)
    return resolve_dataset(workspace, text)


def _texts(workspace: Workspace, text: str) -> Path | None:
    """Resolve the folder of the plain texts named by `text`; files are first added under their name."""
    kept = {each.name: each.folder for each in list_texts(workspace)}
    if text in kept:
        return kept[text]
    path = typed_path(text)
    if text == BUNDLED_NAME or not path.exists() or (path / "dataset_info.json").is_file():
        return None
    return add_texts(workspace, path.name, [path]).folder


def _held_out(folder: Path, given: Mapping[str, Any], is_foreign: bool) -> dict[str, Any]:
    """Unset the evaluation entry where the folder has none, or where rows are held out instead."""
    has_own = not is_foreign and given.get("stage", "sft") == "sft"
    has_none = not has_own and "eval" not in entries(folder)
    return {"eval_dataset": None} if has_none or given.get("val_size") else {}


def read_setting(text: str) -> tuple[str, Any]:
    """Parse a `--set key=value` into name and value.

    Raises:
        InputError: no equals sign, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(
            say(f"--set {text} 缺少等号。", f"--set {text} has no equals sign."),
            remedy=say("写成 --set learning_rate=0.002。", "Write --set learning_rate=0.002."),
        )
    # YAML, so that numbers, true, null and lists mean what they mean in a spec file. YAML 1.1
    # parses 5e-6 as a string; pydantic converts that one.
    try:
        return key.strip(), yaml.safe_load(value)
    except (yaml.YAMLError, *READ_FAULTS) as error:
        raise InputError(
            say(
                "--set {key} 的值无法读取：{why}。",
                "The value of --set {key} cannot be read: {why}.",
                key=one_line(key, 60),
                why=one_line(error),
            ),
            remedy=say("写成 --set learning_rate=0.002。", "Write --set learning_rate=0.002."),
        ) from error
