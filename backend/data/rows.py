"""Read the rows of a dataset folder as conversations or texts.

The folder is what a dataset version or LLaMA-Factory has: `dataset_info.json` and
the files it names. They are read by the one reader that `check` and `import` use: what
`check` calls valid, trains. A worker fails with the row's number at what is not.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.data.templates import Message
from studio.errors import UnreadableFile
from studio.formats.conversations import RawRow
from studio.formats.reader import read_entry
from studio.language import say
from studio.samples.canonical import write_question
from studio.samples.scheme import Scheme, load_scheme
from studio.samples.title_text import clean_title, split_lines


@dataclass(frozen=True)
class DatasetEntry:
    """One entry of dataset_info.json: its file, and the names of its columns."""

    file: Path
    columns: dict[str, str]


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
    return DatasetEntry(file=file, columns=entry.get("columns") or {})


def has_entry(folder: Path, name: str) -> bool:
    """Whether the folder's dataset_info.json has that entry."""
    info = _read_json(folder / "dataset_info.json")
    return isinstance(info, dict) and name in info


def dataset_scheme(dataset_dir: Path) -> Scheme:
    """Load the categories that a dataset version was frozen with, or the bundled ones."""
    own = dataset_dir / "categories.toml"
    return load_scheme(own if own.is_file() else None)


def read_rows(folder: Path, name: str) -> list[RawRow]:
    """Read all rows of an entry, with the reader that `check` and `import` use.

    Raises:
        UnreadableFile: there is no such entry, or a row of it cannot be trained or answered: its number
            and what is wrong with it, as `check` says it.
    """
    reading = read_entry(folder, name, dataset_scheme(folder))
    rows = list(reading.rows)
    for row in rows:
        problem = next((problem for problem in row.problems if problem.severity == "error"), None)
        if problem is not None or (row.kind == "conversation" and not row.turns):
            what = problem.message if problem else say("没有问答。", "it has no question and answer.")
            raise faulty_row(row, what)
        if row.kind == "title" and not row.answer:
            raise faulty_row(row, say("没有答案，要先标注。", "it has no answer and must be labelled first."))
    return rows


def read_conversations(folder: Path, name: str) -> list[list[Message]]:
    """Read all conversations of an entry, as messages; the last turn is the assistant's.

    A system text, in a column or a turn of its own, is the first message. A row of a table is asked
    with the prompt of the scheme.
    """
    prompt = dataset_scheme(folder).prompt
    return [messages_of(row, prompt) for row in read_rows(folder, name)]


def messages_of(row: RawRow, prompt: str) -> list[Message]:
    """Make the messages of a row."""
    if row.kind == "title":
        asked, answered = write_question(prompt, clean_title(row.title or "")), row.answer or ""
        return [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return [{"role": role, "content": text} for role, text in row.turns]


def faulty_row(row: RawRow, what: str) -> UnreadableFile:
    """Make the error of a row that cannot be trained on or answered."""
    return UnreadableFile(
        say(
            "不能用 {file} 训练或评估：第 {row} 行：{what}",
            "Cannot train on or evaluate {file}: row {row}: {what}",
            file=row.file,
            row=row.row,
            what=what,
        ),
        remedy=say("请用 news-studio check 检查并修正。", "Check and repair it with news-studio check."),
    )


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
