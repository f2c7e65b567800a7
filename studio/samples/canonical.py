r"""Read and write the canonical sample: title as question, think chain and category as answer.

    human: 新闻分类：<title>
    gpt:   <think>\n<think chain>\n</think>\n\n<category>

This is the canonical form, and the only one that is written. Reading accepts what
the field produces and reports its form; it never guesses a label silently.
This module knows no file, no database and no model.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

OPEN, CLOSE = "<think>", "</think>"

Form = Literal["canonical", "inline", "opened_before", "unclosed", "repeated", "none"]
"""How the think block of an answer was written.

canonical: exactly as we write it. inline: one block, other white space.
opened_before: only `</think>`; the output began inside the thought.
unclosed: only `<think>`. repeated: more than one tag of a kind. none: no tag.
"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A parsed answer: its chain (None without a block), the text after it, its form."""

    chain: str | None
    label: str
    form: Form


def write_question(prompt: str, title: str) -> str:
    """Write the human turn for a title."""
    return f"{prompt}{title}"


def write_answer(chain: str, category: str) -> str:
    """Write the gpt turn in canonical form; an empty chain is written as an empty block."""
    return f"{OPEN}\n{chain.strip()}\n{CLOSE}\n\n{category}"


def read_question(text: str, prompt: str) -> tuple[str, bool]:
    """Parse a human turn; returns its title, and whether it had the canonical prefix."""
    stripped = text.strip()
    if stripped.startswith(prompt):
        return stripped[len(prompt) :].strip(), True
    return stripped, False


def read_answer(text: str) -> Answer:
    """Parse an answer, whatever its form."""
    opens, closes = text.count(OPEN), text.count(CLOSE)
    if opens > 1 or closes > 1:
        return Answer(chain=None, label=text.rpartition(CLOSE)[2].strip(), form="repeated")
    if opens == 0 and closes == 0:
        return Answer(chain=None, label=text.strip(), form="none")
    if closes == 0:
        return Answer(chain=text.partition(OPEN)[2].strip(), label="", form="unclosed")
    if opens == 0:
        chain, _, label = text.partition(CLOSE)
        return Answer(chain=chain.strip(), label=label.strip(), form="opened_before")
    before, _, rest = text.partition(OPEN)
    chain, _, label = rest.partition(CLOSE)
    if before.strip() or CLOSE in before:
        return Answer(chain=None, label=label.strip(), form="repeated")
    answer = Answer(chain=chain.strip(), label=label.strip(), form="inline")
    if text == write_answer(answer.chain or "", answer.label):
        return Answer(chain=answer.chain, label=answer.label, form="canonical")
    return answer


def split_thought(text: str) -> tuple[str, str]:
    """Split what a model wrote, complete or not, into its thought and its answer; either may be empty.

    The thought is what is before the closing tag, with or without an opening one, which templates write
    themselves; or all of it, where it was opened and never closed.
    """
    before, closing, after = text.partition(CLOSE)
    opened = before.lstrip()
    if not closing and not opened.startswith(OPEN):
        return "", text
    return opened.removeprefix(OPEN).strip(), after.lstrip()


def exact_category(label: str, names: Sequence[str]) -> str | None:
    """Match a label exactly, white space aside; None if it is no category."""
    stripped = label.strip()
    return stripped if stripped in names else None


def proposed_category(label: str, names: Sequence[str]) -> str | None:
    """Repair a faulty label where that is safe, for a person to confirm; None where it is not.

    Safe is only: quotes, brackets or a full stop around one category, the same
    category repeated and nothing else, or the word 类 behind it.
    """
    words = {_without_repetition(word.removesuffix("类"), names) for word in bare_words(label)}
    if len(words) == 1:
        (word,) = words
        return word if word in names else None
    return None


def _without_repetition(word: str, names: Sequence[str]) -> str:
    """Reduce a word that only repeats one name, as 体育体育 does, to that name."""
    return next((name for name in names if name and not word.replace(name, "")), word)


def bare_words(label: str) -> list[str]:
    """Split a label into words, without quotes, brackets and punctuation."""
    return re.sub(r"[\s\"'“”‘’「」『』【】《》()（）。.,，、:：*#/|;；]+", " ", label).split()
