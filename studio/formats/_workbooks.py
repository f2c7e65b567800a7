"""Stream the rows of a workbook's sheet, within bounds, and with what its merged cells and formulas hold.

openpyxl is imported where it is needed: most files do without.
"""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from studio.errors import UnreadableFile
from studio.formats._file_types import broken_file, require_bounded_workbook
from studio.formats.values import FORMULA
from studio.language import say

SHEET_ROWS = 1_048_576
"""Rows that a sheet can have in Excel. A file that names a later one is padded for ever."""
SHEET_COLUMNS = 1024
"""Columns that a table may have; a cell in Excel's last column would pad each row to 16,384."""
MERGES = 20_000
"""Merged ranges that are filled; more are no table."""

_WORKBOOK_ERRORS = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
)
"""Errors that openpyxl raises when the parts of a workbook are not what they claim to be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A sheet: its name, what streams its rows that are not empty, and how many ranges are merged."""

    name: str
    rows: Callable[[], Iterator[tuple[int, list[str]]]]
    merges: int


@dataclass(frozen=True, slots=True)
class _Scan:
    """What the XML of a sheet tells before it is parsed."""

    has_formulas: bool
    merges: tuple[tuple[int, int, int, int], ...]


def sheet_names(path: Path, name: str) -> list[str]:
    """List the sheets of a workbook.

    Raises:
        UnreadableFile: not a workbook, one that unpacks to more than the limit, or one without a sheet.
    """
    require_bounded_workbook(path, name)
    book = _open(path, name)
    try:
        names = [sheet.title for sheet in book.worksheets]
    finally:
        book.close()
    if not names:
        raise broken_file(name, say("没有工作表", "it has no sheet"))
    return names


def open_sheet(path: Path, name: str, sheet_name: str) -> Sheet:
    """Open a sheet of a workbook.

    Raises:
        UnreadableFile: rows or columns beyond the bounds; the rest is raised while it is streamed.
    """
    scan = _scan(path, name, sheet_name)

    def rows() -> Iterator[tuple[int, list[str]]]:
        fill = _Filler(scan.merges)
        for number, cells in _rows(path, name, sheet_name, scan.has_formulas):
            fill(number, cells)
            if any(cell.strip() for cell in cells):
                yield number, cells

    return Sheet(name=sheet_name, rows=rows, merges=sum(top != bottom for top, bottom, _, _ in scan.merges))


class _Filler:
    """Fills the cells that are merged downwards with the value of the first; others stay as they are."""

    def __init__(self, merges: Sequence[tuple[int, int, int, int]]) -> None:
        self._waiting = sorted((merge for merge in merges if merge[0] < merge[1]), reverse=True)
        self._active: list[tuple[int, int, str]] = []

    def __call__(self, number: int, cells: list[str]) -> None:
        """Fill a row; rows come in order."""
        if not self._waiting and not self._active:
            return
        self._active = [merge for merge in self._active if merge[0] >= number]
        for _, column, value in self._active:
            cells += [""] * (column - len(cells))
            cells[column - 1] = cells[column - 1] or value
        while self._waiting and self._waiting[-1][0] <= number:
            top, bottom, left, right = self._waiting.pop()
            if top == number and left == right and left <= len(cells):
                self._active.append((bottom, left, cells[left - 1]))


def _open(path: Path, name: str, *, data_only: bool = True) -> Any:
    import openpyxl

    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=data_only)
    except _WORKBOOK_ERRORS as error:
        raise broken_file(name, error) from error


def _rows(path: Path, name: str, sheet_name: str, has_formulas: bool) -> Iterator[tuple[int, list[str]]]:
    """Stream the rows of a sheet; a formula without a stored value is `FORMULA`."""
    book = _open(path, name)
    formulas = _open(path, name, data_only=False) if has_formulas else None
    try:
        rows = _sheet_rows(book, sheet_name)
        if formulas is None:
            for number, cells in enumerate(rows, start=1):
                if len(cells) > SHEET_COLUMNS:
                    raise _too_large(name, say(f"{len(cells)} 列", f"{len(cells)} columns"))
                if cells:
                    yield number, [_cell_text(cell) for cell in cells]
            return
        for number, (cells, sources) in enumerate(
            zip(rows, _sheet_rows(formulas, sheet_name), strict=False), start=1
        ):
            if len(cells) > SHEET_COLUMNS:
                raise _too_large(name, say(f"{len(cells)} 列", f"{len(cells)} columns"))
            yield (
                number,
                [
                    FORMULA if cell is None and source is not None else _cell_text(cell)
                    for cell, source in zip(cells, sources, strict=False)
                ],
            )
    except _WORKBOOK_ERRORS as error:
        raise broken_file(name, error) from error
    finally:
        book.close()
        if formulas is not None:
            formulas.close()


def _sheet_rows(book: Any, sheet_name: str) -> Iterator[tuple[Any, ...]]:
    sheet = book[sheet_name]
    sheet.reset_dimensions()  # some programs write wrong ones
    rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(values_only=True, max_row=SHEET_ROWS)
    return rows


def _scan(path: Path, name: str, sheet_name: str) -> _Scan:
    """Scan the XML of a sheet for formulas, merged ranges and row numbers beyond any sheet."""
    book = _open(path, name)
    merges: list[tuple[int, int, int, int]] = []
    has_formulas = False
    try:
        part = book[sheet_name]._worksheet_path
        with zipfile.ZipFile(path) as parts, parts.open(part) as stream:
            rest = b""
            while piece := stream.read(1 << 20):
                window = rest + piece
                has_formulas = has_formulas or _FORMULA.search(window) is not None
                for match in _ROW.finditer(window):
                    if int(match.group(1)[:20]) > SHEET_ROWS:
                        number = match.group(1)[:20].decode()
                        raise _too_large(name, say(f"第 {number} 行", f"row {number}"))
                # A mark that the end of a piece cuts is found with the next one; one that is whole is not
                # found twice, as the rest begins behind it.
                found = list(_MERGE.finditer(window))
                merges += [_range(match) for match in found]
                if len(merges) > MERGES:
                    raise _too_large(name, say("合并的单元格太多", "too many merged cells"))
                rest = window[max(found[-1].end() if found else 0, len(window) - _MARK) :]
    except _WORKBOOK_ERRORS as error:
        raise broken_file(name, error) from error
    finally:
        book.close()
    return _Scan(has_formulas=has_formulas, merges=tuple(merges))


_MARK = 200
"""Bytes of the longest mark that is looked for."""
_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")
_ROW = re.compile(rb"<(?:\w+:)?row [^>]{0,150}?\br=[\"'](\d{7,})")
_MERGE = re.compile(
    rb"<(?:\w+:)?mergeCell [^>]{0,80}?ref=[\"']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})[\"']"
)


def _range(match: re.Match[bytes]) -> tuple[int, int, int, int]:
    from openpyxl.utils import column_index_from_string

    left, top, right, bottom = (group.decode() for group in match.groups())
    return int(top), int(bottom), column_index_from_string(left), column_index_from_string(right)


def _cell_text(value: Any) -> str:
    """Format a cell as people see it: a whole number without a point, a day without midnight."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and not (value.hour or value.minute or value.second):
        return value.date().isoformat()
    return str(value)


def _too_large(name: str, what: str) -> UnreadableFile:
    return UnreadableFile(
        say(
            "{name} 的工作表超出了表格的范围（{what}），没有读取。",
            "The sheet of {name} exceeds what a table can have ({what}); it was not read.",
            name=name,
            what=what,
        ),
        remedy=say(
            f"最多 {SHEET_ROWS} 行、{SHEET_COLUMNS} 列；请删除多余的单元格，或另存为 csv。",
            f"At most {SHEET_ROWS} rows and {SHEET_COLUMNS} columns; delete stray cells, or save it as csv.",
        ),
        code="too_large",
    )
