"""dataset_info.json: what its entries mean, and what LLaMA-Factory would make of them.

An entry says which file holds rows and how they are built. What LLaMA-Factory would
stop at, drop or read otherwise becomes a remark, measured against the real package by
tests_conformance/. This module reads no rows.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.columns import Columns
from studio.conversations import DEFAULT_COLUMNS, DEFAULT_TAGS, OPENAI_TAGS, Layout
from studio.decoding import decode
from studio.errors import UnreadableFile
from studio.jsonrecords import parse_json
from studio.language import say
from studio.problems import Problem, Severity, remark
from studio.records import SUFFIXES, require_readable

INFO = "dataset_info.json"

_ENTRY_KEYS = {
    "hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name", "file_name", "formatting",
    "ranking", "subset", "folder", "num_samples", "split", "columns", "tags",
}  # fmt: skip


def read_info(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """The entries of a folder's dataset_info.json.

    Raises:
        UnreadableFile: there is none, or it is not a mapping of names to entries.
    """
    path = folder / INFO
    if not path.is_file():
        files = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
        raise UnreadableFile(
            say(f"文件夹 {folder.name} 里没有 {INFO}。", f"The folder {folder.name} has no {INFO}."),
            remedy=say(f"请直接给出其中一个文件：{'、'.join(files[:5])}。", f"Name one of its files: {', '.join(files[:5])}.")
            if files
            else say("请给出一个数据文件。", "Name a data file."),
        )  # fmt: skip
    require_readable(path, INFO)
    entries = parse_json(decode(path.read_bytes(), INFO), INFO)
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise UnreadableFile(
            say(f"{INFO} 应是“名称: 说明”的对象。", f"{INFO} should map names to entries."),
            remedy=say('请写成 {"train": {"file_name": "train.json"}} 的形式。', 'Write {"train": {"file_name": "train.json"}}.'),
            code="wrong_type",
        )  # fmt: skip
    return entries


def inside(folder: Path, name: str, file_name: object) -> Path:
    """The file of an entry, which must lie in the folder: names and links that lead out are refused."""
    file = folder / str(file_name)
    if not isinstance(file_name, str) or not file.resolve().is_relative_to(folder.resolve()):
        raise UnreadableFile(
            say(
                f"{INFO} 的“{name}”指向文件夹之外：{file_name}。",
                f"The entry “{name}” of {INFO} leads out of its folder: {file_name}.",
            ),
            remedy=say(
                "请把文件放进该文件夹，file_name 只写文件名。",
                "Put the file into the folder and name it alone.",
            ),
        )
    return file


def files_of(folder: Path, name: str, file_name: object) -> list[str]:
    """The file of an entry, or, where it names a folder, every file in that, by name; hidden ones are none."""
    place = inside(folder, name, file_name)
    named = str(file_name)
    if not place.is_dir():
        return [named]
    files = sorted(file.name for file in place.iterdir() if file.is_file() and not file.name.startswith("."))
    return [f"{named.rstrip('/')}/{file}" for file in files] or [named]


def layout_of(name: str, entry: Mapping[str, Any]) -> Layout:
    form = entry.get("formatting", "alpaca")
    columns, tags = entry.get("columns") or {}, entry.get("tags") or {}
    if form not in ("alpaca", "sharegpt", "openai") or not (_is_naming(columns) and _is_naming(tags)):
        raise UnreadableFile(
            say(
                f"{INFO} 的“{name}”不可用：formatting 是 {form!r}，columns 和 tags 应是“名称: 名称”的对象。",
                f"The entry “{name}” of {INFO} is unusable: formatting {form!r}, columns and tags should map names to names.",
            ),
            remedy=say("formatting 请写 sharegpt 或 alpaca。", "Write sharegpt or alpaca as formatting."),
            code="wrong_type",
        )
    if form == "openai" and tags:
        tags = {**OPENAI_TAGS, **tags}
    # A table must have the column that an entry names; under which name is the entry's to say.
    held = columns.get("query") or columns.get("prompt") if form == "alpaca" else columns.get("messages")
    return Layout(form=form, columns=columns, tags=tags, table=Columns(title=held))


def _is_naming(block: object) -> bool:
    """Whether a block gives names, or null, to names."""
    return isinstance(block, dict) and all(name is None or isinstance(name, str) for name in block.values())


def remarks_on_info(entries: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """What LLaMA-Factory would silently read differently from what was meant."""
    remarks = []
    for name, entry in entries.items():
        if entry.get("file_name") is None:
            text = say(
                f"“{name}”不是本地文件（没有 file_name），已略过。",
                f"“{name}” is no local file (no file_name) and was passed over.",
            )
            remarks.append(remark(INFO, "info_incomplete", "warning", text))
        else:
            remarks += _missing_blocks(name, entry)
        unknown = "、".join(sorted(set(entry) - _ENTRY_KEYS))
        if unknown:
            text = say(
                f"“{name}”里不认识的键会被忽略：{unknown}。",
                f"Unknown keys of “{name}” are ignored: {unknown}.",
            )
            remarks.append(remark(INFO, "info_unknown_key", "warning", text))
    return remarks


_NEEDED = {
    "alpaca": {"columns.response"},
    "sharegpt": {
        "columns.messages",
        "tags.role_tag",
        "tags.content_tag",
        "tags.user_tag",
        "tags.assistant_tag",
    },
}
"""Keys without which LLaMA-Factory stops with a KeyError or drops every row."""


def _missing_blocks(name: str, entry: Mapping[str, Any]) -> list[Problem]:
    """A key that a present block omits counts as absent there; a whole block left out has its defaults."""
    form = entry.get("formatting", "alpaca")
    if form == "openai":
        return [_openai_remark(name, entry)]
    if form not in _NEEDED:
        return []
    complete = complete_entry(entry)
    missing: list[str] = []
    for block in complete.keys() & {"columns", "tags"}:
        given = entry.get(block)
        lacking = [f"{block}.{key}" for key in complete[block] if key not in (given or {})]
        missing += lacking if given is not None else [block] if form == "sharegpt" else []
    nulls = {
        f"{block}.{key}"
        for block in ("columns", "tags")
        for key, value in (entry.get(block) or {}).items()
        if value is None
    }
    fatal = _NEEDED[form] & {*missing, *nulls}
    if not missing and not fatal:
        return []
    shown = sorted({*missing, *fatal})
    text = say(
        f"“{name}”没有写 {'、'.join(shown)}，全靠默认值；写了一部分的块里缺的键会被当作没有",
        f"“{name}” leaves {', '.join(shown)} to defaults; a key that a present block omits counts as absent",
    ) + (
        say("，LLaMA-Factory 会中止或丢弃每一行。", ": LLaMA-Factory stops or drops every row.")
        if fatal
        else say("。", ".")
    )
    is_partial = any("." in key for key in shown)
    repair = json.dumps({name: complete}, ensure_ascii=False)
    severity: Severity = "error" if fatal else "warning" if is_partial else "hint"
    return [remark(INFO, "info_incomplete", severity, text, repair=repair)]


def _openai_remark(name: str, entry: Mapping[str, Any]) -> Problem:
    """Its formatting `openai` adds to the system text, and without tags looks for `from` and `value`."""
    repair = json.dumps({name: complete_entry(entry)}, ensure_ascii=False)
    if not entry.get("tags"):
        text = say(
            f"“{name}”的 formatting 是 openai 而没有 tags：LLaMA-Factory 会去找 from 和 value 而中止。",
            f"“{name}” is formatting openai without tags: LLaMA-Factory looks for from and value, and stops.",
        )
        return remark(INFO, "info_incomplete", "error", text, repair=repair)
    text = say(
        f"“{name}”的 formatting 是 openai：LLaMA-Factory 会在系统提示里加上“detailed thinking off”；请用 sharegpt 加 tags。",
        f"“{name}” is formatting openai: LLaMA-Factory adds “detailed thinking off” to the system text; use sharegpt with tags.",
    )
    return remark(INFO, "info_openai", "warning", text, repair=repair)


def remarks_on_absent(file: str, columns: Sequence[str]) -> list[Problem]:
    """Columns of an entry that no row has: a KeyError in LLaMA-Factory."""
    if not columns:
        return []
    text = say(
        f"没有一行有“{'、'.join(columns)}”；LLaMA-Factory 会因此中止。请在 {INFO} 里去掉它，或给各行补上。",
        f"No row has “{', '.join(columns)}”, and LLaMA-Factory stops at that. Take it out of {INFO}, or add it to the rows.",
    )
    return [remark(file, "missing_key", "error", text, found=", ".join(columns))]


def remarks_on_folder(folder: Path, name: str, entry: Mapping[str, Any]) -> list[Problem]:
    """LLaMA-Factory takes all that a folder holds, hidden files too, and stops where the types differ."""
    place = folder / str(entry.get("file_name"))
    types = {_TYPES.get(file.suffix) for file in place.iterdir()} if place.is_dir() else set()
    if len(types) < 2 and None not in types:
        return []
    held = ", ".join(sorted(file.name for file in place.iterdir())[:8])
    text = say(
        f"“{name}”的文件夹里不全是同一类型的数据文件（{held}），LLaMA-Factory 会因此中止。",
        f"The folder of “{name}” does not hold data files of one type alone ({held}); LLaMA-Factory stops at that.",
    )
    return [remark(INFO, "info_mixed_folder", "error", text, found=held)]


_TYPES = {
    ".json": "json",
    ".jsonl": "json",
    ".csv": "csv",
    ".parquet": "parquet",
    ".txt": "text",
    ".arrow": "arrow",
}


def complete_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with what its form needs written out: the columns, and all tags of ShareGPT.

    Not all columns: one that is named and that no row has is a KeyError in LLaMA-Factory.
    `openai` becomes ShareGPT with its tags.
    """
    form = entry.get("formatting", "alpaca")
    columns, tags = entry.get("columns") or {}, entry.get("tags") or {}
    if form == "alpaca":
        names = ("prompt", "query", "response")
        return {**entry, "columns": {**{name: DEFAULT_COLUMNS[name] for name in names}, **_named(columns)}}
    messages, all_tags = (
        ("messages", OPENAI_TAGS) if form == "openai" else (DEFAULT_COLUMNS["messages"], DEFAULT_TAGS)
    )
    return {
        **entry,
        "formatting": "sharegpt",
        "columns": {"messages": messages, **_named(columns)},
        "tags": {**all_tags, **_named(tags)},
    }


def _named(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in block.items() if value is not None}
