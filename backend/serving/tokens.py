"""Show single tokens: their text and bytes, and which field of an answer each belongs to."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from transformers import PreTrainedTokenizerBase

from backend.engine.requests import TokenLogprob
from studio.samples.canonical import CLOSE

_WINDOW = 16
"""More tokens than the closing tag can have."""


class TokenTexts:
    """The text and the bytes of each token, which may be part of a character; `hidden` ones are not shown."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, hidden: Iterable[int] = ()) -> None:
        self.tokenizer = tokenizer
        self.hidden = frozenset(hidden)
        self.marks = {token: str(mark) for token, mark in tokenizer.added_tokens_decoder.items()}
        self.of_byte_symbol = _byte_symbols() if _is_byte_level(tokenizer) else None

    def bytes_of(self, token: int) -> bytes:
        """Return the bytes of a token."""
        if token in self.marks:
            return self.marks[token].encode()
        piece = self.tokenizer.convert_ids_to_tokens(token)
        if not isinstance(piece, str):
            return b""
        if self.of_byte_symbol is not None and all(symbol in self.of_byte_symbol for symbol in piece):
            return bytes(self.of_byte_symbol[symbol] for symbol in piece)
        if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
            return bytes([int(piece[3:5], 16)])
        return piece.replace("▁", " ").encode()

    def text_of(self, token: int) -> str:
        """Return the text of a token; parts of a character are shown as escaped bytes."""
        return self.bytes_of(token).decode(errors="backslashreplace")

    def decode(self, tokens: Iterable[int]) -> str:
        """Decode tokens to text, marks included."""
        return b"".join(self.bytes_of(token) for token in tokens).decode(errors="replace")


class Logprobs:
    """The log probabilities of an answer, those of the thought apart from those of the answer.

    As DeepSeek's API does: `logprobs.content` has the tokens of `content`, `logprobs.reasoning_content`
    those of the thought. The closing tag and the line breaks around it belong to neither.
    """

    def __init__(self, texts: TokenTexts, *, thinks: bool, bare: bool = False) -> None:
        self.texts = texts
        self.field = "reasoning_content" if thinks else "content"
        self.begun = bare
        self.recent: list[int] = []

    def feed(self, logprobs: Iterable[TokenLogprob]) -> dict[str, list[dict[str, Any]]]:
        """Sort the tokens that came into their fields."""
        sorted_: dict[str, list[dict[str, Any]]] = {}
        for one in logprobs:
            if one.token in self.texts.hidden:
                continue
            if self.field == "reasoning_content":
                self.recent = [*self.recent[-_WINDOW:], one.token]
                tail = self.texts.decode(self.recent)
                if CLOSE in tail:
                    self.field = "content"
                    continue
            elif not self.begun and not self.texts.text_of(one.token).strip("\n"):
                continue
            else:
                self.begun = True
            sorted_.setdefault(self.field, []).append(self.entry(one))
        return sorted_

    def entry(self, one: TokenLogprob) -> dict[str, Any]:
        """Write a token as OpenAI does."""
        top = [self._token(token, value) for token, value in one.top]
        return {**self._token(one.token, one.logprob), "top_logprobs": top}

    def _token(self, token: int, logprob: float) -> dict[str, Any]:
        # JSON has no infinity; so does OpenAI write what is all but impossible.
        value = max(logprob, -9999.0)
        return {
            "token": self.texts.text_of(token),
            "logprob": value,
            "bytes": list(self.texts.bytes_of(token)),
        }


def _is_byte_level(tokenizer: PreTrainedTokenizerBase) -> bool:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend is not None and "ByteLevel" in repr(backend.decoder)


@lru_cache(maxsize=1)
def _byte_symbols() -> dict[str, int]:
    """Map the printable symbols of byte-level tokenizers to their bytes (GPT-2's table)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    symbols = {chr(byte): byte for byte in printable}
    return symbols | {chr(256 + index): byte for index, byte in enumerate(others)}
