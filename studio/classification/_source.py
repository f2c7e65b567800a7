"""Read the sheet of a job once more, with its cells as they were."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from studio.classification.sheets import Sheet, titles_alone
from studio.formats.encodings import find_encoding
from studio.formats.faulty import FaultyRecord
from studio.formats.reader import OpenFile, open_files
from studio.formats.records import Records
from studio.language import say
from studio.samples.scheme import Scheme

SourceKind = Literal["delimited", "titles", "workbook", "objects", "parquet"]
"""delimited: a text of cells. titles: a text of one title a line. objects: json and jsonl."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A sheet that is read again: its columns, and what streams its rows in the order of rows.jsonl.

    `objects` streams each row as a mapping, whose values keep their types. `codec`, `separator` and
    `line_end` are set where it is text.
    """

    kind: SourceKind
    names: Sequence[str]
    objects: Callable[[], Iterator[dict[str, Any]]]
    codec: str = "utf-8"
    separator: str = ","
    line_end: str = "\n"


def open_source(path: Path, sheet: Sheet, scheme: Scheme) -> Source:
    """Open the sheet of a job, read as it was when the job was started.

    Raises:
        UnreadableFile: it was damaged since.
    """
    opened = open_files(path, titles_alone(sheet.choices), scheme)
    for error in opened.unreadable.values():
        raise error
    (file,) = opened.files
    records = file.records
    if records.sheet is not None and not records.merges:
        return _workbook(path, records)
    if path.suffix.lower() in (".parquet", ".arrow"):
        return Source(kind="parquet", names=records.names, objects=lambda: _values(file))
    names = list(records.names)
    if records.text is None:
        # Of a workbook with merged cells each row has the value of its range.
        return Source(kind="objects", names=names or _keys(file), objects=lambda: _values(file))
    return _text(path, file, names)


def _text(path: Path, file: OpenFile, names: list[str]) -> Source:
    with path.open("rb") as opened:
        codec = find_encoding(opened, path.name).codec
    with path.open(encoding=codec, newline="") as text:
        head = text.read(1 << 16)
    form = file.records.text
    assert form is not None
    is_cut_everywhere = form.kind == "table" and form.side == "all" and len(form.separator) == 1
    return Source(
        kind="delimited" if names or form.kind == "fasttext" else "titles",
        names=names or _keys(file),
        objects=lambda: _values(file),
        codec=codec,
        separator=form.separator if is_cut_everywhere else "\t",
        line_end="\r\n" if "\r\n" in head else "\n",
    )


def _keys(file: OpenFile) -> list[str]:
    """Collect the keys of objects, in the order in which they first occur."""
    return list(dict.fromkeys(key for value in _values(file) for key in value))


def _values(file: OpenFile) -> Iterator[dict[str, Any]]:
    """Stream the records as mappings: a plain title under one name, what does not fit as it was found."""
    names = file.records.names
    title = file.records.heading.names[0] if file.records.heading else say("标题", "title")
    for record in file.records:
        value = record.value
        if isinstance(value, FaultyRecord):
            value = value.value if value.value is not None else value.found
        if isinstance(value, Mapping):
            yield {str(key): inner for key, inner in value.items()}
        else:
            yield {(names[0] if names else title): value}


def _workbook(path: Path, records: Records) -> Source:
    """Read a sheet cell by cell, numbers as numbers and days as days; formulas by their values."""
    heading = records.heading
    assert heading is not None and records.sheet is not None
    names = heading.names

    def objects() -> Iterator[dict[str, Any]]:
        from openpyxl import load_workbook

        with closing(load_workbook(path, read_only=True, data_only=True)) as book:
            sheet = book[records.sheet]
            sheet.reset_dimensions()
            rows = islice(sheet.iter_rows(values_only=True), heading.row, None)
            for cells in rows:
                # As the reader of the titles does, which leaves out rows without any text.
                if any(cell is not None and str(cell).strip() for cell in cells):
                    yield dict(zip(names, [*cells, *[None] * len(names)], strict=False))

    return Source(kind="workbook", names=names, objects=objects)


def cell_text(value: Any) -> Any:
    """Format a value for a cell: text, numbers and days as they are, the rest as JSON."""
    if value is None or isinstance(value, str | int | float | bool) or hasattr(value, "isoformat"):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
