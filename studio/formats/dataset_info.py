"""Parse dataset_info.json into files and row layouts.

An entry names a file of its folder and the layout of its rows; a file outside that folder
is refused. `_dataset_info_lint` knows what LLaMA-Factory makes of an entry. This module
reads no rows.
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
    """Parse the entries of a folder's dataset_info.json.

    Raises:
        UnreadableFile: missing, empty, or not a mapping of names to entries.
    """
    path = folder / INFO
    if not path.is_file():
        files = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
        raise UnreadableFile(
            say(f"文件夹 {folder.name} 里没有 {INFO}。", f"The folder {folder.name} has no {INFO}."),
            remedy=say(
                f"请直接给出其中一个文件：{'、'.join(files[:5])}。",
                f"Name one of its files: {', '.join(files[:5])}.",
            )
            if files
            else say("请给出一个数据文件。", "Name a data file."),
        )
    require_readable(path, INFO)
    entries = parse_json(decode(path.read_bytes(), INFO), INFO)
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise UnreadableFile(
            say(f"{INFO} 应是“名称: 说明”的对象。", f"{INFO} should map names to entries."),
            remedy=_example(),
            code="wrong_type",
        )
    if not entries:
        raise UnreadableFile(
            say(f"{INFO} 里没有一个数据集。", f"{INFO} has no dataset."),
            remedy=_example(),
            code="empty_file",
        )
    return entries


def _example() -> str:
    return say(
        '请写成 {"train": {"file_name": "train.json"}} 的形式。',
        'Write {"train": {"file_name": "train.json"}}.',
    )


def resolve_inside(folder: Path, name: str, file_name: object) -> Path:
    """Resolve the file of an entry, refusing path traversal: names and links out of the folder.

    Raises:
        UnreadableFile: it leads out of the folder, or is not a file name.
    """
    if not isinstance(file_name, str) or not file_name.strip() or not _is_name(file_name):
        raise UnreadableFile(
            say(
                f"{INFO} 的“{name}”的 file_name 不是文件名：{file_name!r:.60}。",
                f"The file_name of “{name}” in {INFO} is not a file name: {file_name!r:.60}.",
            ),
            remedy=say("file_name 请写该文件夹里的一个文件名。", "Name a file of the folder as file_name."),
            code="wrong_type",
        )
    try:
        path, home = (folder / file_name).resolve(), folder.resolve()
        # Also a way out and back in is refused: in a copy of the folder it would lead to the original.
        is_plain = not Path(file_name).is_absolute() and ".." not in Path(file_name).parts
        is_inside = is_plain and path.is_relative_to(home) and path != home
    except (OSError, RuntimeError, ValueError):  # a name too long, a link to itself, a byte that no name has
        is_inside = False
    if not is_inside:
        raise UnreadableFile(
            say(
                f"{INFO} 的“{name}”指向文件夹之外：{file_name:.200}。",
                f"The entry “{name}” of {INFO} points outside its folder: {file_name:.200}.",
            ),
            remedy=say(
                "请把文件放进该文件夹，file_name 只写文件名。",
                "Put the file into the folder and write only its name as file_name.",
            ),
            code="info_outside",
        )
    return folder / file_name


def _is_name(file_name: str) -> bool:
    return "\0" not in file_name and all(len(part.encode()) < 256 for part in file_name.split("/"))


def missing_file(folder: Path, name: str, file_name: str) -> UnreadableFile:
    """Build the error of an entry whose file is missing, with the closest file names as suggestions."""
    files = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    close = difflib.get_close_matches(file_name, [file for file in files if file != INFO], n=3, cutoff=0.5)
    return UnreadableFile(
        say(
            f"{INFO} 的“{name}”所说的文件 {file_name} 不在文件夹里；LLaMA-Factory 会因此中止。",
            f"The file {file_name} of the entry “{name}” of {INFO} is missing; LLaMA-Factory stops at that.",
        ),
        remedy=say(
            f"是不是 {'、'.join(close)}？请改 file_name。",
            f"Is it {', '.join(close)}? Correct file_name.",
        )
        if close
        else say("请放入这个文件，或改 file_name。", "Add the file, or correct file_name."),
        code="info_file_missing",
    )


def files_of(folder: Path, name: str, file_name: object) -> list[str]:
    """List the file of an entry or, where it names a folder, the files in it by name, without hidden ones."""
    path = resolve_inside(folder, name, file_name)
    named = str(file_name)
    if not path.is_dir():
        return [named]
    files = sorted(file.name for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    return [f"{named.rstrip('/')}/{file}" for file in files] or [named]


def layout_of(name: str, entry: Mapping[str, Any]) -> Layout:
    """Parse the row layout of an entry.

    Raises:
        UnreadableFile: an unknown formatting, or columns and tags that map no names to names.
    """
    form = entry.get("formatting", "alpaca")
    columns, tags = entry.get("columns") or {}, entry.get("tags") or {}
    if form not in ("alpaca", "sharegpt", "openai") or not (_is_naming(columns) and _is_naming(tags)):
        raise UnreadableFile(
            say(
                f"{INFO} 的“{name}”不可用：formatting 是 {form!r}，columns 和 tags 应是“名称: 名称”的对象。",
                f"The entry “{name}” of {INFO} is unusable: formatting is {form!r},"
                " and columns and tags should map names to names.",
            ),
            remedy=say("formatting 请写 sharegpt 或 alpaca。", "Write sharegpt or alpaca as formatting."),
            code="wrong_type",
        )
    if form == "openai" and tags:
        tags = {**OPENAI_TAGS, **tags}
    # A table must have the column that the entry names, whatever its name.
    required = columns.get("query") or columns.get("prompt") if form == "alpaca" else columns.get("messages")
    return Layout(form=form, columns=columns, tags=tags, table=Columns(title=required))


def _is_naming(block: object) -> bool:
    """Return whether a block maps names to names or null."""
    return isinstance(block, dict) and all(name is None or isinstance(name, str) for name in block.values())


def complete_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Write out the defaults of an entry: the columns that its form needs, and all tags of ShareGPT.

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
