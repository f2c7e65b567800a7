"""Parse a raw record into question and answer: ShareGPT, Alpaca, OpenAI, table row, title.

What cannot be parsed is kept as a problem of the row, in terms of what LLaMA-Factory
would do with it; nothing is repaired and no label is validated here. This module knows
no file and no category.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, TypeVar

from studio.formats._tool_exports import (
    read_argilla,
    read_label_studio,
    read_prodigy,
    refusal,
    status_columns,
)
from studio.formats.columns import Columns
from studio.formats.faulty import FaultyRecord
from studio.formats.layouts import Layout, Pair, resolved_columns
from studio.formats.values import FORMULA, content_text, is_missing, label_text, lookup
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


def read_row(record: Any, layout: Layout, *, file: str, row: int, split: Split | None) -> RawRow:
    """Parse one record by its layout; its problems come with the row."""
    parser = _RowParser(record, file, row, split)
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


def _read_faulty(parser: _RowParser, record: FaultyRecord, layout: Layout) -> RawRow:
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


def _read_task(parser: _RowParser, record: Mapping[str, Any], layout: Layout) -> RawRow:
    """Parse a row of a labelling tool: a title, and the label that people agreed on."""
    if layout.form == "label-studio":
        if not isinstance(record.get("data"), Mapping):
            return _read_cells(parser, record, layout)  # the flat export of the same tool
        found = read_label_studio(record, layout.control)
    elif layout.form == "prodigy":
        found = read_prodigy(record)
    else:
        found = read_argilla(record, layout.control)
    if found.set_aside is not None:
        parser.set_aside(found.set_aside)
    title = _title(parser, found.title, "text")
    return parser.done("title", title=title, answer=found.label)


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
    used = (key, layout.column("system"), "chosen", "rejected")
    if "chosen" in record and items and _is_turn(record["chosen"]):
        # LLaMA-Factory's ranking data: the answer that was chosen ends the conversation.
        items = [*items, record["chosen"]]
    extra = {name: value for name, value in record.items() if name not in used}
    return _conversation(parser, items, layout, _system(record, layout), extra)


def _is_turn(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) >= 2


def _conversation(
    parser: _RowParser, items: Sequence[Any], layout: Layout, system: str | None, extra: Mapping[str, Any]
) -> RawRow:
    turns = _turns(parser, items, layout)
    _require_order(parser, turns, layout)
    texts = {turn.role: turn.text for turn in reversed(turns)}  # the first of each role
    system = texts.get(layout.tag("system_tag")) or system
    said = [(_ROLES[layout.role_kinds[turn.role]], turn.text) for turn in turns]
    spoken = [(role, text) for role, text in said if role != "system"]
    return parser.done(
        "conversation",
        question=texts.get(layout.tag("user_tag")),
        answer=texts.get(layout.tag("assistant_tag")),
        system=system,
        turns=(*((("system", system),) if system else ()), *spoken),
        extra=extra,
    )


_ROLES = {
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
    "observation_tag": "observation",
    "function_tag": "function",
}
_THOUGHT_KEYS = ("reasoning_content", "reasoning", "thinking")
"""Keys under which a turn keeps its thought apart: DeepSeek's and OpenRouter's replies, gpt-oss."""


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
        if isinstance(item.get(text_key), list):
            item = {**item, text_key: content_text(item[text_key])}
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
        thought = next((item[key] for key in _THOUGHT_KEYS if isinstance(item.get(key), str)), "")
        if thought and role == layout.tag("assistant_tag") and "</think>" not in text:
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
    if response not in record and isinstance(record.get("chosen"), str):
        response = "chosen"  # LLaMA-Factory's ranking data
    answer = _part(parser, record, response, str)
    title = (_part(parser, record, query, str) or "").strip() if query and record.get(query) else ""
    history = layout.column("history")
    _count_history(parser, record.get(history) if history else None)
    used = {prompt, query, response, history, layout.column("system"), "rejected"}
    question = f"{instruction}\n{title}" if title and instruction else title or instruction
    system = _system(record, layout)
    pairs = record.get(history) if history else None
    return parser.done(
        "conversation",
        question=question,
        title=title or None,
        answer=answer,
        system=system,
        turns=_as_turns(system, pairs, question, answer),
        extra={name: value for name, value in record.items() if name not in used},
    )


def _as_turns(
    system: str | None, history: Any, question: str | None, answer: str | None
) -> tuple[tuple[str, str], ...]:
    """List all turns of a row that keeps its earlier ones as pairs."""
    turns = [("system", system)] if system else []
    if isinstance(history, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in history):
        for asked, answered in history:
            turns += [("user", str(asked)), ("assistant", str(answered))]
    if question is not None and answer is not None:
        turns += [("user", question), ("assistant", answer)]
    return tuple(turns)


def _read_pair(parser: _RowParser, record: Mapping[str, Any], layout: Layout) -> RawRow:
    """Parse a question and its answer under keys of their own, each as text or as messages."""
    keys = layout.pair or Pair(question="prompt", answer="completion")
    asked, answered = _messages(record.get(keys.question)), _messages(record.get(keys.answer))
    thought = lookup(record, keys.thought) if keys.thought else None
    if answered and answered[0][0] == "user":
        # A preference with the question inside both answers.
        asked = []
    used = {keys.question, keys.answer, keys.thought, keys.verdict, "rejected", "system", "history"}
    extra = {name: value for name, value in record.items() if name not in used}
    if not asked and not answered:
        question = _part(parser, record, keys.question, str)
        answer = _part(parser, record, keys.answer, str)
        turns: list[tuple[str, str]] = []
    else:
        turns = [
            *(asked or _said("user", record.get(keys.question))),
            *(answered or _said("assistant", record.get(keys.answer))),
        ]
        question = next((text for role, text in turns if role == "user"), None)
        answer = next((text for role, text in turns if role == "assistant"), None)
        if question is None or answer is None:
            parser.error(
                "missing_key", message("no_turn", key=keys.question if question is None else keys.answer)
            )
    if answer is not None and isinstance(thought, str) and thought.strip() and "</think>" not in answer:
        answer = write_answer(
            thought.strip().removeprefix("<think>").removesuffix("</think>"), answer.strip()
        )
        turns = [*turns[:-1], ("assistant", answer)] if turns else turns
    verdict = record.get(keys.verdict) if keys.verdict else None
    if verdict is False or (isinstance(verdict, str) and verdict.strip().lower() == "false"):
        parser.set_aside(message("label_set_aside", column=str(keys.verdict), word=str(verdict)))
        answer, turns = None, []
    system = record.get("system")
    system = system if isinstance(system, str) and system.strip() else None
    system = next((text for role, text in turns if role == "system"), system)
    spoken = [turn for turn in turns if turn[0] != "system"]
    complete = _as_turns(system, record.get("history"), question, answer)
    return parser.done(
        "conversation",
        question=question,
        answer=answer,
        system=system,
        turns=((("system", system),) if system else ()) + tuple(spoken) if spoken else complete,
        extra=extra,
    )


def _messages(value: Any) -> list[tuple[str, str]]:
    """Parse a list of messages, as conversational data sets have in place of text."""
    if not isinstance(value, list) or not value or not all(isinstance(item, Mapping) for item in value):
        return []
    turns = []
    for item in value:
        role = str(item.get("role", item.get("from", "")))
        text = content_text(item.get("content", item.get("value")))
        if isinstance(text, str):
            turns.append(({"human": "user", "gpt": "assistant"}.get(role, role), text))
    return turns


def _said(role: str, value: Any) -> list[tuple[str, str]]:
    text = content_text(value)
    return [(role, text)] if isinstance(text, str) else []


_ASKED = ("human", "user", "input", "question", "prompt", "instruction", "q")
_ANSWERED = ("assistant", "output", "answer", "response", "bot", "gpt", "a")


def _read_turn_pairs(parser: _RowParser, record: Mapping[str, Any], layout: Layout) -> RawRow:
    """Parse a conversation whose elements are pairs of question and answer, as MOSS and XTuner write it."""
    items = _part(parser, record, "conversation", list) or []
    system, turns = None, []
    for item in items:
        asked = next((item[key] for key in _ASKED if isinstance(item.get(key), str)), None)
        answered = next((item[key] for key in _ANSWERED if isinstance(item.get(key), str)), None)
        if asked is None or answered is None:
            parser.error("missing_key", message("no_turn", key="conversation"))
            break
        system = system or (item.get("system") if isinstance(item.get("system"), str) else None)
        turns += [("user", asked), ("assistant", answered)]
    if len(turns) > 2:
        parser.more_turns(len(turns) // 2)
    return parser.done(
        "conversation",
        question=turns[0][1] if turns else None,
        answer=turns[1][1] if turns else None,
        system=system,
        turns=(*((("system", system),) if system else ()), *turns),
        extra={name: value for name, value in record.items() if name != "conversation"},
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


def _read_cells(parser: _RowParser, record: Mapping[str, Any], layout: Layout) -> RawRow:
    """Parse a table row or an object: a title, optionally a category, a chain, a source and a date."""
    names = tuple(map(str, record))
    columns = resolved_columns(layout.table, layout.inferred, names)
    if columns.title is None:
        parser.error(
            "missing_key",
            message("no_conversation_or_title", keys=list(map(str, record))[:8]),
        )
        return parser.done("title")
    title = _title(
        parser, lookup(record, columns.title), columns.title, is_there=_is_there(record, columns.title)
    )
    category = _label(record, columns.category, layout)
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


def _title(parser: _RowParser, value: Any, key: str, *, is_there: bool = True) -> str | None:
    """Read a title: text, or a list of one text; whatever else is a problem of the row."""
    if not is_there:
        return _part(parser, {}, key, str)
    value = content_text(value)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str) and value.strip() == FORMULA:
        parser.error("empty_title", message("title_is_formula"))
        return None
    if is_missing(value):
        return "" if isinstance(value, str) else _part(parser, {key: None}, key, str)
    title = _part(parser, {key: value}, key, str)
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


_PARSERS: Mapping[str, Callable[[_RowParser, Mapping[str, Any], Layout], RawRow]] = {
    "sharegpt": _read_turns,
    "openai": _read_turns,
    "alpaca": _read_instruction,
    "pair": _read_pair,
    "preference": _read_pair,
    "turn_pairs": _read_turn_pairs,
    "label-studio": _read_task,
    "prodigy": _read_task,
    "argilla": _read_task,
    "table": _read_cells,
}
