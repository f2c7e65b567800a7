"""Two languages for everything a person reads: Chinese first, English beside it.

Both texts are written where they are used, so that neither can be forgotten or drift
away from the code. This module knows no page and no command.
"""

from contextvars import ContextVar
from typing import Literal, get_args

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

current_language: ContextVar[Language] = ContextVar("current_language", default="zh")


def say(zh: str, en: str) -> str:
    """Choose the text in the language of the current page run or command."""
    return zh if current_language.get() == "zh" else en
