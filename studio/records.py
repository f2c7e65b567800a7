"""One file to its raw records: txt, csv, tsv, xlsx, json, jsonl, parquet.

A record is a string (a plain title) or a mapping (a table row, a conversation);
whatever else a JSON list holds is passed on as it is, for the check to name. Nothing
is judged here but the file as a whole. pandas is imported where it is needed: it
takes half a second, and most files do without.
"""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from zipfile import BadZipFile

from studio.decoding import decode
from studio.errors import UnreadableFile
from studio.language import say

TITLE_COLUMNS = ("标题", "新闻标题", "title", "headline", "text", "新闻", "内容", "content")
CATEGORY_COLUMNS = ("类别", "分类", "标签", "category", "label", "class")
CHAIN_COLUMNS = ("思维链", "推理", "chain", "think", "reasoning")
"""Names under which a table may carry titles, categories and think chains; case does not count."""

CONVERSATION_COLUMNS = ("conversations", "messages", "instruction", "output")


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """`row` counts from 1: list elements, data rows, or lines of a line-based file."""

    row: int
    value: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """All records of a file; its encoding where it is text, and what a workbook has that was not read."""

    records: Sequence[Record]
    encoding: str | None = None
    other_sheets: Sequence[str] = ()


def read_records(path: Path, name: str) -> Records:
    """Read one file; `name` is what messages call it.

    Raises:
        UnreadableFile: missing, empty, truncated, of a wrong encoding, type or shape.
    """
    reader = _READERS.get(path.suffix.lower())
    # Read before its type is judged: a wrong path is the likelier mistake.
    data = read_bytes(path, name)
    if reader is None:
        known = " ".join(suffix.removeprefix(".") for suffix in _READERS)
        raise UnreadableFile(
            say(f"不认识 {name} 的文件类型。", f"The type of {name} is not known."),
            remedy=say(f"可用的类型：{known}。", f"Known types: {known}."),
        )
    records = reader(data, name)
    if not records.records:
        raise UnreadableFile(
            say(f"{name} 里没有一行数据。", f"There is no row in {name}."),
            remedy=say(
                "请检查导出是否完成，换一个有内容的文件。", "Check the export, and give a file with content."
            ),
            code="empty_file",
        )
    return records


def read_bytes(path: Path, name: str) -> bytes:
    """The bytes of a file.

    Raises:
        UnreadableFile: missing, a folder, or not ours to read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise UnreadableFile(
            say(f"没有这个文件：{path}。", f"There is no such file: {path}.")
            if missing
            else say(f"读不到 {name}：{error.strerror}。", f"Cannot read {name}: {error.strerror}."),
            remedy=say("请检查路径和读取权限。", "Check the path and its permissions."),
        ) from error


_LINE_END = re.compile(r"\r\n?|\n")


def _read_text(data: bytes, name: str) -> Records:
    decoded = decode(data, name)
    lines = enumerate(_LINE_END.split(decoded.text), start=1)
    records = [Record(row=number, value=line.strip()) for number, line in lines if line.strip()]
    return Records(records=records, encoding=decoded.encoding)


def _read_json(data: bytes, name: str) -> Records:
    decoded = decode(data, name)
    try:
        value = parse_json(decoded.text, name)
    except UnreadableFile:
        if not _is_json_lines(decoded.text):
            raise
        return _read_json_lines(data, name)
    if not isinstance(value, list):
        _refuse_shape(value, name)
    records = [Record(row=number, value=item) for number, item in enumerate(value, start=1)]
    return Records(records=records, encoding=decoded.encoding)


def _read_json_lines(data: bytes, name: str) -> Records:
    decoded = decode(data, name)
    records = []
    for number, line in enumerate(decoded.text.split("\n"), start=1):
        if not line.strip():
            continue
        records.append(Record(row=number, value=parse_json(line, name, line=number)))
    return Records(records=records, encoding=decoded.encoding)


def _is_json_lines(text: str) -> bool:
    """Whether the first line is a whole JSON value and not the last one."""
    first, _, rest = text.strip().partition("\n")
    if not rest:
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def parse_json(text: str, name: str, line: int | None = None) -> Any:
    """The JSON value of a text, which is all of a file or its given line.

    Raises:
        UnreadableFile: where it breaks, and whether it simply stops there.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        _refuse_json(error, name, text, line)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, endless nesting
        _refuse(name, str(error), error)
    return _storable(value) if _HALF_CHARACTER.search(text) else value


_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


def _storable(value: Any) -> Any:
    """JSON can escape half of a character pair, which neither UTF-8 nor a database can hold: it becomes \ufffd."""
    if isinstance(value, dict):
        return {_storable(key): _storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner) for inner in value]
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _refuse_json(error: json.JSONDecodeError, name: str, text: str, line_number: int | None) -> NoReturn:
    """Say where the JSON breaks, and whether the file simply stops there."""
    line, column = line_number or error.lineno, error.colno
    stops = error.msg.startswith("Unterminated string") or error.pos >= len(text.rstrip())
    if stops:
        problem = say(
            f"{name} 不完整：第 {line} 行第 {column} 列之后的内容缺失。",
            f"{name} is truncated: what follows line {line}, column {column} is missing.",
        )
        remedy = say("请重新下载或导出这个文件。", "Download or export the file again.")
    else:
        around = text[max(0, error.pos - 12) : error.pos + 12].replace("\n", " ")
        problem = say(
            f"{name} 第 {line} 行第 {column} 列不是有效的 JSON（{error.msg}），附近是“{around}”。",
            f"{name}, line {line}, column {column}: not valid JSON ({error.msg}), near “{around}”.",
        )
        remedy = say("请改正这一处后再试。", "Mend that place and try again.")
    raise UnreadableFile(problem, remedy=remedy) from error


def _refuse_shape(value: Any, name: str) -> NoReturn:
    found = type(value).__name__
    lists = []
    if isinstance(value, dict):
        found = say("一个对象，键为 ", "an object with the keys ") + ", ".join(list(value)[:8])
        lists = [key for key, inner in value.items() if isinstance(inner, list)]
    raise UnreadableFile(
        say(
            f"{name} 的最外层不是列表，而是{found}。",
            f"The outermost value of {name} is no list but {found}.",
        ),
        remedy=say(f"请只保留“{lists[0]}”里的列表。", f"Keep only the list inside “{lists[0]}”.")
        if len(lists) == 1
        else say(
            "请写成 [ {…}, {…} ] 的形式，每个元素一条。", "Write it as [ {…}, {…} ], one element a row."
        ),
        code="not_a_list",
    )


def _read_table(delimiters: str) -> Callable[[bytes, str], Records]:
    def read(data: bytes, name: str) -> Records:
        decoded = decode(data, name)
        first = decoded.text.partition("\n")[0]
        delimiter = max(delimiters, key=first.count)
        # Strict: an unclosed quote would else swallow the rows behind it without a word.
        lines = csv.reader(io.StringIO(decoded.text, newline=""), delimiter=delimiter, strict=True)
        try:
            rows = [row for row in lines if any(cell.strip() for cell in row)]
        except csv.Error as error:
            if delimiter in first:
                _refuse(
                    name, say(f"第 {lines.line_num} 行：{error}", f"line {lines.line_num}: {error}"), error
                )
            rows = [[line] for line in _LINE_END.split(decoded.text) if line.strip()]
        return Records(records=_table_records(rows, name, delimiter), encoding=decoded.encoding)

    return read


def _read_workbook(data: bytes, name: str) -> Records:
    import pandas as pd

    try:
        with pd.ExcelFile(io.BytesIO(data)) as book:
            names = [str(sheet_name) for sheet_name in book.sheet_names]
            sheet = pd.read_excel(book, header=None, dtype=str, keep_default_na=False)
    except (ValueError, KeyError, OSError, BadZipFile) as error:
        _refuse(name, str(error), error)
    cells = [[str(cell) for cell in row] for row in sheet.itertuples(index=False)]
    rows = [row for row in cells if any(map(str.strip, row))]
    return Records(records=_table_records(rows, name), other_sheets=names[1:])


def _read_parquet(data: bytes, name: str) -> Records:
    import pandas as pd

    try:
        rows = pd.read_parquet(io.BytesIO(data)).to_dict(orient="records")
    except (ValueError, OSError) as error:
        _refuse(name, str(error), error)
    if rows:
        _require_title_column([str(column) for column in rows[0]], name)
    return Records(
        records=[Record(row=number, value=_plain(row)) for number, row in enumerate(rows, start=1)]
    )


def _plain(value: Any) -> Any:
    """Nested arrays and missing values of a parquet file as lists, mappings and None."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _table_records(rows: Sequence[Sequence[str]], name: str, delimiter: str = ",") -> list[Record]:
    """Rows under their column names; a single column without a known name has no heading."""
    if not rows:
        return []
    header = [cell.strip() for cell in rows[0]]
    if len(header) == 1:
        # A title may contain the delimiter without anybody having quoted it.
        titles = [delimiter.join(row).strip() for row in rows]
        start = 1 if find_column(header, TITLE_COLUMNS) else 0
        return [Record(row=number, value=title) for number, title in enumerate(titles[start:], start=1)]
    _require_title_column(header, name)
    return [
        Record(row=number, value=dict(zip(header, row, strict=False)))
        for number, row in enumerate(rows[1:], start=1)
    ]


def find_column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column that goes by one of the names; earlier names win."""
    by_name = {column.strip().lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _require_title_column(columns: Sequence[str], name: str) -> None:
    if find_column(columns, TITLE_COLUMNS + CONVERSATION_COLUMNS) is None:
        raise UnreadableFile(
            say(
                f"{name} 里找不到标题列；现有的列：{'、'.join(columns)}。",
                f"No column of {name} holds titles; its columns: {', '.join(columns)}.",
            ),
            remedy=say("请把放标题的那一列命名为“标题”。", "Name the column with the titles “title”."),
            code="missing_key",
        )


def _refuse(name: str, what: str, error: Exception) -> NoReturn:
    raise UnreadableFile(
        say(f"{name} 读不出来：{what}。", f"{name} cannot be read: {what}."),
        remedy=say(
            "请确认文件完整、扩展名与内容一致，或重新导出。",
            "Make sure that the file is complete and its name fits its content, or export it again.",
        ),
    ) from error


_READERS: dict[str, Callable[[bytes, str], Records]] = {
    ".txt": _read_text,
    ".csv": _read_table(",;\t"),
    ".tsv": _read_table("\t"),
    ".xlsx": _read_workbook,
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".parquet": _read_parquet,
}
SUFFIXES = tuple(_READERS)
