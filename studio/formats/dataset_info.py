"""Read dataset_info.json and what its entries mean.

An entry says which file of its folder holds rows and how they are built; a file outside
that folder is refused. What LLaMA-Factory makes of an entry is `entryremarks`'s. This
module reads no rows.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.errors import UnreadableFile
from studio.formats.columns import Columns
from studio.formats.encodings import decode
from studio.formats.json_stream import parse_json
from studio.formats.layouts import DEFAULT_COLUMNS, DEFAULT_TAGS, OPENAI_TAGS, Layout
from studio.formats.records import SUFFIXES, require_readable
from studio.language import say

INFO = "dataset_info.json"


def read_info(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """The entries of a folder's dataset_info.json.

    Raises:
        UnreadableFile: there is none, it is empty, or it is not a mapping of names to entries.
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
    if not entries:
        raise UnreadableFile(
            say(f"{INFO} 里没有一个数据集。", f"{INFO} names no data set."),
            remedy=say('请写成 {"train": {"file_name": "train.json"}} 的形式。', 'Write {"train": {"file_name": "train.json"}}.'),
            code="empty_file",
        )  # fmt: skip
    return entries


def inside(folder: Path, name: str, file_name: object) -> Path:
    """The file of an entry, which must lie in the folder: names and links that lead out are refused.

    Raises:
        UnreadableFile: it leads out, or is no name of a file.
    """
    if not isinstance(file_name, str) or not file_name.strip() or not _is_name(file_name):
        raise UnreadableFile(
            say(f"{INFO} 的“{name}”的 file_name 不是文件名：{file_name!r:.60}。", f"The file_name of “{name}” in {INFO} is no name of a file: {file_name!r:.60}."),
            remedy=say("file_name 请写该文件夹里的一个文件名。", "Name a file of the folder as file_name."),
            code="wrong_type",
        )  # fmt: skip
    try:
        place, home = (folder / file_name).resolve(), folder.resolve()
        # Also a way out and back in is refused: in a copy of the folder it would lead to the original.
        is_plain = not Path(file_name).is_absolute() and ".." not in Path(file_name).parts
        is_inside = is_plain and place.is_relative_to(home) and place != home
    except (OSError, RuntimeError, ValueError):  # a name too long, a link to itself, a byte that no name has
        is_inside = False
    if not is_inside:
        raise UnreadableFile(
            say(
                f"{INFO} 的“{name}”指向文件夹之外：{file_name:.200}。",
                f"The entry “{name}” of {INFO} leads out of its folder: {file_name:.200}.",
            ),
            remedy=say(
                "请把文件放进该文件夹，file_name 只写文件名。",
                "Put the file into the folder and name it alone.",
            ),
            code="info_outside",
        )
    return folder / file_name


def _is_name(file_name: str) -> bool:
    return "\0" not in file_name and all(len(part.encode()) < 256 for part in file_name.split("/"))


def missing_file(folder: Path, name: str, file_name: str) -> UnreadableFile:
    """The error of an entry whose file is not there, with the files that may be meant."""
    there = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    near = difflib.get_close_matches(file_name, [file for file in there if file != INFO], n=3, cutoff=0.5)
    return UnreadableFile(
        say(
            f"{INFO} 的“{name}”所说的文件 {file_name} 不在文件夹里；LLaMA-Factory 会因此中止。",
            f"The file {file_name} of the entry “{name}” of {INFO} is not there; LLaMA-Factory stops at that.",
        ),
        remedy=say(f"是不是 {'、'.join(near)}？请改 file_name。", f"Is it {', '.join(near)}? Mend file_name.")
        if near
        else say("请放入这个文件，或改 file_name。", "Add the file, or mend file_name."),
        code="info_file_missing",
    )


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
