"""Turn tokens into text as they come: whole characters only, and nothing that may become a stop text."""

from typing import Any

BROKEN = "\ufffd"
"""What stands for the bytes of a character whose other bytes are still to come."""


class Detokenizer:
    """The text of one answer, piece by piece."""

    def __init__(self, tokenizer: Any, stop: tuple[str, ...] = ()) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(text for text in stop if text)
        self._ids: list[int] = []
        self._start = 0
        self._read = 0
        self._held = ""
        self.stopped = False

    def push(self, ids: list[int]) -> str:
        """Add tokens; return the text that will not change any more."""
        if self.stopped:
            return ""
        self._ids += ids
        return self._released(self._new_text(), last=False)

    def finish(self) -> str:
        """Return what was held back, since nothing comes after it."""
        if self.stopped:
            return ""
        rest = self._decode(self._start, len(self._ids))[len(self._decode(self._start, self._read)) :]
        self._read = len(self._ids)
        return self._released(rest, last=True)

    def _decode(self, start: int, end: int) -> str:
        text: str = self._tokenizer.decode(self._ids[start:end], skip_special_tokens=True)
        return text

    def _new_text(self) -> str:
        # From some tokens before, since a decoder may treat the first token of a text differently.
        before = self._decode(self._start, self._read)
        now = self._decode(self._start, len(self._ids))
        if len(now) <= len(before) or now.endswith(BROKEN):
            return ""
        self._start, self._read = self._read, len(self._ids)
        return now[len(before) :]

    def _released(self, text: str, *, last: bool) -> str:
        self._held += text
        places = [place for place in map(self._held.find, self._stop) if place >= 0]
        if places:
            self.stopped = True
            released, self._held = self._held[: min(places)], ""
            return released
        kept = 0 if last else self._possible_stop()
        cut = len(self._held) - kept
        released, self._held = self._held[:cut], self._held[cut:]
        return released

    def _possible_stop(self) -> int:
        """Count the last characters that a stop text may begin with."""
        longest = max((len(text) - 1 for text in self._stop), default=0)
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(text.startswith(self._held[-length:]) for text in self._stop):
                return length
        return 0
