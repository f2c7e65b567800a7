"""Two languages for everything a person reads: Chinese first, English beside it.

Both texts are written where they are used, so that neither can be forgotten or drift
away from the code. This module knows no page and no command.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, get_args

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

current_language: ContextVar[Language] = ContextVar("current_language", default="zh")


class Sentence(str):
    """A text in the language of whoever made it, which remembers the other: its reader may speak that one."""

    halves: Mapping[Language, str]

    def __new__(cls, halves: Mapping[Language, str]) -> "Sentence":
        """Be the half in the current language."""
        sentence = super().__new__(cls, halves[current_language.get()])
        sentence.halves = halves
        return sentence

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to another process whole."""
        return Sentence, (dict(self.halves),)


def say(zh: str, en: str, **parts: object) -> str:
    """Return the text in the language of the current page run or command.

    Args:
        zh: Chinese text.
        en: English text.
        parts: what fills the `{name}` fields of both, by `str.format`. A part that is a sentence itself
            goes here, not into an f-string: each half then gets the half of its own language.
    """
    if parts:
        zh = zh.format(**{name: half(part, "zh") for name, part in parts.items()})
        en = en.format(**{name: half(part, "en") for name, part in parts.items()})
    return Sentence({"zh": zh, "en": en})


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Have what is said inside the block be in that language, such as one half of a file in both."""
    before = current_language.set(language)
    try:
        yield
    finally:
        current_language.reset(before)


def half(text: object, language: Language | None = None) -> object:
    """Return a sentence in a language (default: the reader's), and anything else as it is."""
    return text.halves[language or current_language.get()] if isinstance(text, Sentence) else text


def packed(text: str) -> object:
    """Return what JSON keeps of a text: both halves of a sentence, anything else as it is."""
    return dict(text.halves) if isinstance(text, Sentence) else text


def unpacked(value: object) -> str:
    """Read what `packed` gave.

    Raises:
        ValueError: it is no text, nor one in two languages.
    """
    if isinstance(value, Mapping) and set(value) == set(LANGUAGES):
        return Sentence({language: str(value[language]) for language in LANGUAGES})
    if isinstance(value, str):
        return value
    raise ValueError("a text, or one in two languages: {zh, en}")
