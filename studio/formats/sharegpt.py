"""Write conversations in the canonical ShareGPT layout.

Pure: this module knows no store, no folder and no scheme.
"""

import json
from typing import Any

from studio.formats.layouts import DEFAULT_COLUMNS, DEFAULT_TAGS


def conversation(question: str, answer: str, system: str | None = None) -> list[dict[str, str]]:
    """Build the turns of a sample in ShareGPT layout."""
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return turns if system is None else [{"from": "system", "value": system}, *turns]


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
