"""Write conversations in the canonical ShareGPT layout.

Pure: this module knows no store, no folder and no scheme.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from studio.formats.layouts import DEFAULT_COLUMNS, DEFAULT_TAGS


def conversation(question: str, answer: str, system: str | None = None) -> list[dict[str, str]]:
    """Build the turns of a sample in ShareGPT layout."""
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return turns if system is None else [{"from": "system", "value": system}, *turns]


def conversation_of_turns(turns: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Build the turns of a sample in ShareGPT layout from roles and texts."""
    return [{"from": _NAMES[role], "value": text} for role, text in turns]


_NAMES = {
    "user": DEFAULT_TAGS["user_tag"],
    "assistant": DEFAULT_TAGS["assistant_tag"],
    "system": DEFAULT_TAGS["system_tag"],
    "observation": DEFAULT_TAGS["observation_tag"],
    "function": DEFAULT_TAGS["function_tag"],
}


def is_canonical(record: object) -> bool:
    """Return whether a record already is a sample in ShareGPT layout, with nothing but text in its turns."""
    turns = record.get(DEFAULT_COLUMNS["messages"]) if isinstance(record, Mapping) else None
    return (
        isinstance(turns, list)
        and bool(turns)
        and all(
            isinstance(turn, Mapping)
            and turn.get("from") in _NAMES.values()
            and isinstance(turn.get("value"), str)
            for turn in turns
        )
    )


def canonical_blocks() -> dict[str, Any]:
    """Build the blocks that describe a canonical file in dataset_info.json; nothing is left to defaults.

    LLaMA-Factory turns every key that a present block omits into None, so all tags are
    written; a column that no row has is a KeyError there, so only `messages` is.
    """
    return {
        "formatting": "sharegpt",
        "columns": {"messages": DEFAULT_COLUMNS["messages"]},
        "tags": dict(DEFAULT_TAGS),
    }


def json_bytes(value: Any) -> bytes:
    """Serialize JSON as this project writes it: UTF-8, indented by two, Chinese readable."""
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
