"""Translate a training YAML or a board's state of LLaMA-Factory into TrainSpec.

Knows no file and no workspace: names of models, datasets and adapters stay as they are.
"""

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from studio.contract import PREFERENCE_STAGES
from studio.language import say
from studio.training.field_relevance import OF_ONE_METHOD, matters
from studio.training.settings_file._keys import BOARD, BOARD_STAGES, DEFAULTS, PREFERENCE_DEFAULTS
from studio.training.settings_file._meanings import KNOWN, Given, is_on, read_key
from studio.training.settings_file._notes import Note, SettingsFile


def translate(given: Given) -> SettingsFile:
    """Translate a training YAML (also `training_args.yaml`), with the tool's defaults for omitted keys."""
    notes = [read_key(key, value, given) or unknown(key, value) for key, value in given.items()]
    method = {"finetuning_type": "lora", "stage": "sft"} | _sets(notes)
    notes = [_of_other_method(note) if _is_idle(note, method) else note for note in notes]
    values = _sets(notes)
    notes += [
        Note(
            key=key,
            value=None,
            outcome="default",
            text=say(
                "文件里没有；这是 LLaMA-Factory 的默认值", "not in the file; LLaMA-Factory's own default"
            ),
            sets={key: value},
        )
        for key, value in _defaults(given, values).items()
    ]
    values |= _sets(note for note in notes if note.outcome == "default")
    if is_on(values.get("val_size")):
        values["eval_dataset"] = None
    # What only this studio has stays off, so that the file trains what it would train there.
    values |= {"direct_share": 0.0, "label_weight": 1.0}
    return SettingsFile(origin="llamafactory", values=values, notes=tuple(notes))


def _sets(notes: Iterable[Note]) -> dict[str, Any]:
    return {name: value for note in notes for name, value in note.sets.items()}


def _is_idle(note: Note, values: Given) -> bool:
    """Return whether a key is about another method than the file's."""
    return bool(note.sets) and all(name in OF_ONE_METHOD and not matters(name, values) for name in note.sets)


def _of_other_method(note: Note) -> Note:
    text = say("属于别的微调方式或阶段", "belongs to another finetuning type or stage")
    return Note(key=note.key, value=note.value, outcome="ignored", text=text)


def translate_board(given: Mapping[str, Any]) -> SettingsFile:
    """Translate `llamaboard_config.yaml`: the state of the web page's controls, `top.x` and `train.x`."""
    flat: dict[str, Any] = {}
    names: dict[str, str] = {}
    other_tabs: list[Note] = []
    for name, value in given.items():
        tab, _, key = name.partition(".")
        if tab not in ("top", "train") or not key:
            text = say("属于别的标签页", "belongs to another tab of that page")
            other_tabs.append(Note(key=name, value=value, outcome="ignored", text=text))
        elif key == "extra_args":
            flat |= _extra_args(value)
        elif key == "compute_type":
            flat |= {"bf16": value == "bf16", "fp16": value == "fp16", "pure_bf16": value == "pure_bf16"}
        else:
            key = BOARD.get(key, key)
            flat[key] = BOARD_STAGES.get(str(value), value) if key == "stage" else value
            names[key] = name
    settings_file = translate(flat)
    notes = [_renamed(note, names.get(note.key, note.key)) for note in settings_file.notes]
    return SettingsFile(origin="llamaboard", values=settings_file.values, notes=(*notes, *other_tabs))


def unknown(key: str, value: Any) -> Note:
    """Note a key that neither tool has, with the closest known one as a suggestion."""
    close = difflib.get_close_matches(key, sorted(KNOWN), n=1, cutoff=0.7)
    text = say(f"是不是 {close[0]}？", f"did you mean {close[0]}?") if close else ""
    return Note(key=key, value=value, outcome="unknown", text=text)


def _renamed(note: Note, name: str) -> Note:
    return Note(key=name, value=note.value, outcome=note.outcome, text=note.text, sets=note.sets)


def _extra_args(text: Any) -> dict[str, Any]:
    try:
        extra = json.loads(text) if isinstance(text, str) and text.strip() else {}
    except json.JSONDecodeError:
        extra = {"extra_args": text}
    return extra if isinstance(extra, dict) else {"extra_args": text}


def _defaults(given: Given, values: Given) -> dict[str, Any]:
    """Select the defaults that apply: of omitted keys only, and of LoRA's only where it is the method."""
    method = str(given.get("finetuning_type", "lora"))
    defaults = {**DEFAULTS, **(PREFERENCE_DEFAULTS if values.get("stage") in PREFERENCE_STAGES else {})}
    missing = {key: value for key, value in defaults.items() if key not in given and key not in values}
    if method != "lora":
        missing.pop("lora_rank", None)
    if is_on(given.get("warmup_steps")):
        missing.pop("warmup_ratio", None)
    return missing
