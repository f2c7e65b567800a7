"""One raw record to a question and an answer: ShareGPT, Alpaca, OpenAI, table row, plain title.

What cannot be read is kept as a problem of the row, in the words of what
LLaMA-Factory would do with it; nothing is repaired and no label is judged here.
This module knows no file and no category.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from studio.columns import GUESSED, Columns
from studio.language import say
from studio.problems import Problem
from studio.sample import write_answer
from studio.titles import Split


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


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How an entry of dataset_info.json says its rows are built; `form` auto: look at the row.

    `table` is for rows that are no conversation: which of their columns hold what.
    """

    form: Literal["auto", "sharegpt", "alpaca"] = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    table: Columns = GUESSED

    def column(self, name: str) -> str:
        """The key under which rows keep `name`, LLaMA-Factory's default where none is given."""
        return self.columns.get(name) or DEFAULT_COLUMNS[name]

    def tag(self, name: str) -> str:
        """A role name or turn key, LLaMA-Factory's default where none is given."""
        return self.tags.get(name) or DEFAULT_TAGS[name]


DEFAULT_COLUMNS = {
    "messages": "conversations",
    "prompt": "instruction",
    "query": "input",
    "response": "output",
}
DEFAULT_TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}
OPENAI_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "tool",
    "function_tag": "function",
    "system_tag": "system",
}


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

    def error(self, code: str, message: str, found: object = None) -> None:
        shown = None if found is None else str(found)[:200]
        self.problems.append(
            Problem(file=self.file, row=self.row, code=code, severity="error", message=message, found=shown)
        )

    def more_turns(self, count: int) -> None:
        message = say(
            f"这一行有 {count} 问 {count} 答，只用第一问和第一答。",
            f"This row has {count} questions and answers; only the first are used.",
        )
        self.problems.append(
            Problem(file=self.file, row=self.row, code="more_turns", severity="warning", message=message)
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
    if isinstance(record, str):
        return reading.done("title", title=record)
    if not isinstance(record, Mapping):
        reading.error(
            "wrong_type",
            say(
                f"这一条是 {type(record).__name__}，应是对象或字符串。",
                f"This element is {type(record).__name__}, not an object or a string.",
            ),
            record,
        )
        return reading.done("conversation")
    form = layout.form if layout.form != "auto" else _form_of(record, layout.table)
    if form == "sharegpt":
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
    key = layout.column("messages")
    if layout.form == "auto" and key not in record:
        key = "messages"
    items = _part(reading, record, key, list)
    if items is None:
        return reading.done("conversation")
    if not items:
        reading.error("missing_key", say(f"“{key}”里没有一轮对话。", f"“{key}” holds no turn."))
    if layout.form == "auto" and items and isinstance(items[0], Mapping) and "role" in items[0]:
        layout = Layout(columns=layout.columns, tags=OPENAI_TAGS)
    turns = _turns(reading, items, key, layout)
    _require_order(reading, turns, layout)
    said = {turn.role: turn.text for turn in reversed(turns)}  # the first of each role
    return reading.done(
        "conversation",
        question=said.get(layout.tag("user_tag")),
        answer=said.get(layout.tag("assistant_tag")),
        system=said.get(layout.tag("system_tag")),
        extra={name: value for name, value in record.items() if name != key},
    )


def _turns(reading: _Row, items: Sequence[Any], key: str, layout: Layout) -> list[_Turn]:
    """The turns that can be read; the others become problems."""
    role_key, text_key = layout.tag("role_tag"), layout.tag("content_tag")
    roles = {layout.tag(tag) for tag in DEFAULT_TAGS if tag not in ("role_tag", "content_tag")}
    turns = []
    for position, item in enumerate(items):
        if not isinstance(item, Mapping):
            reading.error(
                "wrong_type",
                say(
                    f"第 {position + 1} 轮对话不是对象，而是 {type(item).__name__}。",
                    f"Turn {position + 1} is no object but {type(item).__name__}.",
                ),
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
                say(
                    f"不认识的角色“{role}”，应是 {layout.tag('user_tag')} 或 {layout.tag('assistant_tag')}。",
                    f"Unknown role “{role}”; expected {layout.tag('user_tag')} or {layout.tag('assistant_tag')}.",
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
    if spoken[:1] == [layout.tag("system_tag")]:
        spoken = spoken[1:]
    expected = [layout.tag("user_tag"), layout.tag("assistant_tag")]
    if not spoken or len(spoken) % 2 or any(role != expected[i % 2] for i, role in enumerate(spoken)):
        reading.error(
            "role_order",
            say(
                f"对话顺序是 {' → '.join(spoken)}，应是 {' → '.join(expected)}；训练时这一行会被丢弃。",
                f"The turns are {' → '.join(spoken)}, not {' → '.join(expected)}; training would drop the row.",
            ),
            " → ".join(spoken),
        )
    elif len(spoken) > 2:
        reading.more_turns(len(spoken) // 2)


def _read_instruction(reading: _Row, record: Mapping[str, Any], layout: Layout) -> RawRow:
    """Alpaca: where there is an input, it is the title and the instruction its prefix."""
    prompt, query, response = (layout.column(name) for name in ("prompt", "query", "response"))
    instruction = _part(reading, record, prompt, str)
    answer = _part(reading, record, response, str)
    title = (_part(reading, record, query, str) or "").strip() if record.get(query) else ""
    history, system = record.get("history"), record.get("system")
    if isinstance(history, list) and history:
        reading.more_turns(len(history) + 1)
    return reading.done(
        "conversation",
        question=f"{instruction}\n{title}" if title and instruction is not None else instruction,
        title=title or None,
        answer=answer,
        system=system if isinstance(system, str) and system else None,
        extra={
            name: value
            for name, value in record.items()
            if name not in (prompt, query, response, "system", "history")
        },
    )


def _read_cells(reading: _Row, record: Mapping[str, Any], table: Columns) -> RawRow:
    """A table row or an object with a title, and perhaps a category, a chain, a source and a date."""
    names = [str(column) for column in record]
    columns = table.among(names)
    if columns.title is None:
        reading.error(
            "missing_key",
            say(
                f"这一行既没有对话（conversations）也没有标题（title）；现有的键：{'、'.join(names[:8])}。",
                f"This row has neither conversations nor a title; its keys: {', '.join(names[:8])}.",
            ),
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
            say(
                f"缺少“{key}”；现有的键：{'、'.join(map(str, list(record)[:8]))}。",
                f"“{key}” is missing; there is: {', '.join(map(str, list(record)[:8]))}.",
            ),
        )
        return None
    value = record[key]
    if not isinstance(value, wanted):
        name = say("文字", "text") if wanted is str else say("列表", "a list")
        reading.error(
            "wrong_type",
            say(
                f"“{key}”应是{name}，这里是 {value!r:.60}。",
                f"“{key}” should be {name}; here it is {value!r:.60}.",
            ),
            value,
        )
        return None
    return value
