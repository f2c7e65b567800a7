"""Parse conversations: a list of turns as ShareGPT and OpenAI write it, or Alpaca's columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.formats._pairs import as_turns
from studio.formats._row_parser import RawRow, RowParser, part, system_of
from studio.formats.layouts import Layout
from studio.formats.values import content_text
from studio.messages import message
from studio.samples.canonical import write_answer


@dataclass(frozen=True, kw_only=True, slots=True)
class _Turn:
    role: str
    text: str


def read_turns(parser: RowParser, record: Mapping[str, Any], layout: Layout) -> RawRow:
    """Parse a list of turns; unless an entry declares ShareGPT, OpenAI's layout is detected."""
    key, detects_openai = layout.messages, layout.form != "sharegpt"
    if detects_openai and key not in record:
        key = "messages"
    items = part(parser, record, key, list)
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
    return _conversation(parser, items, layout, system_of(record, layout), extra)


def _is_turn(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) >= 2


def _conversation(
    parser: RowParser, items: Sequence[Any], layout: Layout, system: str | None, extra: Mapping[str, Any]
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


def _turns(parser: RowParser, items: Sequence[Any], layout: Layout) -> list[_Turn]:
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
        role = part(parser, item, role_key, str)
        if isinstance(item.get(text_key), list):
            item = {**item, text_key: content_text(item[text_key])}
        text = part(parser, item, text_key, str)
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


def _require_order(parser: RowParser, turns: Sequence[_Turn], layout: Layout) -> None:
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


def read_instruction(parser: RowParser, record: Mapping[str, Any], layout: Layout) -> RawRow:
    """Parse an Alpaca row: its input, if any, is the title and the instruction its prefix."""
    prompt, query, response = layout.column("prompt"), layout.column("query"), layout.response
    instruction = part(parser, record, prompt, str) if prompt else ""
    if response not in record and isinstance(record.get("chosen"), str):
        response = "chosen"  # LLaMA-Factory's ranking data
    answer = part(parser, record, response, str)
    title = (part(parser, record, query, str) or "").strip() if query and record.get(query) else ""
    history = layout.column("history")
    _count_history(parser, record.get(history) if history else None)
    used = {prompt, query, response, history, layout.column("system"), "rejected"}
    question = f"{instruction}\n{title}" if title and instruction else title or instruction
    system = system_of(record, layout)
    pairs = record.get(history) if history else None
    return parser.done(
        "conversation",
        question=question,
        title=title or None,
        answer=answer,
        system=system,
        turns=as_turns(system, pairs, question, answer),
        extra={name: value for name, value in record.items() if name not in used},
    )


def _count_history(parser: RowParser, history: Any) -> None:
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
