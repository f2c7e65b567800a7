"""Load the items of the bundled probe: 300 of our own, in Chinese. Pure but for that file."""

import hashlib
from functools import cache

from studio.contract import LETTERS, ProbeItem
from studio.samples.scheme import BUNDLED_DATA

PROBE = BUNDLED_DATA / "probe_300" / "probe.jsonl"


@cache
def probe_items() -> tuple[ProbeItem, ...]:
    """Load the bundled items, in their order."""
    lines = PROBE.read_text(encoding="utf-8").splitlines()
    return tuple(ProbeItem.model_validate_json(line) for line in lines)


def items_sha256(content: bytes) -> str:
    """Hash the items that were answered, so that answers to other ones are never taken for these."""
    return hashlib.sha256(content).hexdigest()


def question(item: ProbeItem) -> str:
    """Write what the model is asked: the prompt, with its choices and the form of the answer."""
    match item.kind:
        case "knowledge":
            lines = [f"{letter}. {text}" for letter, text in zip(LETTERS, item.choices, strict=True)]
            return "\n".join([item.prompt, *lines, "请只回答正确选项的字母。"])
        case "arithmetic":
            return f"{item.prompt}\n请只写出最后的数。"
        case _:
            return item.prompt
