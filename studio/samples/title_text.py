"""Clean a title's text, and normalize it to the key that duplicates share.

Pure: this module knows no store and no file.
"""

import html
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


def unescape_html(text: str) -> str:
    """Decode HTML entities and drop the tags of running text, as crawlers and search pages leave them.

    Only entities that end in a semicolon, and only tags that mark up words: `<script>` in a title is
    part of it. A text that was escaped twice is decoded twice.
    """
    if "&" not in text and "<" not in text:
        return text
    decoded = _ENTITY.sub(lambda match: html.unescape(match.group()), text)
    if decoded != text:
        decoded = _ENTITY.sub(lambda match: html.unescape(match.group()), decoded)
    return _BREAK.sub(" ", _TAG.sub("", decoded))


_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_TAG = re.compile(
    r"</?(?:em|b|strong|i|u|s|span|font|mark|a|sup|sub|small|big|p|h[1-6]|div)(?:\s[^<>]{0,300})?/?>",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<br\s{0,10}/?>", re.IGNORECASE)


def title_key(text: str) -> str:
    """Normalize a title to the key that duplicates share: no case, width, spaces or punctuation.

    Signs that carry meaning stay: 3.5% is not 35, -5℃ not 5℃, C# not C, *ST not ST, $5 not 5.
    """
    folded = compatible(text).casefold()
    return _PUNCTUATION.sub("", folded.replace("\u2212", "-")) or "".join(folded.split())


_PORTION = 1000


def compatible(text: str) -> str:
    """Normalize to NFKC, a long text in portions: ordering a run of combining marks takes its square."""
    if len(text) <= _PORTION:
        return unicodedata.normalize("NFKC", text)
    return "".join(
        unicodedata.normalize("NFKC", text[start : start + _PORTION])
        for start in range(0, len(text), _PORTION)
    )


_PUNCTUATION = re.compile(
    r"(?=[\W_])(?:"  # letters, most of any title, are passed over at once
    r"(?<!\d)[.,:/]|[.,:/](?!\d)"  # between digits only
    r"|-(?!\d)|(?<=[a-z])-"  # a minus before a digit, but not the hyphen of covid-19
    r"|(?<![a-z])#(?!\d)"  # c#, #1; not the hashes around a topic
    r"|\*(?![a-z])|(?<=\w)\*"  # *ST before a share, no other star
    r"|(?<![0-9a-z])&|&(?![0-9a-z])"  # a&b
    r"|[^\w%‰+.,:/\-#*&$€£¥₩₽¢±×÷≠≤≥<>√°↑↓]|_"
    r"|(?<!\d)[<>](?!\d))"  # signs beside numbers; elsewhere they bracket a name
)


_MARK = re.compile(r"</?think>|<\|[A-Za-z_]{1,30}\|>|<｜[^｜<>]{1,30}｜>|</?s>|\[/?INST\]")


def find_marks(title: str) -> list[str]:
    """Find text that models use as marks, such as `<|im_end|>` or `<think>`."""
    return _MARK.findall(title)
