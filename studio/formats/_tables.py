"""Stream the rows of a table: delimited text, a workbook's sheet, parquet.

openpyxl and pyarrow are imported where they are needed: most files do without. This
module knows no encoding, and validates no cell.
"""

import csv
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn, TextIO
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from studio.errors import UnreadableFile
from studio.formats._file_types import require_bounded_parquet, require_bounded_workbook
from studio.formats.columns import GUESSED, Columns
from studio.language import say

Row = Sequence[str]

CELL_CHARACTERS = 16 << 20
"""Characters of the longest cell that is read; a shorter one that is too long is refused as a row."""

_BATCH = 500
"""Rows of a parquet file that are in memory at once."""

csv.field_size_limit(CELL_CHARACTERS)


def delimited_rows(
    open_text: Callable[[str | None], TextIO], delimiters: str, name: str
) -> tuple[Callable[[], Iterator[Row]], str]:
    """Open a delimited text; returns a function that streams its rows from the start, and the delimiter.

    A file whose first line has no delimiter may be a plain list of titles with quotation
    marks in them: where it does not parse as CSV, its rows are its lines.
    """
    with open_text("") as file:
        first = file.readline(CELL_CHARACTERS)
    delimiter = max(delimiters, key=first.count)

    def cells() -> Iterator[Row]:
        with open_text("") as file:
            # Strict: otherwise an unclosed quote would silently swallow the rows behind it.
            rows = csv.reader(file, delimiter=delimiter, strict=True)
            try:
                yield from (row for row in rows if any(cell.strip() for cell in row))
            except csv.Error as error:
                _refuse(name, say(f"第 {rows.line_num} 行：{error}", f"line {rows.line_num}: {error}"), error)

    def lines() -> Iterator[Row]:
        with open_text(None) as file:
            yield from ([line.rstrip("\n")] for line in file if line.strip())

    return (lines if delimiter not in first and not _is_csv(cells) else cells), delimiter


def _is_csv(cells: Callable[[], Iterator[Row]]) -> bool:
    try:
        for _ in cells():
            pass
    except UnreadableFile:
        return False
    return True


def workbook_rows(path: Path, name: str) -> tuple[Callable[[], Iterator[Row]], Sequence[str]]:
    """Open a workbook; returns a function that streams the rows of the first sheet, and the other names.

    Raises:
        UnreadableFile: not a workbook, or one that unpacks to more than the limit.
    """
    import openpyxl

    require_bounded_workbook(path, name)

    def opened() -> Any:
        try:
            return openpyxl.load_workbook(path, read_only=True, data_only=True)
        except _WORKBOOK_ERRORS as error:
            _refuse(name, str(error), error)

    def rows() -> Iterator[Row]:
        book = opened()
        try:
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # some programs write wrong ones
            for cells in sheet.iter_rows(values_only=True):
                row = [_cell_text(cell) for cell in cells]
                if any(map(str.strip, row)):
                    yield row
        except _WORKBOOK_ERRORS as error:
            _refuse(name, str(error), error)
        finally:
            book.close()

    book = opened()
    book.close()
    if not book.worksheets:
        _refuse(name, say("没有工作表", "it has no sheet"), None)
    return rows, [sheet.title for sheet in book.worksheets[1:]]


_WORKBOOK_ERRORS = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    OSError,
    EOFError,
    RuntimeError,
    BadZipFile,
    zlib.error,
    ParseError,
)
"""Errors that openpyxl raises when the parts of a workbook are not what they claim to be."""


def _cell_text(value: Any) -> str:
    """Format a cell as people see it: a whole number without a point, a day without midnight."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and not (value.hour or value.minute or value.second):
        return value.date().isoformat()
    return str(value)


def parquet_rows(path: Path, columns: Columns | None, name: str) -> Callable[[], Iterator[tuple[int, Any]]]:
    """Open a parquet file; returns a function that streams its rows, numbered from 1, as mappings.

    Raises:
        UnreadableFile: not a parquet file, too large, or without a column of titles.
    """
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
        _refuse(name, str(error), error)
    require_bounded_parquet(file.metadata, name)
    if columns is not None:
        columns.require([str(column) for column in file.schema_arrow.names], name)
    file.close()

    def rows() -> Iterator[tuple[int, Any]]:
        try:
            with parquet.ParquetFile(path) as file:
                batches = file.iter_batches(batch_size=_BATCH)
                yield from enumerate((_plain(row) for batch in batches for row in batch.to_pylist()), start=1)
        except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
            _refuse(name, str(error), error)

    return rows


def _plain(value: Any) -> Any:
    """Convert a parquet value to what JSON has: NaN becomes None, dates become text."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return None if isinstance(value, float) and math.isnan(value) else value


def table_records(
    rows: Iterable[Row], columns: Columns | None, name: str, delimiter: str = ","
) -> Iterator[tuple[int, Any]]:
    """Map rows to their column names, numbered from 1; a single column without a known name has no header.

    Without `columns`, no column is required.

    Raises:
        UnreadableFile: no column of titles.
    """
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    header = [cell.strip() for cell in first]
    if len(header) == 1:
        # A title may contain the delimiter without anybody having quoted it.
        if (columns or GUESSED).among(header).title is None:
            if columns is not None:
                # A column that was chosen must exist all the same.
                columns.require(["标题", *header], name)
            yield 1, delimiter.join(first).strip()
            start = 2
        else:
            start = 1
        yield from enumerate((delimiter.join(row).strip() for row in rows), start=start)
        return
    if columns is not None:
        columns.require(header, name)
    yield from enumerate((dict(zip(header, row, strict=False)) for row in rows), start=1)


def _refuse(name: str, what: str, error: Exception | None) -> NoReturn:
    raise UnreadableFile(
        say("{name} 无法读取：{what}。", "{name} cannot be read: {what}.", name=name, what=what),
        remedy=say(
            "请确认文件完整、扩展名与内容一致，或重新导出。",
            "Make sure that the file is complete and its suffix matches its content, or export it again.",
        ),
    ) from error
