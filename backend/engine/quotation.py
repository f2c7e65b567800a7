"""Have every quotation in a chain be a piece of the title.

Works on bytes, since a token may end in the middle of a character. A chain may still say anything
outside quotation marks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from backend.engine.constraints import Restriction

QUOTES = (("“", "”"), ("「", "」"), ("『", "』"))
"""Quotation marks that a chain may quote with, opening and closing."""

_MARKS = tuple((opening.encode(), closing.encode()) for opening, closing in QUOTES)


class TokenBytes:
    """The bytes that each token of a vocabulary stands for; marks such as the end token stand for none."""

    def __init__(self, tokenizer: Any, size: int) -> None:
        marks = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
        plain = _byte_alphabet()
        self.of: list[bytes] = []
        for token, piece in enumerate(tokenizer.convert_ids_to_tokens(range(min(size, len(tokenizer))))):
            self.of.append(b"" if token in marks or piece is None else _piece_bytes(piece, plain))
        self.of += [b""] * (size - len(self.of))

    @cached_property
    def by_bytes(self) -> dict[bytes, list[int]]:
        """Find the tokens that stand for some bytes."""
        found: dict[bytes, list[int]] = {}
        for token, piece in enumerate(self.of):
            if piece:
                found.setdefault(piece, []).append(token)
        return found

    @cached_property
    def longest(self) -> int:
        """Count the bytes of the longest token."""
        return max(map(len, self.of), default=0)

    @cached_property
    def plain_closers(self) -> dict[bytes, list[int]]:
        """Find the tokens that begin with a closing mark and open nothing behind it."""
        return {
            closing: [
                token
                for token, piece in enumerate(self.of)
                if piece.startswith(closing) and not any(opening in piece for opening, _ in _MARKS)
            ]
            for _, closing in _MARKS
        }

    @cached_property
    def closers(self) -> list[int]:
        """Find the other tokens that hold a closing mark or a part of one."""
        plain = {token for tokens in self.plain_closers.values() for token in tokens}
        return [
            token
            for token, piece in enumerate(self.of)
            if token not in plain
            and any(
                closing in piece
                or (piece and piece in closing)
                or any(
                    piece.endswith(closing[:k]) or piece.startswith(closing[k:])
                    for k in range(1, len(closing))
                )
                for _, closing in _MARKS
            )
        ]

    @cached_property
    def openers(self) -> list[int]:
        """Find the tokens that hold an opening mark and something behind it, or end what may be one."""
        return [
            token
            for token, piece in enumerate(self.of)
            if any(
                (opening in piece and not piece.endswith(opening))
                or any(piece.startswith(opening[k:]) for k in range(1, len(opening)))
                for opening, _ in _MARKS
            )
        ]


@dataclass(frozen=True)
class Quotation:
    """Has quotations inside the thought be pieces of a title."""

    title: str
    tokens: TokenBytes

    def start(self) -> Restriction:
        """Start before the first token."""
        return _QuotationRestriction(self.title.encode(), self.tokens)


@dataclass(frozen=True)
class _State:
    """What is quoted so far, with the mark that closes it; None: no quotation is open.

    `tail`: the last bytes outside a quotation, as far as an opening mark may begin with them.
    """

    quoted: bytes | None = None
    closing: bytes = b""
    tail: bytes = b""


class _QuotationRestriction:
    complete = False

    def __init__(self, title: bytes, tokens: TokenBytes) -> None:
        self._title = title
        self._tokens = tokens
        self._state = _State()
        self._banned: dict[bytes, Tensor | None] = {}
        self._starts = [place for place in range(len(title)) if title[place] & 0xC0 != 0x80]

    def allowed(self, inside: bool) -> Tensor | None:
        if not inside or self._state.quoted is None:
            return None
        closing = self._state.closing
        candidates = set(self._tokens.closers)
        for mark, tokens in self._tokens.plain_closers.items():
            if mark != closing:
                # The mark of another pair: text like any other, which the title may have.
                candidates.update(tokens)
        found = set(self._tokens.plain_closers[closing]) if self._is_piece(self._state.quoted) else set()
        for rest in self._continuations(self._state.quoted):
            for length in range(1, min(len(rest), self._tokens.longest) + 1):
                candidates.update(self._tokens.by_bytes.get(rest[:length], ()))
        found.update(token for token in candidates if self._after(self._tokens.of[token]) is not None)
        return torch.tensor(sorted(found))

    def banned(self, inside: bool) -> Tensor | None:
        if not inside or self._state.quoted is not None:
            return None
        tail = self._state.tail
        if tail not in self._banned:
            tokens = [token for token in self._tokens.openers if self._after(self._tokens.of[token]) is None]
            self._banned[tail] = torch.tensor(tokens) if tokens else None
        return self._banned[tail]

    def push(self, token: int, inside: bool) -> None:
        if inside:
            piece = self._tokens.of[token] if token < len(self._tokens.of) else b""
            # Closed from outside in the middle of a quotation: what follows is a new beginning.
            self._state = self._after(piece) or _State()

    def _continuations(self, quoted: bytes) -> list[bytes]:
        """Find what may follow a quotation in the title."""
        return [
            self._title[place + len(quoted) :]
            for place in self._starts
            if self._title.startswith(quoted, place)
        ]

    def _after(self, piece: bytes) -> _State | None:
        """Find the state after a token; None: it would quote what the title does not have."""
        state = self._state
        while piece:
            if state.quoted is None:
                text = state.tail + piece
                places = [
                    (place, opening, closing)
                    for opening, closing in _MARKS
                    if (place := text.find(opening)) >= 0
                ]
                if not places:
                    return _State(tail=_begun(text))
                place, opening, closing = min(places)
                piece, state = text[place + len(opening) :], _State(b"", closing)
                if not piece:
                    return state
                continue
            text = state.quoted + piece
            end = text.find(state.closing)
            if end >= 0:
                if not self._is_piece(text[:end]):
                    return None
                piece, state = text[end + len(state.closing) :], _State()
                continue
            return _State(text, state.closing) if self._may_go_on(text, state.closing) else None
        return state

    def _is_piece(self, quoted: bytes) -> bool:
        """Whether these are whole characters, and a piece of the title."""
        try:
            text = quoted.decode()
        except UnicodeDecodeError:
            return False
        return bool(text) and text in self._title.decode()

    def _may_go_on(self, text: bytes, closing: bytes) -> bool:
        if self._continuations(text):
            return True
        begun = next((k for k in range(len(closing) - 1, 0, -1) if text.endswith(closing[:k])), 0)
        return bool(begun) and self._is_piece(text[:-begun])


def _begun(text: bytes) -> bytes:
    """Return the last bytes of a text that an opening mark may begin with."""
    lengths = [k for k in (2, 1) if any(text.endswith(opening[:k]) for opening, _ in _MARKS)]
    return text[-lengths[0] :] if lengths else b""


def _byte_alphabet() -> dict[str, int]:
    """Map the characters of byte-level BPE to bytes (GPT-2's table)."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {
        chr(256 + place): byte for place, byte in enumerate(hidden)
    }


def _piece_bytes(piece: str, alphabet: dict[str, int]) -> bytes:
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])  # a byte of SentencePiece
    if all(char in alphabet for char in piece):
        return bytes(alphabet[char] for char in piece)
    return piece.replace("▁", " ").encode()


def quotations(texts: Sequence[str], titles: Sequence[str]) -> tuple[int, int]:
    """Count the quotations of chains that are in their titles, and all of them."""
    kept = total = 0
    for text, title in zip(texts, titles, strict=True):
        for opening, closing in QUOTES:
            for part in text.split(opening)[1:]:
                if closing in part:
                    total += 1
                    kept += part.partition(closing)[0] in title
    return kept, total
