"""A path to raw rows: one file, or a folder with dataset_info.json.

Every row arrives, also the faulty ones, with what is wrong with it; a file that
cannot be read at all is an error of its own. `check` shows both, `import` stops at
the second. Nothing is repaired here, and no category is known.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.conversations import DEFAULT_COLUMNS, DEFAULT_TAGS, OPENAI_TAGS, Layout, RawRow, read_row
from studio.decoding import decode
from studio.errors import UnreadableFile
from studio.language import say
from studio.problems import Problem, Severity
from studio.records import SUFFIXES, Record, Records, parse_json, read_bytes, read_records
from studio.titles import Split

INFO = "dataset_info.json"
EVAL_NAMES = ("eval", "test", "valid", "validation", "val", "dev")

_ENTRY_KEYS = {
    "hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name", "file_name", "formatting",
    "ranking", "subset", "folder", "num_samples", "split", "columns", "tags",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file to read: `name` is what messages and rows call it."""

    path: Path
    name: str
    split: Split | None
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a path held: rows, remarks on whole files, and the files that could not be read, by name."""

    rows: Sequence[RawRow]
    remarks: Sequence[Problem]
    unreadable: Mapping[str, UnreadableFile]


def read_rows(path: Path) -> Reading:
    """Every row of a file, or of every entry of a folder's dataset_info.json.

    Raises:
        UnreadableFile: a file is missing, empty, truncated, or of a wrong encoding or shape.
    """
    reading = read_what_is_there(path)
    for error in reading.unreadable.values():
        raise error
    return reading


def read_what_is_there(path: Path) -> Reading:
    """As `read_rows`, but a file that cannot be read is listed and the others are read on."""
    rows: list[RawRow] = []
    remarks: list[Problem] = []
    unreadable: dict[str, UnreadableFile] = {}
    try:
        sources = find_sources(path)
    except UnreadableFile as error:
        return Reading(rows=[], remarks=[], unreadable={path.name: error})
    if path.is_dir():
        remarks += remarks_on_info(read_info(path))
    for source in sources:
        try:
            found = read_records(source.path, source.name)
        except UnreadableFile as error:
            unreadable[source.name] = error
            continue
        rows += [_row(source, record) for record in found.records]
        remarks += _remarks_on_file(source.name, found)
        remarks += _absent_columns(
            source,
            {key for record in found.records if isinstance(record.value, dict) for key in record.value},
        )
    return Reading(rows=rows, remarks=remarks, unreadable=unreadable)


def find_sources(path: Path) -> list[Source]:
    """The files behind a path: itself, or the local entries of its dataset_info.json, each file once.

    Raises:
        UnreadableFile: nothing there, or a dataset_info.json that cannot be used.
    """
    if not path.is_dir():
        return [Source(path=path, name=path.name, split=split_of(path.stem), layout=Layout())]
    sources: dict[Path, Source] = {}
    for name, entry in read_info(path).items():
        if entry.get("file_name") is not None:
            layout = _layout(name, entry)
            for file_name in _files_of(path, name, entry["file_name"]):
                file = _inside(path, name, file_name)
                split = split_of(name) or split_of(file.stem)
                sources.setdefault(file, Source(path=file, name=file_name, split=split, layout=layout))
    return list(sources.values())


def _files_of(folder: Path, name: str, file_name: object) -> list[str]:
    """The file of an entry, or, where it names a folder, every file in that, by name; hidden ones are none."""
    place = _inside(folder, name, file_name)
    named = str(file_name)
    if not place.is_dir():
        return [named]
    files = sorted(file.name for file in place.iterdir() if file.is_file() and not file.name.startswith("."))
    return [f"{named.rstrip('/')}/{file}" for file in files] or [named]


def _row(source: Source, record: Record) -> RawRow:
    row = read_row(record.value, source.layout, file=source.name, row=record.row, split=source.split)
    # A plain list of titles is no split, whatever its file is called.
    return row if row.kind == "conversation" or row.answer is not None else replace(row, split=None)


def split_of(name: str) -> Split | None:
    """The split that a file or entry name stands for, by any of its words."""
    words = {word for word in name.lower().replace("-", "_").replace(".", "_").split("_")}
    if words & set(EVAL_NAMES):
        return "eval"
    return "train" if words & {"train", "training"} else None


def _remarks_on_file(name: str, found: Records) -> list[Problem]:
    remarks = []
    if found.encoding not in (None, "UTF-8"):
        message = say(
            f"文件编码是 {found.encoding}，已按此读取；许多训练工具只认不带 BOM 的 UTF-8。",
            f"The file is in {found.encoding} and was read so; many training tools want UTF-8 without BOM.",
        )
        remarks.append(_remark(name, "encoding", "warning", message, found=found.encoding))
    if found.other_sheets:
        sheets = ", ".join(found.other_sheets)
        message = say(
            f"只读了第一张工作表，没有读：{sheets}。", f"Only the first sheet was read, not: {sheets}."
        )
        remarks.append(_remark(name, "other_sheets", "warning", message, found=sheets))
    return remarks


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
    entries = parse_json(decode(read_bytes(path, INFO), INFO).text, INFO)
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise UnreadableFile(
            say(f"{INFO} 应是“名称: 说明”的对象。", f"{INFO} should map names to entries."),
            remedy=say('请写成 {"train": {"file_name": "train.json"}} 的形式。', 'Write {"train": {"file_name": "train.json"}}.'),
            code="wrong_type",
        )  # fmt: skip
    return entries


def _inside(folder: Path, name: str, file_name: object) -> Path:
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


def _layout(name: str, entry: Mapping[str, Any]) -> Layout:
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
    return Layout(form=form, columns=columns, tags=tags)


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
            remarks.append(_remark(INFO, "info_incomplete", "warning", text))
        else:
            remarks += _missing_blocks(name, entry)
        unknown = "、".join(sorted(set(entry) - _ENTRY_KEYS))
        if unknown:
            text = say(
                f"“{name}”里不认识的键会被忽略：{unknown}。",
                f"Unknown keys of “{name}” are ignored: {unknown}.",
            )
            remarks.append(_remark(INFO, "info_unknown_key", "warning", text))
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
    return [_remark(INFO, "info_incomplete", severity, text, repair=repair)]


def _openai_remark(name: str, entry: Mapping[str, Any]) -> Problem:
    """Its formatting `openai` adds to the system text, and without tags looks for `from` and `value`."""
    repair = json.dumps({name: complete_entry(entry)}, ensure_ascii=False)
    if not entry.get("tags"):
        text = say(
            f"“{name}”的 formatting 是 openai 而没有 tags：LLaMA-Factory 会去找 from 和 value 而中止。",
            f"“{name}” is formatting openai without tags: LLaMA-Factory looks for from and value, and stops.",
        )
        return _remark(INFO, "info_incomplete", "error", text, repair=repair)
    text = say(
        f"“{name}”的 formatting 是 openai：LLaMA-Factory 会在系统提示里加上“detailed thinking off”；请用 sharegpt 加 tags。",
        f"“{name}” is formatting openai: LLaMA-Factory adds “detailed thinking off” to the system text; use sharegpt with tags.",
    )
    return _remark(INFO, "info_openai", "warning", text, repair=repair)


def _absent_columns(source: Source, present: set[str]) -> list[Problem]:
    """Columns that an entry names, or leaves to a default, and that no row has: a KeyError in LLaMA-Factory.

    Those that rows cannot do without are told row by row.
    """
    names = {"alpaca": ("prompt", "query", "history", "system"), "sharegpt": ("system",)}.get(
        source.layout.form, ()
    )
    columns = [column for column in map(source.layout.column, names) if column and column not in present]
    if not columns:
        return []
    text = say(
        f"没有一行有“{'、'.join(columns)}”；LLaMA-Factory 会因此中止。请在 {INFO} 里去掉它，或给各行补上。",
        f"No row has “{', '.join(columns)}”, and LLaMA-Factory stops at that. Take it out of {INFO}, or add it to the rows.",
    )
    return [_remark(source.name, "missing_key", "error", text, found=", ".join(columns))]


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


def _remark(
    file: str,
    code: str,
    severity: Severity,
    message: str,
    *,
    repair: str | None = None,
    found: str | None = None,
) -> Problem:
    """A problem of a whole file."""
    return Problem(
        file=file, row=None, code=code, severity=severity, message=message, repair=repair, found=found
    )
