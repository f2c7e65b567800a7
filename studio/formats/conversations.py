"""Parse a raw record into question and answer: ShareGPT, Alpaca, OpenAI, table row, title.

What cannot be parsed is kept as a problem of the row, in terms of what LLaMA-Factory
would do with it; nothing is repaired and no label is validated here. This module knows
no file and no category.
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
    """A parsed row, before validation.

    `question` is the human turn, `answer` the gpt turn, `system` the system turn before
    them; `title` is set where the format itself keeps the title apart (a table column,
    Alpaca's input). A row without an answer is a plain title. `record` is the whole,
    `extra` what it has beside the conversation. `source` and `date` are copied verbatim
    from their columns.
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


class _RowParser:
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
    """Parse one record by its layout; its problems come with the row."""
    parser = _RowParser(record, file, row, split)
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
    if form in ("sharegpt", "openai"):
        return _read_turns(parser, record, layout)
    if form == "alpaca":
        return _read_instruction(parser, record, layout)
    return _read_cells(parser, record, layout.table)


def _form_of(record: Mapping[str, Any], table: Columns) -> Literal["sharegpt", "alpaca", "table"]:
    if table.title is not None:
        return "table"
    if "conversations" in record or "messages" in record:
        return "sharegpt"
    if "instruction" in record or "output" in record:
        return "alpaca"
    return "table"


def _read_turns(parser: _RowParser, record: Mapping[str, Any], layout: Layout) -> RawRow:
    """Parse a list of turns; unless an entry declares ShareGPT, OpenAI's layout is detected."""
    key, detects_openai = layout.messages, layout.form != "sharegpt"
    if detects_openai and key not in record:
        key = "messages"
    items = _part(parser, record, key, list)
    if items is None:
        return parser.done("conversation")
    if not items:
        parser.error("missing_key", message("no_turn", key=key))
    if detects_openai and not layout.tags and items and isinstance(items[0], Mapping) and "role" in items[0]:
        layout = layout.as_openai
    turns = _turns(parser, items, layout)
    _require_order(parser, turns, layout)
    texts = {turn.role: turn.text for turn in reversed(turns)}  # the first of each role
    return parser.done(
        "conversation",
        question=texts.get(layout.tag("user_tag")),
        answer=texts.get(layout.tag("assistant_tag")),
        system=texts.get(layout.tag("system_tag")) or _system(record, layout),
        extra={name: value for name, value in record.items() if name not in (key, layout.column("system"))},
    )


def _turns(parser: _RowParser, items: Sequence[Any], layout: Layout) -> list[_Turn]:
    """Parse the turns; those that cannot be parsed become problems."""
    role_key, text_key = layout.tag("role_tag"), layout.tag("content_tag")
    roles = layout.roles
    turns = []
    for position, item in enumerate(items):
        if not isinstance(item, Mapping):
            parser.error(
                "wrong_type",
                message("turn_is_no_object", turn=position + 1, found=type(item).__name__),
                item,
            )
            continue
        role = _part(parser, item, role_key, str)
        text = _part(parser, item, text_key, str)
        if role is None or text is None:
            continue
        if role not in roles:
            user, assistant = layout.tag("user_tag"), layout.tag("assistant_tag")
            parser.error(
                "unknown_role",
                message(
                    "unknown_role",
                    role=role[:200],
                    user=user,
                    assistant=assistant,
                ),
                role,
            )
            continue
        thought = item.get("reasoning_content")
        if isinstance(thought, str) and role == layout.tag("assistant_tag"):
            text = write_answer(thought, text)
        turns.append(_Turn(role=role, text=text))
    return turns


def _require_order(parser: _RowParser, turns: Sequence[_Turn], layout: Layout) -> None:
    """Require an optional system turn, then human and gpt alternating: LLaMA-Factory drops other rows."""
    if parser.problems:
        return  # a turn that could not be parsed leaves a gap, and one cause is enough
    spoken = [turn.role for turn in turns]
    system = layout.tag("system_tag")
    if spoken[:1] == [system]:
        spoken = spoken[1:]
    expected = [layout.tag("user_tag"), layout.tag("assistant_tag")]
    alternates = all(role == expected[i % 2] for i, role in enumerate(spoken))
    found = " → ".join(spoken)
    if system in spoken:
        parser.error("system_misplaced", message("system_misplaced", order=found), found)
    elif not spoken or (alternates and len(spoken) % 2):
        parser.error("odd_turns", message("odd_turns", count=len(spoken)), found)
    elif not alternates:
        reason = message("role_order", order=found, expected=" → ".join(expected))
        parser.error("role_order", reason, found)
    elif len(spoken) > 2:
        parser.more_turns(len(spoken) // 2)


def _read_instruction(parser: _RowParser, record: Mapping[str, Any], layout: Layout) -> RawRow:
    """Parse an Alpaca row: its input, if any, is the title and the instruction its prefix."""
    prompt, query, response = layout.column("prompt"), layout.column("query"), layout.response
    instruction = _part(parser, record, prompt, str) if prompt else ""
    answer = _part(parser, record, response, str)
    title = (_part(parser, record, query, str) or "").strip() if query and record.get(query) else ""
    history = layout.column("history")
    _count_history(parser, record.get(history) if history else None)
    used = {prompt, query, response, history, layout.column("system")}
    return parser.done(
        "conversation",
        question=f"{instruction}\n{title}" if title and instruction else title or instruction,
        title=title or None,
        answer=answer,
        system=_system(record, layout),
        extra={name: value for name, value in record.items() if name not in used},
    )


def _count_history(parser: _RowParser, history: Any) -> None:
    """Require that earlier turns of an Alpaca row are pairs of texts: LLaMA-Factory crashes on others."""
    if not history:
        return
    pairs = history if isinstance(history, list) else [history]
    if all(isinstance(pair, list) and [type(text) for text in pair] == [str, str] for pair in pairs):
        parser.more_turns(len(pairs) + 1, used="last")
        return
    parser.error(
        "wrong_type",
        message("history_is_no_pairs", found=f"{history!r:.60}"),
        history,
    )


def _system(record: Mapping[str, Any], layout: Layout) -> str | None:
    """Read the system text from a column of its own."""
    column = layout.column("system")
    system = record.get(column) if column else None
    return system if isinstance(system, str) and system else None


def _read_cells(parser: _RowParser, record: Mapping[str, Any], table: Columns) -> RawRow:
    """Parse a table row or an object: a title, optionally a category, a chain, a source and a date."""
    names = [str(column) for column in record]
    columns = table.among(names)
    if columns.title is None:
        parser.error(
            "missing_key",
            message("no_conversation_or_title", keys=names[:8]),
        )
        return parser.done("title")
    title = _part(parser, record, columns.title, str)
    category, chain = _cell(record, columns.category), _cell(record, columns.chain)
    return parser.done(
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


def _part(parser: _RowParser, record: Mapping[str, Any], key: str, wanted: type[_Wanted]) -> _Wanted | None:
    """Return record[key] if it is there and of the wanted type; else report a problem and return None."""
    if key not in record:
        parser.error(
            "missing_key",
            message("key_missing", key=key, keys=[str(name) for name in list(record)[:8]]),
        )
        return None
    value = record[key]
    if value is None:
        parser.error("null_value", message("value_is_null", key=key))
        return None
    if not isinstance(value, wanted):
        code = "value_is_no_text" if wanted is str else "value_is_no_list"
        parser.error("wrong_type", message(code, key=key, found=f"{value!r:.60}"), value)
        return None
    return value
