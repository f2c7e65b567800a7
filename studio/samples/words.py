"""Segment Chinese text into words, each with where it is. Pure: knows no store."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a text: `text[start:end]`, in characters."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """Return the characters of the text that the span covers."""
        return text[self.start : self.end]

    def overlaps(self, other: "Span") -> bool:
        """Return whether the two share a character."""
        return self.start < other.end and other.start < self.end


def segment(text: str) -> list[str]:
    """Segment a text with jieba; the words joined are the text again, spaces and punctuation included."""
    return _segmenter()(text)


def word_spans(text: str) -> list[Span]:
    """Segment a text and return where its words are; what has neither letter nor digit is no word."""
    spans, start = [], 0
    for word in segment(text):
        if any(map(str.isalnum, word)):
            spans.append(Span(start, start + len(word)))
        start += len(word)
    return spans


@cache
def _segmenter() -> Callable[[str], list[str]]:
    # Imported here: its dictionary takes a second to load, and few processes segment.
    import jieba

    jieba.setLogLevel("ERROR")
    cut: Any = jieba.lcut
    return lambda text: [str(word) for word in cut(text)]
