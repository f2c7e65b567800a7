"""Stream the raw records of one file: txt, csv, tsv, xlsx, json, jsonl, parquet.

A record is a string (a plain title) or a mapping (a table row, a conversation);
whatever else a JSON list holds is passed on as it is, for validation to report. Only the
file as a whole is checked here. Records come one at a time: a file of a million rows
needs no more memory than one of a thousand.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import UnreadableFile
from studio.formats._file_types import require_matching_type
from studio.formats._tables import delimited_rows, parquet_rows, table_records, workbook_rows
from studio.formats.columns import GUESSED, Columns
from studio.formats.encodings import find_encoding
from studio.formats.json_stream import is_json_lines, json_lines, json_list
from studio.language import say


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A raw record; `row` counts from 1: list elements, data rows, or lines of a line-based file."""

    row: int
    value: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Records(Iterable[Record]):
    """The records of a file, streamed anew by each iteration.

    `encoding` is set where the file is text; `other_sheets` names the sheets of a workbook that are not read.
    """

    start: Callable[[], Iterator[tuple[int, Any]]]
    encoding: str | None = None
    other_sheets: Sequence[str] = ()

    def __iter__(self) -> Iterator[Record]:
        """Stream the records.

        Raises:
            UnreadableFile: on the way, where the file turns out to be truncated or damaged.
        """
        return (Record(row=row, value=value) for row, value in self.start())


def read_records(path: Path, name: str, columns: Columns | None = GUESSED) -> Records:
    """Open one file; `name` is its name in messages, `columns` the mapping of a table; None: any columns.

    Raises:
        UnreadableFile: missing, empty, of a wrong encoding, type or shape. Errors further
            down in the file are raised by the iteration.
    """
    reader = _READERS.get(path.suffix.lower())
    # Checked before the type: a wrong path is the likelier mistake.
    require_readable(path, name)
    if reader is None:
        known = " ".join(suffix.removeprefix(".") for suffix in _READERS)
        raise UnreadableFile(
            say(f"不认识 {name} 的文件类型。", f"The type of {name} is not known."),
            remedy=say(f"可用的类型：{known}。", f"Known types: {known}."),
        )
    require_matching_type(path, name)
    records = reader(path, name, columns)
    if next(iter(records), None) is None:
        raise UnreadableFile(
            say(f"{name} 里没有一行数据。", f"{name} has no rows."),
            remedy=say(
                "请检查导出是否完成，换一个有内容的文件。", "Check the export, and give a file with content."
            ),
            code="empty_file",
        )
    return records


def require_readable(path: Path, name: str) -> None:
    """Require that a file exists and can be read.

    Raises:
        UnreadableFile: missing, a folder, or without read permission.
    """
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise UnreadableFile(
            say(f"没有这个文件：{path}。", f"There is no such file: {path}.")
            if missing
            else say(f"无法读取 {name}：{error.strerror}。", f"Cannot read {name}: {error.strerror}."),
            remedy=say("请检查路径和读取权限。", "Check the path and its permissions."),
        ) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class _Text:
    """A text file that can be opened from its start again and again."""

    path: Path
    encoding: str
    codec: str

    def open(self, newline: str | None) -> io.TextIOWrapper:
        return self.path.open(encoding=self.codec, newline=newline)


def _text(path: Path, name: str) -> _Text:
    with path.open("rb") as file:
        encoding = find_encoding(file, name)
    return _Text(path=path, encoding=encoding.label, codec=encoding.codec)


def _read_text(path: Path, name: str, columns: Columns | None) -> Records:
    text = _text(path, name)

    def lines() -> Iterator[tuple[int, str]]:
        with text.open(newline=None) as file:
            for number, line in enumerate(file, start=1):
                if line := line.strip():
                    yield number, line

    return Records(start=lines, encoding=text.encoding)


def _read_json(path: Path, name: str, columns: Columns | None) -> Records:
    text = _text(path, name)
    with text.open(newline="\n") as file:
        if is_json_lines(file):
            return _read_json_lines(path, name, columns)

    def elements() -> Iterator[tuple[int, Any]]:
        with text.open(newline="\n") as file:
            yield from enumerate(json_list(file, name), start=1)

    return Records(start=elements, encoding=text.encoding)


def _read_json_lines(path: Path, name: str, columns: Columns | None) -> Records:
    text = _text(path, name)

    def lines() -> Iterator[tuple[int, Any]]:
        with text.open(newline="\n") as file:
            yield from json_lines(file, name)

    return Records(start=lines, encoding=text.encoding)


def _read_table(delimiters: str) -> Callable[[Path, str, Columns | None], Records]:
    def read(path: Path, name: str, columns: Columns | None) -> Records:
        text = _text(path, name)
        rows, delimiter = delimited_rows(text.open, delimiters, name)
        return Records(start=lambda: table_records(rows(), columns, name, delimiter), encoding=text.encoding)

    return read


def _read_workbook(path: Path, name: str, columns: Columns | None) -> Records:
    rows, other_sheets = workbook_rows(path, name)
    return Records(start=lambda: table_records(rows(), columns, name), other_sheets=other_sheets)


def _read_parquet(path: Path, name: str, columns: Columns | None) -> Records:
    return Records(start=parquet_rows(path, columns, name))


_READERS: dict[str, Callable[[Path, str, Columns | None], Records]] = {
    ".txt": _read_text,
    ".csv": _read_table(",;\t"),
    ".tsv": _read_table("\t"),
    ".xlsx": _read_workbook,
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".parquet": _read_parquet,
}
SUFFIXES = tuple(_READERS)
