"""Clean a title's text, and normalize it to the key that duplicates share.

Pure: this module knows no store and no file.
"""

import re
import unicodedata
from typing import Literal

Split = Literal["train", "eval"]


def split_lines(text: str) -> list[str]:
    """Split pasted text at line breaks, and at nothing else.

    `str.splitlines` also splits at U+2028, U+0085 and vertical tabs, which web pages leave inside a title.
    """
    return re.split(r"\r\n|\n|\r", text)


def clean_title(text: str) -> str:
    """Clean a title to one line: collapse white space, remove control and direction marks.

    Characters that this Python's Unicode tables do not know stay: the characters of rare names
    are private in older Chinese encodings, and come late in Unicode.
    """
    if text.isprintable():  # the common case: neither control characters nor any space but the plain one
        return " ".join(text.split())
    text = _STRAY_JOINER.sub("", text)
    visible = "".join(
        char
        for char in text
        if char.isspace() or char == _JOINER or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
    )
    return " ".join(visible.split())


_JOINER = "\u200d"
_STRAY_JOINER = re.compile(
    "(?<![\ufe0f\u2640-\u27bf\U0001f300-\U0001faff])\u200d|\u200d(?![\u2640-\u27bf\U0001f300-\U0001faff])"
)
"""Only between two emoji does a joiner combine them into one; elsewhere it is invisible."""


def title_key(text: str) -> str:
    """Normalize a title to the key that duplicates share: no case, width, spaces or punctuation.

    Marks between digits and percent signs stay, since 3.5% is not 35.
    """
    folded = _compatible(text).casefold()
    return _PUNCTUATION.sub("", folded) or "".join(folded.split())


_PORTION = 1000


def _compatible(text: str) -> str:
    """Normalize to NFKC, a long text in portions: ordering a run of combining marks takes its square."""
    return "".join(
        unicodedata.normalize("NFKC", text[start : start + _PORTION])
        for start in range(0, len(text), _PORTION)
    )


_PUNCTUATION = re.compile(r"(?<!\d)[.,:/-]|[.,:/-](?!\d)|[^\w%‰+.,:/-]|_")
