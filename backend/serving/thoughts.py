"""Split an answer that begins inside the think chain into chain and answer, as its text arrives."""

from collections.abc import Iterable, Iterator

from studio.samples.canonical import CLOSE

THOUGHT_FIELD, ANSWER_FIELD = "reasoning_content", "content"


class ThoughtSplitter:
    """Splits text that comes in pieces.

    The closing tag may arrive in parts, so what could begin it, and the line breaks before it, is held back.

    Args:
        thinks: the text begins inside a think chain.
        bare: it is no answer with a form, but a text: all of it is kept as it is.
    """

    def __init__(self, *, thinks: bool = True, bare: bool = False) -> None:
        self.field = THOUGHT_FIELD if thinks else ANSWER_FIELD
        self.answered = bare
        self.held = ""

    def feed(self, text: str) -> list[tuple[str, str]]:
        """Take a piece; returns what is certain by now, each text with its field."""
        if self.field == ANSWER_FIELD:
            return self._answer(text)
        self.held += text
        thought, tag, rest = self.held.partition(CLOSE)
        if tag:
            self.field, self.held = ANSWER_FIELD, ""
            return [*_told(THOUGHT_FIELD, thought.rstrip("\n")), *self._answer(rest)]
        safe = len(self.held) - _could_begin_the_end(self.held)
        thought, self.held = self.held[:safe], self.held[safe:]
        return _told(THOUGHT_FIELD, thought)

    def end(self) -> list[tuple[str, str]]:
        """Tell what was held back: no more text comes."""
        held, self.held = self.held, ""
        return _told(THOUGHT_FIELD, held)

    def _answer(self, text: str) -> list[tuple[str, str]]:
        text = text if self.answered else text.lstrip("\n")
        self.answered = self.answered or bool(text)
        return _told(ANSWER_FIELD, text)


def _told(field: str, text: str) -> list[tuple[str, str]]:
    return [(field, text)] if text else []


def _could_begin_the_end(text: str) -> int:
    """Count the characters at the end that may be a line break and the beginning of the closing tag."""
    for length in range(len(CLOSE) - 1, 0, -1):
        if text.endswith(CLOSE[:length]):
            break
    else:
        length = 0
    before = text[: len(text) - length]
    return length + len(before) - len(before.rstrip("\n"))


def split_thought(pieces: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Split all pieces of an answer."""
    splitter = ThoughtSplitter()
    for piece in pieces:
        yield from splitter.feed(piece)
    yield from splitter.end()
