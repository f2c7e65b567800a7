"""Parse a question and its answer: under keys of their own, or as elements of a conversation."""

from collections.abc import Mapping
from typing import Any

from studio.formats._row_parser import RawRow, RowParser, part
from studio.formats.layouts import Layout, Pair
from studio.formats.values import content_text, lookup
from studio.messages import message
from studio.samples.canonical import write_answer


def read_pair(parser: RowParser, record: Mapping[str, Any], layout: Layout) -> RawRow:
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
        question = part(parser, record, keys.question, str)
        answer = part(parser, record, keys.answer, str)
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
    complete = as_turns(system, record.get("history"), question, answer)
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


def read_turn_pairs(parser: RowParser, record: Mapping[str, Any], layout: Layout) -> RawRow:
    """Parse a conversation whose elements are pairs of question and answer, as MOSS and XTuner write it."""
    items = part(parser, record, "conversation", list) or []
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


def as_turns(
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
