"""Lint a dataset_info.json: what LLaMA-Factory would make of its entries.

What it would stop at, drop, ignore or read otherwise, measured against the real package
by tests/conformance. A remark's repair is the entry as it should be. Reads no rows.
"""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.formats.dataset_info import INFO, complete_entry
from studio.formats.layouts import DEFAULT_COLUMNS, DEFAULT_TAGS, OPENAI_TAGS, Layout
from studio.language import say
from studio.samples.problems import Problem, Severity, remark

_HUBS = ("hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name")
_KNOWN = {
    "": {
        *_HUBS,
        "file_name",
        "formatting",
        "ranking",
        "subset",
        "folder",
        "num_samples",
        "split",
        "columns",
        "tags",
    },
    "columns": {
        *DEFAULT_COLUMNS,
        "history",
        "system",
        "tools",
        "images",
        "videos",
        "audios",
        "chosen",
        "rejected",
        "kto_tag",
    },
    "tags": set(DEFAULT_TAGS),
}
"""The keys of an entry and of its blocks that LLaMA-Factory 0.9.5 reads."""


def remarks_on_folder(folder: Path, entries: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """Lint a folder's dataset_info.json before any row is read."""
    remarks = []
    for name, entry in entries.items():
        remarks += _remarks_on_location(folder, name, entry)
        if entry.get("file_name") is not None:
            remarks += _missing_blocks(name, entry)
        remarks += _unknown_keys(name, entry)
    return remarks


def _remarks_on_location(folder: Path, name: str, entry: Mapping[str, Any]) -> list[Problem]:
    """Report an entry whose data is not, or not only, a local file."""
    hubs = [key for key in _HUBS if entry.get(key) is not None]
    if entry.get("file_name") is None:
        text = say(
            f"“{name}”不是本地文件（没有 file_name），已略过。",
            f"“{name}” is not a local file (no file_name) and was skipped.",
        )
        return [remark(INFO, "info_elsewhere", "warning", text)]
    if hubs:
        text = say(
            f"“{name}”同时有 {'、'.join(hubs)}：LLaMA-Factory 会用它，不读本地文件；这里检查的是本地文件。",
            f"“{name}” has {', '.join(hubs)}, too: LLaMA-Factory loads that and not the local file,"
            " which is checked here.",
        )
        return [
            remark(INFO, "info_elsewhere", "warning", text),
            *_mixed_folder(folder, name, entry["file_name"]),
        ]
    return _mixed_folder(folder, name, entry["file_name"])


def _unknown_keys(name: str, entry: Mapping[str, Any]) -> list[Problem]:
    """Report keys that LLaMA-Factory silently ignores, each with the known key that is closest."""
    remarks = []
    for block, known in _KNOWN.items():
        given = entry if not block else entry.get(block)
        if not isinstance(given, Mapping):
            continue  # of an entry that is read: refused with its layout
        for key in sorted(set(given) - known):
            path = f"{block}.{key}" if block else key
            meant = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.6)
            zh, en = (f"；是不是 {meant[0]}？", f"; {meant[0]} is probably meant.") if meant else ("。", ".")
            text = say(
                f"“{name}”里的 {path} 不认识，LLaMA-Factory 会不声不响地忽略它{zh}",
                f"{path} of “{name}” is not known, and LLaMA-Factory ignores it silently{en}",
            )
            proposal = meant[0] if meant else None
            remarks.append(remark(INFO, "info_unknown_key", "warning", text, found=path, proposal=proposal))
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
_EFFECTS = {
    "columns.query": (
        "输入列（input）被忽略，模型看不到标题",
        "the input column is ignored, so no title is seen",
    ),
    "columns.prompt": ("指令列被忽略", "the instruction column is ignored"),
    "tags.system_tag": ("以系统消息开头的行被丢弃", "rows that begin with a system turn are dropped"),
    "tags.observation_tag": ("有工具结果的行被丢弃", "rows with a tool's answer are dropped"),
    "tags.function_tag": ("有工具调用的行被丢弃", "rows with a tool call are dropped"),
}
"""Effects on the rows of leaving out a key that LLaMA-Factory can do without."""


def _missing_blocks(name: str, entry: Mapping[str, Any]) -> list[Problem]:
    """Report omitted blocks and keys: a block left out gets its defaults, a key omitted from one is None."""
    form = entry.get("formatting", "alpaca")
    if form == "openai":
        return [_openai_remark(name, entry)]
    if form not in _NEEDED:
        return []
    complete = complete_entry(entry)
    missing: list[str] = []
    for block in sorted(complete.keys() & {"columns", "tags"}):
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
    return [_incomplete(name, {*missing, *fatal}, fatal, json.dumps({name: complete}, ensure_ascii=False))]


def _incomplete(name: str, missing: Iterable[str], fatal: Iterable[str], repair: str) -> Problem:
    """Name the missing keys, and what LLaMA-Factory does without them."""
    shown = sorted(missing)
    effects = [_EFFECTS[key] for key in shown if key in _EFFECTS]
    if fatal:
        zh, en = "：LLaMA-Factory 会中止或丢弃每一行。", ": LLaMA-Factory stops or drops every row."
    elif effects:
        zh = f"：{'；'.join(effect[0] for effect in effects)}。"
        en = f": {'; '.join(effect[1] for effect in effects)}."
    else:
        zh, en = "。", "."
    is_partial = any("." in key for key in shown)
    text = say(
        f"“{name}”没有写 {'、'.join(shown)}，全靠默认值；写了一部分的块里缺的键会被当作没有{zh}"
        if is_partial
        else f"“{name}”没有写 {'、'.join(shown)}，全靠默认值{zh}",
        f"“{name}” leaves {', '.join(shown)} out; a key omitted from a given block counts as absent{en}"
        if is_partial
        else f"“{name}” leaves {', '.join(shown)} to defaults{en}",
    )
    severity: Severity = "error" if fatal else "warning" if is_partial else "hint"
    return remark(INFO, "info_incomplete", severity, text, repair=repair)


def _openai_remark(name: str, entry: Mapping[str, Any]) -> Problem:
    """Report formatting `openai`: it adds to the system text, and without tags expects ShareGPT's keys."""
    repair = json.dumps({name: complete_entry(entry)}, ensure_ascii=False)
    if not entry.get("tags"):
        text = say(
            f"“{name}”的 formatting 是 openai 而没有 tags：LLaMA-Factory 会去找 from 和 value 而中止。",
            f"“{name}” has formatting openai without tags: LLaMA-Factory expects from and value, and stops.",
        )
        return remark(INFO, "info_incomplete", "error", text, repair=repair)
    text = say(
        f"“{name}”的 formatting 是 openai：LLaMA-Factory 会在系统提示里加上“detailed thinking off”；"
        "请用 sharegpt 加 tags。",
        f"“{name}” has formatting openai: LLaMA-Factory adds “detailed thinking off” to the system text;"
        " use sharegpt with tags.",
    )
    return remark(INFO, "info_openai", "warning", text, repair=repair)


def remarks_on_missing_columns(file: str, columns: Sequence[str]) -> list[Problem]:
    """Report columns of an entry that no row has: a KeyError in LLaMA-Factory."""
    if not columns:
        return []
    text = say(
        f"没有一行有“{'、'.join(columns)}”；LLaMA-Factory 会因此中止。请在 {INFO} 里去掉它，或给各行补上。",
        f"No row has “{', '.join(columns)}”, and LLaMA-Factory stops at that."
        f" Remove it from {INFO}, or add it to the rows.",
    )
    return [remark(file, "missing_key", "error", text, found=", ".join(columns))]


def remark_on_mismatch(file: str, name: str, layout: Layout, record: Mapping[str, Any]) -> Problem | None:
    """Report an entry whose layout does not match the first row; None if it does."""
    blocks = _blocks_of(record, layout)
    if layout.form == "auto" or blocks is None or _fits(blocks, layout):
        return None
    form = blocks["formatting"]
    repair = json.dumps({name: {"file_name": file, **blocks}}, ensure_ascii=False)
    shown = json.dumps(blocks.get("tags", blocks["columns"]), ensure_ascii=False)
    text = say(
        f"“{name}”的说明与 {file} 里的行不符：第一行是 {form}（{shown}）；LLaMA-Factory 会中止或丢弃每一行。",
        f"The entry “{name}” does not match the rows of {file}: the first is {form} ({shown});"
        " LLaMA-Factory stops or drops every row.",
    )
    return remark(INFO, "info_mismatch", "error", text, repair=repair, found=layout.form)


def _blocks_of(record: Mapping[str, Any], layout: Layout) -> dict[str, Any] | None:
    """Infer the blocks of an entry from a row; None for a conversation of no known layout."""
    for key in dict.fromkeys((layout.messages, "conversations", "messages")):
        turns = record.get(key)
        if isinstance(turns, list) and turns and isinstance(turns[0], dict):
            own = set(layout.tags.values()) & turns[0].keys()
            tags = OPENAI_TAGS if "role" in turns[0] else DEFAULT_TAGS if "from" in turns[0] else None
            if tags is None and not own:
                return None
            return {"formatting": "sharegpt", "columns": {"messages": key}, "tags": dict(tags or layout.tags)}
    if "output" in record and ("instruction" in record or "input" in record):
        return {
            "formatting": "alpaca",
            "columns": {key: DEFAULT_COLUMNS[key] for key in ("prompt", "query", "response")},
        }
    return None


def _fits(blocks: Mapping[str, Any], layout: Layout) -> bool:
    if (blocks["formatting"] == "alpaca") != (layout.form == "alpaca"):
        return False
    if layout.form == "alpaca" or layout.form == "openai":
        return True
    role = blocks["tags"]["role_tag"] if "role_tag" in blocks["tags"] else layout.tag("role_tag")
    return bool(blocks["columns"]["messages"] == layout.messages and role == layout.tag("role_tag"))


def _mixed_folder(folder: Path, name: str, file_name: object) -> list[Problem]:
    """Report a folder of mixed types: LLaMA-Factory loads all its files, hidden ones too, and stops there."""
    path = folder / str(file_name)
    types = {_TYPES.get(file.suffix) for file in path.iterdir()} if path.is_dir() else set()
    if len(types) < 2 and None not in types:
        return []
    held = ", ".join(sorted(file.name for file in path.iterdir())[:8])
    text = say(
        f"“{name}”的文件夹里不全是同一类型的数据文件（{held}），LLaMA-Factory 会因此中止。",
        f"The folder of “{name}” does not hold data files of a single type ({held});"
        " LLaMA-Factory stops at that.",
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
