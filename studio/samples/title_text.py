"""Clean a title's text, and normalise it to the key that copies share.

Pure: this module knows no store and no file.
"""

import re
import unicodedata
from typing import Literal

Split = Literal["train", "eval"]


def clean_title(text: str) -> str:
    """A title on one line: runs of white space become one space, control and direction marks go.

    What this Python's Unicode tables do not know stays: the characters of rare names are
    private in older Chinese encodings, and come late in Unicode.
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
"""Only between two emoji does a joiner make one picture of them; elsewhere nobody sees it."""


def title_key(text: str) -> str:
    """What two copies of a title share: no case, width, spaces or punctuation.

    Marks between digits and percent signs stay, since 3.5% is not 35.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _UNHEARD.sub("", folded) or "".join(folded.split())


_UNHEARD = re.compile(r"(?<!\d)[.,:/-]|[.,:/-](?!\d)|[^\w%‰+.,:/-]|_")
