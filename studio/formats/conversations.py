"""Parse a raw record into question and answer: ShareGPT, Alpaca, OpenAI, table row, title.

What cannot be parsed is kept as a problem of the row, in terms of what LLaMA-Factory
would do with it; nothing is repaired and no label is validated here. This module knows
no file and no category.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from studio.formats._cells import read_cells, read_task
from studio.formats._pairs import read_pair, read_turn_pairs
from studio.formats._row_parser import RawRow, RowParser
from studio.formats._turns import read_instruction, read_turns
from studio.formats.columns import Columns
from studio.formats.faulty import FaultyRecord
from studio.formats.layouts import Layout
from studio.messages import message
from studio.samples.title_text import Split

__all__ = ["RawRow", "read_row"]


def read_row(record: Any, layout: Layout, *, file: str, row: int, split: Split | None) -> RawRow:
    """Parse one record by its layout; its problems come with the row."""
    parser = RowParser(record, file, row, split)
    if isinstance(record, FaultyRecord):
        return _read_faulty(parser, record, layout)
    if isinstance(record, str) and layout.form == "auto":
        return parser.done("title", title=record)
    if not isinstance(record, Mapping):
        found = type(record).__name__
        parser.error(
            "wrong_type",
            message(
                "element_is_no_object_or_text" if layout.form == "auto" else "element_is_no_object",
                found=found,
            ),
            record,
        )
        return parser.done("conversation")
    form = layout.form if layout.form != "auto" else _form_of(record, layout.table)
    return _PARSERS[form](parser, record, layout)


def _read_faulty(parser: RowParser, record: FaultyRecord, layout: Layout) -> RawRow:
    """Read what can be read of a record with a fault of form."""
    parser.faulty(record)
    if record.value is None:
        return replace(parser.done("title"), record=record.found)
    found = read_row(record.value, layout, file=parser.file, row=parser.row, split=parser.split)
    return replace(found, problems=(*parser.problems, *found.problems))


def _form_of(record: Mapping[str, Any], table: Columns) -> Literal["sharegpt", "alpaca", "table"]:
    if table.title is not None:
        return "table"
    if "conversations" in record or "messages" in record:
        return "sharegpt"
    if "instruction" in record or "output" in record:
        return "alpaca"
    return "table"


_PARSERS: Mapping[str, Callable[[RowParser, Mapping[str, Any], Layout], RawRow]] = {
    "sharegpt": read_turns,
    "openai": read_turns,
    "alpaca": read_instruction,
    "pair": read_pair,
    "preference": read_pair,
    "turn_pairs": read_turn_pairs,
    "label-studio": read_task,
    "prodigy": read_task,
    "argilla": read_task,
    "table": read_cells,
}
