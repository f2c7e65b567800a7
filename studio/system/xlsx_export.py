"""Write a workbook of one sheet: texts stay texts, whatever they begin with."""

import io
from collections.abc import Iterable, Sequence
from typing import IO, Any

from studio.system.csv_export import Cell

MOST_CHARACTERS = 32_767
"""Excel's own limit of a cell; a longer text is cut."""


def xlsx_bytes(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Serialize a table as a workbook, for a download."""
    content = io.BytesIO()
    write_workbook(content, header, rows)
    return content.getvalue()


def write_workbook(file: IO[bytes], header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table as a workbook, row by row; a cell is a text, a number, a day or None."""
    # Here, since most of who imports this module never writes a workbook.
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.freeze_panes = "A2"

    def cell(value: Any) -> object:
        if not isinstance(value, str):
            return value
        made = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value)[:MOST_CHARACTERS])
        made.data_type = "s"  # otherwise a title that begins with = is a formula
        return made

    sheet.append([cell(value) for value in header])
    for row in rows:
        sheet.append([cell(value) for value in row])
    book.save(file)
