"""Read preference pairs and tokenize them: one question, a chosen and a rejected answer.

A pair is rendered by the template that trains and serves, never by TRL's own. This module knows
tokens, not what a trainer makes of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.data.encoding import refuse_too_long, tokenize, tokenize_answer
from backend.data.rows import dataset_scheme, faulty_row, messages_of, read_rows
from backend.data.templates import Message, Renderer
from studio.contract import TrainSpec
from studio.language import say
from studio.samples.canonical import read_answer
from studio.samples.preferences import require_enough


@dataclass(frozen=True)
class TextPair:
    """A question, as messages, with the answer that was chosen and the one that was rejected."""

    messages: Sequence[Message]
    chosen: str
    rejected: str


@dataclass(frozen=True)
class TokenPair:
    """The token ids of a pair; each answer goes on where the prompt ends, its end token included."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]

    @property
    def length(self) -> int:
        """Count the tokens of the longer of the two samples."""
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


@dataclass
class EncodedPairs:
    """The pairs that fit, and the rows, from 0 in their file, that are longer than the limit."""

    pairs: list[TokenPair]
    left_out: list[int] = field(default_factory=list)


def encode_pairs(spec: TrainSpec, renderer: Renderer) -> EncodedPairs:
    """Tokenize the pairs of the spec's training entry.

    Raises:
        InputError: there are too few of them, or `overlong` is error and one is too long.
        UnreadableFile: a row is no pair.
    """
    encoded = EncodedPairs(pairs=[])
    categories = []
    for number, pair in enumerate(read_pairs(spec.dataset_dir, spec.dataset)):
        tokens = encode_pair(renderer, pair)
        if tokens.length > spec.cutoff_len:
            encoded.left_out.append(number)
            continue
        encoded.pairs.append(tokens)
        categories.append(read_answer(pair.chosen).label)
    if spec.overlong == "error" and encoded.left_out:
        refuse_too_long(encoded.left_out, spec.cutoff_len)
    if not spec.allow_few_pairs or not encoded.pairs:
        require_enough(categories)
    return encoded


def require_pairs(spec: TrainSpec) -> None:
    """Refuse what is no pairs, or too few of them, before anything is computed for the training.

    Raises:
        InputError: there are too few.
        UnreadableFile: a row is no pair.
    """
    pairs = read_pairs(spec.dataset_dir, spec.dataset)
    if not spec.allow_few_pairs:
        require_enough([read_answer(pair.chosen).label for pair in pairs])


def read_pairs(folder: Path, name: str) -> list[TextPair]:
    """Read the pairs of an entry, in LLaMA-Factory's ranking layouts or TRL's preference forms.

    Raises:
        UnreadableFile: there is no such entry, or a row has no rejected answer.
    """
    prompt, pairs = dataset_scheme(folder).prompt, []
    for row in read_rows(folder, name):
        *messages, last = messages_of(row, prompt)
        rejected = _rejected(row.record)
        if rejected is None or not messages:
            raise faulty_row(
                row,
                say(
                    "它没有 rejected（落选的回答），不是偏好对。",
                    "it has no rejected answer, so it is no preference pair.",
                ),
            )
        pairs.append(TextPair(messages, last["content"], rejected))
    return pairs


def encode_pair(renderer: Renderer, pair: TextPair) -> TokenPair:
    """Tokenize a pair as its two conversations are tokenized for training.

    The prompt ends with the opened thought where both answers write a chain: generation starts there.
    """
    prompt = renderer.prompt(pair.messages)
    prompt_ids = tokenize(renderer, prompt)
    chosen, rejected = (
        [token for part in tokenize_answer(renderer, renderer.answer(text, prompt)) for token in part]
        for text in (pair.chosen, pair.rejected)
    )
    # An answer without a chain is tokenized from its opening tag on; see tokenize_answer.
    both_think = all(read_answer(text).chain for text in (pair.chosen, pair.rejected))
    opening = renderer.open_thought(prompt) if both_think else ""
    opened = tokenize(renderer, opening) if opening else []
    if chosen[: len(opened)] == rejected[: len(opened)] == opened:
        prompt_ids, chosen, rejected = prompt_ids + opened, chosen[len(opened) :], rejected[len(opened) :]
    return TokenPair(prompt_ids, chosen, rejected)


def _rejected(record: Any) -> str | None:
    """Find the rejected answer of a record: a text, a turn, or messages of which the last counts."""
    value = record.get("rejected") if isinstance(record, Mapping) else None
    if isinstance(value, list) and value:
        value = value[-1]
    if isinstance(value, Mapping):
        value = value.get("value", value.get("content"))
    return value if isinstance(value, str) and value.strip() else None
