"""Turn one raw record into a question and an answer: ShareGPT, Alpaca, OpenAI, table row, title.

What cannot be read is kept as a problem of the row, in the words of what
LLaMA-Factory would do with it; nothing is repaired and no label is judged here.
This module knows no file and no category.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from studio.formats.columns import Columns
from studio.formats.layouts import Layout
from studio.language import say
from studio.messages import Message, message
from studio.samples.canonical import write_answer
from studio.samples.problems import Problem
from studio.samples.title_text import Split


@dataclass(frozen=True, kw_only=True, slots=True)
class RawRow:
    """A row as it was found.

    `question` is the human turn, `answer` the gpt turn, `system` what stands before
    them; `title` is set where the format itself keeps the title apart (a table column,
    Alpaca's input). A row without an answer is a plain title. `record` is the whole,
    `extra` what it has beside the conversation. `source` and `date` are what its columns
    say, word for word.
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
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Turn:
    role: str
    text: str


class _Row:
    """The reading of one record: collects problems while the parts are looked up."""

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


def read_row(record: Any, layout: Layout, *, file: str, row: int, split: Split | None) -> RawRow:
    """Take one record apart by its layout; problems come with the row."""
    reading = _Row(record, file, row, split)
    if isinstance(record, str) and layout.form == "auto":
        return reading.done("title", title=record)
    if not isinstance(record, Mapping):
        reading.error(
            "wrong_type",
            message(
                "element_is_no_object_or_text" if layout.form == "auto" else "element_is_no_object",
                found=type(record).__name__,
            ),
            record,
        )
        return reading.done("conversation")
    form = layout.form if layout.form != "auto" else _form_of(record, layout.table)
    if form in ("sharegpt", "openai"):
        return _read_turns(reading, record, layout)
    if form == "alpaca":
        return _read_instruction(reading, record, layout)
    return _read_cells(reading, record, layout.table)


def _form_of(record: Mapping[str, Any], table: Columns) -> Literal["sharegpt", "alpaca", "table"]:
    if table.title is not None:
        return "table"
    if "conversations" in record or "messages" in record:
        return "sharegpt"
    if "instruction" in record or "output" in record:
        return "alpaca"
    return "table"


def _read_turns(reading: _Row, record: Mapping[str, Any], layout: Layout) -> RawRow:
    key, looks = layout.messages, layout.form != "sharegpt"
    if looks and key not in record:
        key = "messages"
    items = _part(reading, record, key, list)
    if items is None:
        return reading.done("conversation")
    if not items:
        reading.error("missing_key", message("no_turn", key=key))
    if looks and not layout.tags and items and isinstance(items[0], Mapping) and "role" in items[0]:
        layout = layout.as_openai
    turns = _turns(reading, items, key, layout)
    _require_order(reading, turns, layout)
    said = {turn.role: turn.text for turn in reversed(turns)}  # the first of each role
    return reading.done(
        "conversation",
        question=said.get(layout.tag("user_tag")),
        answer=said.get(layout.tag("assistant_tag")),
        system=said.get(layout.tag("system_tag")) or _system(record, layout),
        extra={name: value for name, value in record.items() if name not in (key, layout.column("system"))},
    )


def _turns(reading: _Row, items: Sequence[Any], key: str, layout: Layout) -> list[_Turn]:
    """The turns that can be read; the others become problems."""
    role_key, text_key = layout.tag("role_tag"), layout.tag("content_tag")
    roles = layout.roles
    turns = []
    for position, item in enumerate(items):
        if not isinstance(item, Mapping):
            reading.error(
                "wrong_type",
                message("turn_is_no_object", turn=position + 1, found=type(item).__name__),
                item,
            )
            continue
        role = _part(reading, item, role_key, str)
        text = _part(reading, item, text_key, str)
        if role is None or text is None:
            continue
        if role not in roles:
            reading.error(
                "unknown_role",
                message(
                    "unknown_role",
                    role=role[:200],
                    user=layout.tag("user_tag"),
                    assistant=layout.tag("assistant_tag"),
                ),
                role,
            )
            continue
        thought = item.get("reasoning_content")
        if isinstance(thought, str) and role == layout.tag("assistant_tag"):
            text = write_answer(thought, text)
        turns.append(_Turn(role=role, text=text))
    return turns


def _require_order(reading: _Row, turns: Sequence[_Turn], layout: Layout) -> None:
    """An optional system turn, then human and gpt in turns, gpt last: else LLaMA-Factory drops the row."""
    if reading.problems:
        return  # a turn that could not be read leaves a gap, and one cause is enough
    spoken = [turn.role for turn in turns]
    system = layout.tag("system_tag")
    if spoken[:1] == [system]:
        spoken = spoken[1:]
    expected = [layout.tag("user_tag"), layout.tag("assistant_tag")]
    alternates = all(role == expected[i % 2] for i, role in enumerate(spoken))
    found = " → ".join(spoken)
    if system in spoken:
        reading.error("system_misplaced", message("system_misplaced", order=found), found)
    elif not spoken or (alternates and len(spoken) % 2):
        reading.error("odd_turns", message("odd_turns", count=len(spoken)), found)
    elif not alternates:
        reason = message("role_order", order=found, expected=" → ".join(expected))
        reading.error("role_order", reason, found)
    elif len(spoken) > 2:
        reading.more_turns(len(spoken) // 2)


def _read_instruction(reading: _Row, record: Mapping[str, Any], layout: Layout) -> RawRow:
    """Alpaca: where there is an input, it is the title and the instruction its prefix."""
    prompt, query, response = layout.column("prompt"), layout.column("query"), layout.response
    instruction = _part(reading, record, prompt, str) if prompt else ""
    answer = _part(reading, record, response, str)
    title = (_part(reading, record, query, str) or "").strip() if query and record.get(query) else ""
    history = layout.column("history")
    _count_history(reading, record.get(history) if history else None)
    used = {prompt, query, response, history, layout.column("system")}
    return reading.done(
        "conversation",
        question=f"{instruction}\n{title}" if title and instruction else title or instruction,
        title=title or None,
        answer=answer,
        system=_system(record, layout),
        extra={name: value for name, value in record.items() if name not in used},
    )


def _count_history(reading: _Row, history: Any) -> None:
    """Earlier turns of an Alpaca row: pairs of question and answer, else LLaMA-Factory dies of the row."""
    if not history:
        return
    pairs = history if isinstance(history, list) else [history]
    if all(isinstance(pair, list) and [type(text) for text in pair] == [str, str] for pair in pairs):
        return reading.more_turns(len(pairs) + 1, used="last")
    reading.error(
        "wrong_type",
        message("history_is_no_pairs", found=f"{history!r:.60}"),
        history,
    )


def _system(record: Mapping[str, Any], layout: Layout) -> str | None:
    """What a column of its own says before the conversation."""
    column = layout.column("system")
    system = record.get(column) if column else None
    return system if isinstance(system, str) and system else None


def _read_cells(reading: _Row, record: Mapping[str, Any], table: Columns) -> RawRow:
    """A table row or an object with a title, and perhaps a category, a chain, a source and a date."""
    names = [str(column) for column in record]
    columns = table.among(names)
    if columns.title is None:
        reading.error(
            "missing_key",
            message("no_conversation_or_title", keys=names[:8]),
        )
        return reading.done("title")
    title = _part(reading, record, columns.title, str)
    category, chain = _cell(record, columns.category), _cell(record, columns.chain)
    return reading.done(
        "title",
        title=title,
        answer=write_answer(chain, category) if chain else category or None,
        source=_cell(record, columns.source) or None,
        date=_cell(record, columns.date) or None,
    )


def _cell(record: Mapping[str, Any], column: str | None) -> str:
    value = None if column is None else record.get(column)
    return "" if value is None else str(value).strip()


_Wanted = TypeVar("_Wanted", str, list[Any])


def _part(reading: _Row, record: Mapping[str, Any], key: str, wanted: type[_Wanted]) -> _Wanted | None:
    """record[key] if it is there and of the wanted type; else a problem, and None."""
    if key not in record:
        reading.error(
            "missing_key",
            message("key_missing", key=key, keys=[str(name) for name in list(record)[:8]]),
        )
        return None
    value = record[key]
    if value is None:
        reading.error("null_value", message("value_is_null", key=key))
        return None
    if not isinstance(value, wanted):
        code = "value_is_no_text" if wanted is str else "value_is_no_list"
        reading.error("wrong_type", message(code, key=key, found=f"{value!r:.60}"), value)
        return None
    return value
