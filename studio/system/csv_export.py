"""Write CSV for spreadsheets: no formula injection, Chinese readable."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TextIO

_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Cell = str | int | float | None


def safe_cell(value: Cell) -> Cell:
    """Escape a cell against formula injection: a text that begins like a formula gets an apostrophe.

    Also after spaces, which some programs drop first. Source: OWASP, "CSV Injection".
    """
    if not isinstance(value, str):
        return value
    return f"'{value}" if value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA) else value


def write_csv(file: TextIO, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table; open the file with encoding utf-8-sig, by which Excel knows UTF-8, and newline ''."""
    writer = csv.writer(file)
    writer.writerow([safe_cell(cell) for cell in header])
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Serialize a table as a CSV file, for a download."""
    file = io.StringIO(newline="")
    write_csv(file, header, rows)
    return file.getvalue().encode("utf-8-sig")
