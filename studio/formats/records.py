"""Stream the raw records of one file: txt, csv, tsv, xlsx, json, jsonl, parquet, arrow.

A record is a string (a plain title) or a mapping (a table row, a conversation); one with a
fault of form is kept as a faulty record, and whatever else a JSON list holds is passed on
for validation to report. Only the file as a whole is checked here. Records come one at a
time: a file of a million rows needs no more memory than one of a thousand.
"""

import csv
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from studio.errors import UnreadableFile
from studio.formats._arrow import ArrowTable, open_arrow, open_parquet
from studio.formats._class_files import named_classes
from studio.formats._file_types import broken_file, require_matching_type, require_no_archive
from studio.formats._tables import Heading, NumberedRows, find_heading, sample_rows, table_records
from studio.formats._text_cells import TextForm, cells_of, fasttext_fields, has_escapes, without_number
from studio.formats._text_files import LINE_CHARACTERS, TextFile, text_file
from studio.formats._text_forms import (
    SAMPLED_LINES,
    decide,
    is_heading,
)
from studio.formats._workbooks import Sheet, open_sheet, sheet_names
from studio.formats.choices import UNDECIDED, FileChoices
from studio.formats.columns import is_title_name
from studio.formats.json_stream import json_lines, json_values
from studio.language import say
from studio.samples.label_matching import Vocabulary
from studio.samples.scheme import load_scheme


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A raw record; `row` counts from 1: list elements, data rows, or lines of a line-based file."""

    row: int
    value: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Records(Iterable[Record]):
    """The records of a file, streamed anew by each iteration, and what the file was taken for.

    `encoding` is set where the file is text; `text` is how its lines are read; `heading` is set where it
    is a table; `sheet` is the sheet that is read and `other_sheets` those that are not; `merges` counts
    merged ranges that were filled; `class_names` name class indices by column.
    """

    start: Callable[[], Iterator[tuple[int, Any]]]
    encoding: str | None = None
    text: TextForm | None = None
    heading: Heading | None = None
    sheet: str | None = None
    other_sheets: Sequence[str] = ()
    merges: int = 0
    names: Sequence[str] = ()
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Record]:
        """Stream the records.

        Raises:
            UnreadableFile: on the way, where the file turns out to be truncated or damaged.
        """
        return (Record(row=row, value=value) for row, value in self.start())


def read_records(
    path: Path, name: str, choices: FileChoices = UNDECIDED, vocabulary: Vocabulary | None = None
) -> Records:
    """Open one file; `name` is its name in messages.

    Args:
        choices: what a person said about the file.
        vocabulary: what tells labels from titles; None: the bundled scheme's.

    Raises:
        UnreadableFile: missing, empty, of a wrong encoding, type or shape. Errors further
            down in the file are raised by the iteration.
        UnclearFile: the form of the file is uncertain.
    """
    reader = _READERS.get(path.suffix.lower())
    # Checked before the type: a wrong path is the likelier mistake.
    require_readable(path, name)
    if reader is None:
        require_no_archive(path, name)
        known = " ".join(suffix.removeprefix(".") for suffix in _READERS)
        raise UnreadableFile(
            say(f"不认识 {name} 的文件类型。", f"The type of {name} is not known."),
            remedy=say(f"可用的类型：{known}。", f"Known types: {known}."),
        )
    require_matching_type(path, name)
    records = reader(_File(path=path, name=name, choices=choices, vocabulary=vocabulary or _vocabulary()))
    if next(iter(records), None) is None:
        raise _empty(name)
    return records


def _vocabulary() -> Vocabulary:
    return Vocabulary(load_scheme())


def _empty(name: str) -> UnreadableFile:
    return UnreadableFile(
        say(f"{name} 里没有一行数据。", f"{name} has no rows."),
        remedy=say(
            "请检查导出是否完成，换一个有内容的文件。", "Check the export, and give a file with content."
        ),
        code="empty_file",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """A file to read, and what is known about it beforehand."""

    path: Path
    name: str
    choices: FileChoices
    vocabulary: Vocabulary


def require_readable(path: Path, name: str) -> None:
    """Require that a file exists and can be read.

    Raises:
        UnreadableFile: missing, a folder, a device or pipe, or without read permission.
    """
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            # A pipe or a device would be waited for, or read, for ever.
            raise UnreadableFile(
                say(f"{name} 不是普通文件。", f"{name} is no regular file."),
                remedy=say("请给出一个数据文件。", "Name a data file."),
            )
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


def _read_lines(file: _File) -> Records:
    """Read a text: a title a line, a table, or fastText's labels, as its lines show."""
    text = text_file(file.path, file.name)
    lines = text.first_lines(SAMPLED_LINES)
    if not lines:
        raise _empty(file.name)
    form = decide(lines, file.path.suffix.lower(), file.choices, file.vocabulary, file.name)
    if form.kind == "table":
        return _read_delimited(file, text, form)
    read = {"titles": _stripped, "numbered": without_number}.get(form.kind)

    def titles() -> Iterator[tuple[int, Any]]:
        with text.open(newline=None) as opened:
            for number, line in enumerate(opened, start=1):
                stripped = line.strip()
                if not stripped or (form.has_hint_line and number == 1):
                    continue
                if read is None:
                    title, label = fasttext_fields(stripped)
                    yield number, {"title": title, "label": label}
                else:
                    yield number, read(stripped)

    return Records(start=titles, encoding=text.encoding, text=form)


def _stripped(line: str) -> str:
    return line.strip()


def _read_delimited(file: _File, text: TextFile, form: TextForm) -> Records:
    if form.quoted and form.side == "all" and has_escapes(text.first_lines(SAMPLED_LINES), form.separator):
        form = replace(form, escaped=True)
    numbered = _numbered(text, form, file.name)
    if form.side == "all" and _is_list_with_marks(text, form, numbered):
        numbered = _whole_lines(text, form)
    heading = find_heading(sample_rows(numbered), file.choices, file.vocabulary, file.name, form)
    start = table_records(numbered, heading, form, file.vocabulary, file.choices)
    return Records(
        start=start,
        encoding=text.encoding,
        text=form,
        heading=heading,
        names=() if heading.is_list else heading.names,
        class_names=named_classes(file.path, heading),
    )


def _numbered(text: TextFile, form: TextForm, name: str) -> NumberedRows:
    def rows() -> Iterator[tuple[int, list[str]]]:
        with text.open(newline="") as opened:
            if form.has_hint_line:
                opened.readline()
            first = 2 if form.has_hint_line else 1
            try:
                for number, cells in cells_of(iter(opened), form):
                    if any(cell.strip() for cell in cells) and not _is_rule(cells, form):
                        yield number + first - 1, _without_frame(cells, form)
            except csv.Error as error:
                # A record that breaks at its quotation marks, or an unclosed one up to the end.
                raise broken_file(name, error) from error

    return rows


def _is_rule(cells: Sequence[str], form: TextForm) -> bool:
    """Return whether a row is the rule under the heading of a Markdown table."""
    return form.separator == "|" and len(cells) > 2 and not "".join(cells).strip(" :-")


def _without_frame(cells: list[str], form: TextForm) -> list[str]:
    """Drop the empty cells outside the bars of a Markdown table."""
    if form.separator == "|" and len(cells) > 2 and not cells[0].strip() and not cells[-1].strip():
        return cells[1:-1]
    return cells


def _whole_lines(text: TextFile, form: TextForm) -> NumberedRows:
    def rows() -> Iterator[tuple[int, list[str]]]:
        with text.open(newline=None) as opened:
            lines = ((number, line.rstrip("\n")) for number, line in enumerate(opened, start=1))
            yield from ((number, [line]) for number, line in lines if line.strip())

    return rows


def _is_list_with_marks(text: TextFile, form: TextForm, numbered: NumberedRows) -> bool:
    """Return whether a file is a list of titles with quotation marks in them, which is no CSV."""
    with text.open(newline=None) as opened:
        first = opened.readline(LINE_CHARACTERS)
    if form.separator in first:
        return False
    try:
        for _ in numbered():
            pass
    except UnreadableFile:
        return True
    return False


def _read_json(file: _File) -> Records:
    text = text_file(file.path, file.name)
    if text.is_json_lines():
        return _read_json_lines(file)

    def elements() -> Iterator[tuple[int, Any]]:
        with text.open(newline="\n") as opened:
            yield from enumerate(json_values(opened, file.name), start=1)

    return _of_values(file, elements, text.encoding)


def _read_json_lines(file: _File) -> Records:
    text = text_file(file.path, file.name)
    with text.open(newline="\n") as opened:
        first = opened.readline(LINE_CHARACTERS).strip()
        is_list = first in ("[", "[]") or (first.startswith("[{") and not text.is_json_lines())
        is_object = first == "{"
    if is_list or is_object:
        # A list or an object over many lines, under the wrong name.
        def elements() -> Iterator[tuple[int, Any]]:
            with text.open(newline="\n") as opened:
                yield from enumerate(json_values(opened, file.name), start=1)

        return _of_values(file, elements, text.encoding)

    def lines() -> Iterator[tuple[int, Any]]:
        with text.open(newline="\n") as opened:
            yield from json_lines(opened, file.name)

    return _of_values(file, lines, text.encoding)


def _of_values(file: _File, start: Callable[[], Iterator[tuple[int, Any]]], encoding: str) -> Records:
    """Read JSON values as records; lists of cells are the rows of a table."""
    first = list(islice(start(), 3))
    if not first or not all(_is_cells(value) for _, value in first):
        return Records(start=start, encoding=encoding)

    def rows() -> Iterator[tuple[int, list[str]]]:
        for number, value in start():
            cells = value if isinstance(value, list) else [value]
            yield number, ["" if cell is None else str(cell) for cell in cells]

    heading = find_heading(sample_rows(rows), file.choices, file.vocabulary, file.name)
    records = table_records(rows, heading, None, file.vocabulary, file.choices)
    return Records(start=records, encoding=encoding, heading=heading, names=heading.names)


def _is_cells(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(cell is None or isinstance(cell, str | int | float) for cell in value)
    )


def _read_workbook(file: _File) -> Records:
    names = sheet_names(file.path, file.name)
    chosen = _chosen_sheet(file, names)
    sheet, first = _first_sheet(file, [chosen] if chosen else names)
    if not first:
        raise _empty(file.name)
    heading = find_heading(first, file.choices, file.vocabulary, file.name)
    return Records(
        start=table_records(sheet.rows, heading, None, file.vocabulary, file.choices),
        heading=heading,
        names=() if heading.is_list else heading.names,
        sheet=sheet.name,
        other_sheets=[name for name in names if name != sheet.name],
        merges=sheet.merges,
    )


def _chosen_sheet(file: _File, names: Sequence[str]) -> str | None:
    """Look up the sheet that a person named, by its name or its number."""
    wanted = file.choices.sheet
    if wanted is None:
        return None
    if wanted in names:
        return wanted
    if wanted.isdigit() and 1 <= int(wanted) <= len(names):
        return names[int(wanted) - 1]
    raise UnreadableFile(
        say(
            f"{file.name} 里没有工作表“{wanted}”；有：{'、'.join(names)}。",
            f"{file.name} has no sheet “{wanted}”; it has: {', '.join(names)}.",
        ),
        remedy=say("请用 --sheet 选择其中一张。", "Choose one of them with --sheet."),
        code="missing_key",
    )


def _first_sheet(file: _File, names: Sequence[str]) -> tuple[Sheet, list[tuple[int, list[str]]]]:
    """Open the first sheet with a heading that is known, else the first that is not empty."""
    found: tuple[Sheet, list[tuple[int, list[str]]]] | None = None
    for name in names[:_SHEETS]:
        sheet = open_sheet(file.path, file.name, name)
        first = sample_rows(sheet.rows)
        if any(is_heading(cells) or is_title_name(cells[0]) for _, cells in first[:6]):
            return sheet, first
        if found is None or (first and not found[1]):
            found = sheet, first
    assert found is not None  # a workbook without a sheet is refused when it is opened
    return found


_SHEETS = 20
"""Sheets that are looked at."""


def _read_arrow(opened: Callable[[Path, str], ArrowTable]) -> Callable[[_File], Records]:
    def read(file: _File) -> Records:
        table = opened(file.path, file.name)
        return Records(start=table.rows, names=table.names, class_names=table.class_names)

    return read


_READERS: dict[str, Callable[[_File], Records]] = {
    ".txt": _read_lines,
    ".csv": _read_lines,
    ".tsv": _read_lines,
    ".xls": _read_lines,  # often a text under that name; a true one is refused by its type
    ".xlsx": _read_workbook,
    ".xlsm": _read_workbook,
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_arrow(open_parquet),
    ".arrow": _read_arrow(open_arrow),
}
SUFFIXES = tuple(_READERS)
"""Suffixes of the files that can be read."""
