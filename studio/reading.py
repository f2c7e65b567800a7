"""A path to raw rows: one file, or a folder with dataset_info.json.

Every row arrives, also the faulty ones, with what is wrong with it; a file that
cannot be read at all is an error of its own. `check` shows both, `import` stops at
the second. Nothing is repaired here, and no category is known.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.columns import GUESSED, Columns
from studio.conversations import DEFAULT_COLUMNS, DEFAULT_TAGS, OPENAI_TAGS, Layout, RawRow, read_row
from studio.decoding import decode
from studio.errors import UnreadableFile
from studio.jsonrecords import parse_json
from studio.language import say
from studio.problems import Problem, Severity
from studio.records import SUFFIXES, Record, Records, read_records, require_readable
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
class Rows(Iterable[RawRow]):
    """Rows that are read anew from their files each time they are iterated, one at a time.

    All of them were read once before, so the files are whole, and their number is known.
    """

    count: int
    files: Sequence[tuple[Source, Records]]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[RawRow]:
        """Every row.

        Raises:
            UnreadableFile: a file was changed since it was first read.
        """
        return (_row(source, record) for source, records in self.files for record in records)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a path held: rows, remarks on whole files, and the files that could not be read, by name."""

    rows: Rows
    remarks: Sequence[Problem]
    unreadable: Mapping[str, UnreadableFile]


def read_rows(path: Path, columns: Columns = GUESSED) -> Reading:
    """Every row of a file, or of every entry of a folder's dataset_info.json.

    Raises:
        UnreadableFile: a file is missing, empty, truncated, or of a wrong encoding or shape.
    """
    reading = read_what_is_there(path, columns)
    for error in reading.unreadable.values():
        raise error
    return reading


def read_what_is_there(path: Path, columns: Columns = GUESSED) -> Reading:
    """As `read_rows`, but a file that cannot be read is listed and the others are read on."""
    files: list[tuple[Source, Records]] = []
    count = 0
    remarks: list[Problem] = []
    unreadable: dict[str, UnreadableFile] = {}
    try:
        sources = find_sources(path, columns)
    except UnreadableFile as error:
        return Reading(rows=Rows(count=0, files=[]), remarks=[], unreadable={path.name: error})
    if path.is_dir():
        remarks += remarks_on_info(read_info(path))
    for source in sources:
        try:
            found = read_records(source.path, source.name, source.layout.table)
            count += sum(1 for _ in found)
        except UnreadableFile as error:
            unreadable[source.name] = error
            continue
        files.append((source, found))
        remarks += _remarks_on_file(source.name, found)
    return Reading(rows=Rows(count=count, files=files), remarks=remarks, unreadable=unreadable)


def find_sources(path: Path, columns: Columns = GUESSED) -> list[Source]:
    """The files behind a path: itself, or the local entries of its dataset_info.json, each file once.

    Raises:
        UnreadableFile: nothing there, or a dataset_info.json that cannot be used.
    """
    if not path.is_dir():
        return [Source(path=path, name=path.name, split=split_of(path.stem), layout=Layout(table=columns))]
    sources: dict[Path, Source] = {}
    for name, entry in read_info(path).items():
        if entry.get("file_name") is not None:
            file = _inside(path, name, entry["file_name"])
            split = split_of(name) or split_of(file.stem)
            source = Source(path=file, name=entry["file_name"], split=split, layout=_layout(name, entry))
            sources.setdefault(file, source)
    return list(sources.values())


def _row(source: Source, record: Record) -> RawRow:
    row = read_row(record.value, source.layout, file=source.name, row=record.row, split=source.split)
    # A plain list of titles is no split, whatever its file is called.
    if row.split is None or row.kind == "conversation" or row.answer is not None:
        return row
    return replace(row, split=None)


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
    require_readable(path, INFO)
    entries = parse_json(decode(path.read_bytes(), INFO), INFO)
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
    if (
        form not in ("alpaca", "sharegpt", "openai")
        or not isinstance(columns, dict)
        or not isinstance(tags, dict)
    ):
        raise UnreadableFile(
            say(
                f"{INFO} 的“{name}”不可用：formatting 是 {form!r}，columns 和 tags 应是对象。",
                f"The entry “{name}” of {INFO} is unusable: formatting {form!r}, columns and tags should be objects.",
            ),
            remedy=say("formatting 请写 sharegpt 或 alpaca。", "Write sharegpt or alpaca as formatting."),
            code="wrong_type",
        )
    if form == "openai":
        return Layout(
            form="sharegpt", columns={"messages": "messages", **columns}, tags={**OPENAI_TAGS, **tags}
        )
    return Layout(form=form, columns=columns, tags=tags)


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


def _missing_blocks(name: str, entry: Mapping[str, Any]) -> list[Problem]:
    """A key that a present block omits counts as absent there; a whole block left out has its defaults."""
    if entry.get("formatting") != "sharegpt":
        return []
    complete = complete_entry(entry)
    missing = []
    for block in ("columns", "tags"):
        given = entry.get(block) or {}
        lacking = [f"{block}.{key}" for key in complete[block] if key not in given]
        missing += lacking if given else [block]
    if not missing:
        return []
    is_partial = bool(entry.get("columns") or entry.get("tags"))
    text = say(
        f"“{name}”没有写 {'、'.join(missing)}，全靠默认值；写了一部分的块里缺的键会被当作没有。",
        f"“{name}” leaves {', '.join(missing)} to defaults; a key that a present block omits counts as absent.",
    )
    repair = json.dumps({name: complete}, ensure_ascii=False)
    return [_remark(INFO, "info_incomplete", "warning" if is_partial else "hint", text, repair=repair)]


def complete_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry for ShareGPT files with its column and all tags written out.

    Not all columns: one that is named and that no row has is a KeyError in LLaMA-Factory.
    """
    columns = {"messages": DEFAULT_COLUMNS["messages"], **(entry.get("columns") or {})}
    return {**entry, "columns": columns, "tags": {**DEFAULT_TAGS, **(entry.get("tags") or {})}}


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
