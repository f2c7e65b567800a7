"""Collect what is parsed of one record, its problems among it, for every format."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from studio.formats.faulty import FaultyRecord
from studio.formats.layouts import Layout
from studio.language import say
from studio.messages import Message, message
from studio.samples.problems import Problem
from studio.samples.title_text import Split


@dataclass(frozen=True, kw_only=True, slots=True)
class RawRow:
    """A parsed row, before validation.

    `question` is the human turn, `answer` the gpt turn, `system` the system turn before
    them; `title` is set where the format itself keeps the title apart (a table column,
    Alpaca's input). A row without an answer is a plain title. `record` is the whole,
    `extra` what it has beside the conversation. `turns` are all turns of a conversation as it is
    trained, with the system text first, by the roles user, assistant, system and those of tools.
    `source` and `date` are copied verbatim from their columns.
    """

    file: str
    row: int
    split: Split | None
    kind: Literal["conversation", "title"]
    record: Any
    question: str | None = None
    title: str | None = None
    answer: str | None = None
    system: str | None = None
    source: str | None = None
    date: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    turns: tuple[tuple[str, str], ...] = ()
    problems: tuple[Problem, ...] = ()


class RowParser:
    """Collects the problems of one record while its parts are parsed."""

    def __init__(self, record: Any, file: str, row: int, split: Split | None) -> None:
        self.record = record
        self.file = file
        self.row = row
        self.split = split
        self.problems: list[Problem] = []

    def error(self, code: str, reason: Message, found: object = None) -> None:
        shown = None if found is None else str(found)[:200]
        self.problems.append(
            Problem(
                file=self.file,
                row=self.row,
                code=code,
                severity="error",
                message=reason.sentence(),
                found=shown,
                reason=reason,
            )
        )

    def faulty(self, record: FaultyRecord) -> None:
        """Report a fault of form; it comes before what the rest of the row shows."""
        self.problems.insert(
            0,
            Problem(
                file=self.file,
                row=self.row,
                code=record.code,
                severity=record.severity,
                message=record.reason.sentence(),
                found=record.found[:200],
                reason=record.reason,
            ),
        )

    def set_aside(self, reason: Message) -> None:
        self.problems.append(
            Problem(
                file=self.file,
                row=self.row,
                code="label_set_aside",
                severity="warning",
                message=reason.sentence(),
                reason=reason,
            )
        )

    def more_turns(self, count: int, *, used: Literal["first", "last"] = "first") -> None:
        text = say(
            f"这一行有 {count} 问 {count} 答，只用第一问和第一答。"
            if used == "first"
            else f"这一行连同历史有 {count} 问 {count} 答，只用最后一问和最后一答。",
            f"This row has {count} questions and answers; only the {used} are used.",
        )
        self.problems.append(
            Problem(file=self.file, row=self.row, code="more_turns", severity="warning", message=text)
        )

    def done(self, kind: Literal["conversation", "title"], **parts: Any) -> RawRow:
        return RawRow(
            file=self.file,
            row=self.row,
            split=self.split,
            kind=kind,
            record=self.record,
            problems=tuple(self.problems),
            **parts,
        )


_Wanted = TypeVar("_Wanted", str, list[Any])


def part(parser: RowParser, record: Mapping[str, Any], key: str, wanted: type[_Wanted]) -> _Wanted | None:
    """Return record[key] if it is there and of the wanted type; else report a problem and return None."""
    if key not in record:
        parser.error(
            "missing_key",
            message("key_missing", key=key, keys=[str(name) for name in list(record)[:8]]),
        )
        return None
    value = record[key]
    if wanted is list and isinstance(value, str):
        value = _list_in_text(value)
    if value is None:
        parser.error("null_value", message("value_is_null", key=key))
        return None
    if not isinstance(value, wanted):
        code = "value_is_no_text" if wanted is str else "value_is_no_list"
        parser.error("wrong_type", message(code, key=key, found=f"{value!r:.60}"), value)
        return None
    return value


def _list_in_text(text: str) -> Any:
    """Parse a list that a table keeps as JSON text, as databases export turns; else the text itself."""
    if text[:1] == "[" and len(text) <= _LIST_CHARACTERS:
        with suppress(ValueError, RecursionError):
            return json.loads(text)
    return text


_LIST_CHARACTERS = 1 << 20


def system_of(record: Mapping[str, Any], layout: Layout) -> str | None:
    """Read the system text from a column of its own."""
    column = layout.column("system")
    system = record.get(column) if column else None
    return system if isinstance(system, str) and system else None
