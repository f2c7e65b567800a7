"""Parse a title with its label: a table row, an object, or a task of a labelling tool."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from studio.formats._row_parser import RawRow, RowParser, part
from studio.formats._tool_exports import (
    read_argilla,
    read_label_studio,
    read_prodigy,
    refusal,
    status_columns,
)
from studio.formats.layouts import Layout, resolved_columns
from studio.formats.values import FORMULA, content_text, indicated, is_missing, label_text, lookup
from studio.messages import message
from studio.samples.canonical import write_answer


def read_task(parser: RowParser, record: Mapping[str, Any], layout: Layout) -> RawRow:
    """Parse a row of a labelling tool: a title, and the label that people agreed on."""
    if layout.form == "label-studio":
        if not isinstance(record.get("data"), Mapping):
            return read_cells(parser, record, layout)  # the flat export of the same tool
        found = read_label_studio(record, layout.control)
    elif layout.form == "prodigy":
        found = read_prodigy(record)
    else:
        found = read_argilla(record, layout.control)
    if found.set_aside is not None:
        parser.set_aside(found.set_aside)
    title = title_of(parser, found.title, "text")
    return parser.done("title", title=title, answer=found.label)


def read_cells(parser: RowParser, record: Mapping[str, Any], layout: Layout) -> RawRow:
    """Parse a table row or an object: a title, optionally a category, a chain, a source and a date."""
    names = tuple(map(str, record))
    columns = resolved_columns(layout.table, layout.inferred, names)
    if columns.title is None:
        parser.error(
            "missing_key",
            message("no_conversation_or_title", keys=list(map(str, record))[:8]),
        )
        return parser.done("title")
    title = title_of(
        parser, lookup(record, columns.title), columns.title, is_there=_is_there(record, columns.title)
    )
    category = _label(record, columns.category, layout) or indicated(record, layout.indicators)
    chain = _cell(record, columns.chain)
    status = _status_of(names, tuple(columns.used))
    if status and (reason := refusal(record, status)) is not None:
        parser.set_aside(reason)
        category, chain = "", ""
    return parser.done(
        "title",
        title=title,
        answer=write_answer(chain, category) if chain and "</think>" not in category else category or None,
        source=_cell(record, columns.source) or None,
        date=_cell(record, columns.date) or None,
    )


@lru_cache(maxsize=512)
def _status_of(names: tuple[str, ...], used: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in status_columns(names) if name not in used)


def _is_there(record: Mapping[str, Any], column: str) -> bool:
    return column in record or column.partition(".")[0] in record


def title_of(parser: RowParser, value: Any, key: str, *, is_there: bool = True) -> str | None:
    """Read a title: text, or a list of one text; whatever else is a problem of the row."""
    if not is_there:
        return part(parser, {}, key, str)
    value = content_text(value)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str) and value.strip() == FORMULA:
        parser.error("empty_title", message("title_is_formula"))
        return None
    if is_missing(value):
        return "" if isinstance(value, str) else part(parser, {key: None}, key, str)
    title = part(parser, {key: value}, key, str)
    # A spreadsheet gets an apostrophe before what it would take for a formula.
    return title[1:] if title and title[0] == "'" and title[1:2] in ("=", "+", "-", "@") else title


_LITERAL_MARKS = ("[", "{", "(")


def _label(record: Mapping[str, Any], column: str | None, layout: Layout) -> str:
    value = None if column is None else lookup(record, column)
    if isinstance(value, str) and value[:1] not in _LITERAL_MARKS and column not in layout.class_names:
        return "" if is_missing(value) else value.strip()  # the common case
    names = layout.class_names.get(column or "", ())
    if names and isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    return label_text(value, names)


def _cell(record: Mapping[str, Any], column: str | None) -> str:
    value = None if column is None else lookup(record, column)
    return "" if is_missing(value) else str(content_text(value)).strip()
