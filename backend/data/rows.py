"""Read the rows of a dataset folder as conversations or texts.

The folder is what a dataset version or LLaMA-Factory has: `dataset_info.json` and
the files it names. Validation and repair are studio's job; a worker reads what is
well-formed and fails with the row's number at what is not.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.data.templates import Message
from studio.errors import UnreadableFile
from studio.language import say
from studio.samples.scheme import Scheme, load_scheme
from studio.samples.title_text import split_lines

ROLE_OF_TAG = {"user_tag": "user", "assistant_tag": "assistant", "system_tag": "system"}
SHAREGPT_TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "system_tag": "system",
}


@dataclass(frozen=True)
class DatasetEntry:
    """One entry of dataset_info.json: the file, and how its rows are written."""

    file: Path
    formatting: str
    columns: dict[str, str]
    tags: dict[str, str]


def find_entry(folder: Path, name: str) -> DatasetEntry:
    """Find the entry `name` of the folder's dataset_info.json.

    Raises:
        UnreadableFile: no such file or entry, or its file lies outside the folder.
    """
    info = _read_json(folder / "dataset_info.json")
    if not isinstance(info, dict) or not isinstance(info.get(name), dict):
        known = "、".join(info) if isinstance(info, dict) else "-"
        raise _unreadable(
            folder / "dataset_info.json",
            say(f"没有名为 {name} 的数据集（有：{known}）", f"no dataset named {name} (it has: {known})"),
        )
    entry: dict[str, Any] = info[name]
    file = (folder / str(entry.get("file_name", ""))).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        raise _unreadable(
            file, say("文件不存在，或在数据集文件夹之外", "it is missing, or outside the dataset folder")
        )
    return DatasetEntry(
        file=file,
        formatting=str(entry.get("formatting", "alpaca")),
        columns=entry.get("columns") or {},
        tags={**SHAREGPT_TAGS, **(entry.get("tags") or {})},
    )


def has_entry(folder: Path, name: str) -> bool:
    """Whether the folder's dataset_info.json has that entry."""
    info = _read_json(folder / "dataset_info.json")
    return isinstance(info, dict) and name in info


def dataset_scheme(dataset_dir: Path) -> Scheme:
    """Load the categories that a dataset version was frozen with, or the bundled ones."""
    own = dataset_dir / "categories.toml"
    return load_scheme(own if own.is_file() else None)


def read_conversations(folder: Path, name: str) -> list[list[Message]]:
    """Read all conversations of an entry, as messages; the last turn is the assistant's."""
    entry = find_entry(folder, name)
    column = entry.columns.get("messages", "conversations")
    return [
        list(_messages(row, number, column, entry))
        for number, row in enumerate(_json_rows(entry.file), start=1)
    ]


def read_texts(folder: Path, name: str) -> Iterator[str]:
    """Read the pre-training texts of an entry: lines of txt, or a column of json or jsonl; .gz as well."""
    entry = find_entry(folder, name)
    if entry.file.name.removesuffix(".gz").endswith(".txt"):
        yield from (line for line in split_lines(_read_text(entry.file)) if line.strip())
        return
    column = entry.columns.get("prompt", "text")
    for number, row in enumerate(_json_rows(entry.file), start=1):
        if not isinstance(row, dict) or not isinstance(row.get(column), str):
            raise _unreadable(
                entry.file,
                say(f"第 {number} 行没有文本列 {column}", f"row {number} has no text column {column}"),
            )
        yield row[column]


def _messages(row: object, number: int, column: str, entry: DatasetEntry) -> Iterator[Message]:
    tags = entry.tags
    roles = {tags[tag]: role for tag, role in ROLE_OF_TAG.items() if tags.get(tag)}
    turns = row.get(column) if isinstance(row, dict) else None
    if not isinstance(turns, list) or not turns:
        raise _unreadable(
            entry.file, say(f"第 {number} 行没有对话 {column}", f"row {number} has no {column}")
        )
    role = ""
    for turn in turns:
        role = roles.get(str(turn.get(tags["role_tag"])), "") if isinstance(turn, dict) else ""
        content = turn.get(tags["content_tag"]) if isinstance(turn, dict) else None
        if not role or not isinstance(content, str):
            raise _unreadable(
                entry.file,
                say(f"第 {number} 行有未知角色或空内容", f"row {number} has an unknown role or no text"),
            )
        yield {"role": role, "content": content}
    if role != "assistant":
        raise _unreadable(
            entry.file, say(f"第 {number} 行不以回答结尾", f"row {number} does not end with an answer")
        )


def _json_rows(file: Path) -> list[Any]:
    if file.name.removesuffix(".gz").endswith(".jsonl"):
        lines = enumerate(_read_text(file).split("\n"), start=1)
        return [_parse(line, file, line_number=number) for number, line in lines if line.strip()]
    rows = _read_json(file)
    if not isinstance(rows, list):
        raise _unreadable(file, say("最外层不是列表", "its outermost value is not a list"))
    return rows


def _read_json(file: Path) -> Any:
    return _parse(_read_text(file), file)


def _parse(text: str, file: Path, line_number: int | None = None) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = line_number or error.lineno
        raise _unreadable(
            file,
            say(
                f"第 {line} 行第 {error.colno} 列不是 JSON", f"line {line}, column {error.colno} is not JSON"
            ),
        ) from error


def _read_text(file: Path) -> str:
    try:
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        return raw.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise _unreadable(file, say("文件不存在或不是 UTF-8", "it is missing or not UTF-8")) from error


def _unreadable(file: Path, what: str) -> UnreadableFile:
    return UnreadableFile(
        say("无法使用 {file}：{what}。", "Cannot use {file}: {what}.", file=file, what=what),
        remedy=say("请用 news-studio check 检查并修正。", "Check and repair it with news-studio check."),
    )
