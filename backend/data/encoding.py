"""Tokenize conversations into samples with labels and loss weights; pad samples into batches.

B batch, T tokens. This module knows tokens and masks, not what a model does with them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NoReturn

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from backend.data.marks import CUT, tokenize_text
from backend.data.shortening import shorten_chains
from backend.data.templates import THOUGHT, Message, Renderer
from studio.errors import InputError
from studio.language import say
from studio.samples.canonical import CLOSE, OPEN, read_answer, write_answer

IGNORED = -100
"""Label of a token that is read but not learned, as in transformers."""

Sample = dict[str, Tensor]
"""input_ids, labels and weights of one sample, each (T,)."""

Overlong = Literal["drop", "cut_chain", "error"]
"""What becomes of a row that is longer than the limit; as in TrainSpec."""


@dataclass
class Encoded:
    """The samples that fit, and the rows, from 0 in their file, that were longer than the limit.

    `left_out` are not in the samples; `shortened` are, with a think chain cut to fit.
    `rows`: the rows of the file that were encoded; None: all. `sample_rows`: the row of each sample, or
    nothing where samples are packed out of several. `direct`: how many of the samples, the last, are rows
    once more with an empty chain.
    """

    samples: list[Sample]
    sample_rows: list[int] = field(default_factory=list)
    direct: int = 0
    left_out: list[int] = field(default_factory=list)
    shortened: list[int] = field(default_factory=list)
    rows: tuple[int, ...] | None = None


def encode_conversation(
    renderer: Renderer,
    messages: Sequence[Message],
    *,
    label_weight: float = 1.0,
    train_on_prompt: bool = False,
) -> Sample:
    """Encode one conversation: token ids, labels and loss weights.

    Prompt and answer are tokenized separately: the tokens of the generation prompt are
    then exactly the first tokens of the training text. Only answers are learned,
    their end token included; with `train_on_prompt` everything is. `label_weight` weighs
    the tokens that name the category: those after `</think>`, and the category's name
    wherever the chain has it. An answer that the model's own template shows differently to
    the later ones (without its chain, for one) is not learned here: see `learnable_parts`.
    """
    input_ids: list[int] = []
    labels: list[int] = []
    weights: list[float] = []
    prompt_so_far = ""
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt = renderer.prompt(messages[:index])
        if not prompt.startswith(prompt_so_far):
            input_ids, labels, weights, prompt_so_far = [], [], [], ""
        prompt_ids = tokenize(renderer, prompt.removeprefix(prompt_so_far))
        answer = renderer.answer(message["content"], prompt)
        thought_ids, label_ids = tokenize_answer(renderer, answer)
        named = _naming_tokens(renderer, thought_ids, answer.rpartition(CLOSE)[2], label_weight)
        input_ids += [*prompt_ids, *thought_ids, *label_ids]
        labels += [
            *(prompt_ids if train_on_prompt else [IGNORED] * len(prompt_ids)),
            *thought_ids,
            *label_ids,
        ]
        weights += [*[1.0] * len(prompt_ids), *named, *[label_weight] * len(label_ids)]
        prompt_so_far = prompt + answer
    return {
        "input_ids": torch.tensor(input_ids),
        "labels": torch.tensor(labels),
        "weights": torch.tensor(weights),
    }


def tokenize_answer(renderer: Renderer, answer: str) -> tuple[list[int], list[int]]:
    """Tokenize a rendered answer: the tokens up to its `</think>`, and those after it.

    Split where generation starts and where scoring starts, so that both continue with
    exactly the tokens that were learned.
    """
    thought, tag, label = answer.rpartition(CLOSE)
    opened = THOUGHT if thought.startswith(THOUGHT) and thought.strip() != OPEN else ""
    rest = thought.removeprefix(opened) + tag
    return [*(tokenize(renderer, opened) if opened else []), *tokenize(renderer, rest)], tokenize(
        renderer, label
    )


def _naming_tokens(
    renderer: Renderer, thought_ids: list[int], label: str, label_weight: float
) -> list[float]:
    """Weigh a thought's tokens: `label_weight` where they spell the category of the answer."""
    weights = [1.0] * len(thought_ids)
    category = label.strip().removesuffix(renderer.eos)
    name_ids = tokenize(renderer, category)
    for start in range(len(thought_ids) - len(name_ids) + 1) if name_ids and label_weight != 1 else ():
        if thought_ids[start : start + len(name_ids)] == name_ids:
            weights[start : start + len(name_ids)] = [label_weight] * len(name_ids)
    return weights


def tokenize(renderer: Renderer, text: str) -> list[int]:
    """Tokenize a rendered text, which has its special tokens already."""
    return tokenize_text(renderer.tokenizer, text)


def learnable_parts(renderer: Renderer, messages: Sequence[Message]) -> list[Sequence[Message]]:
    """Split a conversation into prefixes, so that each answer is learned as it will be generated.

    Nearly always the conversation itself. A template that cuts the chain out of earlier
    turns shows the second answer another history than the first answer was: each is then a
    part of its own.
    """
    ends = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    parts = []
    for this, following in pairwise(ends):
        prompt = renderer.prompt(messages[:this])
        rendered = prompt + renderer.answer(messages[this]["content"], prompt)
        if not renderer.prompt(messages[:following]).startswith(rendered):
            parts.append(messages[: this + 1])
    return [*parts, messages]


def encode_parts(
    renderer: Renderer,
    messages: Sequence[Message],
    *,
    label_weight: float = 1.0,
    train_on_prompt: bool = False,
) -> list[Sample]:
    """Encode the samples that a row is trained as; nearly always one. See `learnable_parts`."""
    return [
        encode_conversation(renderer, part, label_weight=label_weight, train_on_prompt=train_on_prompt)
        for part in learnable_parts(renderer, messages)
    ]


def encode_all(
    renderer: Renderer,
    conversations: Sequence[Sequence[Message]],
    *,
    cutoff_len: int,
    label_weight: float = 1.0,
    train_on_prompt: bool = False,
    overlong: Overlong = "drop",
    rows: Sequence[int] | None = None,
) -> Encoded:
    """Encode every row; one longer than `cutoff_len` is listed, and never truncated silently.

    `rows` are the numbers of the conversations in their file, where they are not all of it.

    Raises:
        InputError: `overlong` is error and a row is too long.
    """
    encoded = Encoded(samples=[], rows=None if rows is None else tuple(rows))

    def encode(messages: Sequence[Message]) -> list[Sample]:
        return encode_parts(renderer, messages, label_weight=label_weight, train_on_prompt=train_on_prompt)

    def fits(messages: Sequence[Message]) -> bool:
        return all(len(sample["input_ids"]) <= cutoff_len for sample in encode(messages))

    for index, messages in enumerate(conversations):
        samples = encode(messages)
        row = index if rows is None else rows[index]
        if any(len(sample["input_ids"]) > cutoff_len for sample in samples):
            shorter = shorten_chains(messages, fits) if overlong == "cut_chain" else None
            (encoded.shortened if shorter else encoded.left_out).append(row)
            samples = encode(shorter) if shorter else []
        encoded.samples += samples
        encoded.sample_rows += [row] * len(samples)
    if overlong == "error" and encoded.left_out:
        refuse_too_long(encoded.left_out, cutoff_len)
    return encoded


def refuse_too_long(left_out: Sequence[int], cutoff_len: int) -> NoReturn:
    """Refuse rows, from 0, that are longer than the limit.

    Raises:
        InputError: with the numbers of the first of them.
    """
    numbers = [str(row + 1) for row in left_out[:20]]
    more = len(left_out) - len(numbers)
    raise InputError(
        say(
            f"{len(left_out)} 行超过 cutoff_len {cutoff_len}："
            f"第 {'、'.join(numbers)} 行{' 等' if more else ''}。",
            f"{len(left_out)} rows are longer than cutoff_len {cutoff_len}: "
            f"row {', '.join(numbers)}{f' and {more} more' if more else ''}.",
        ),
        remedy=say(
            "请增大 cutoff_len、改短这些行，或将 overlong 设为 drop 或 cut_chain。",
            "Raise cutoff_len, shorten these rows, or set overlong to drop or cut_chain.",
        ),
    )


def without_chain(messages: Sequence[Message]) -> list[Message]:
    """Empty the think chain of every answer of a conversation."""

    def emptied(content: str) -> str:
        return write_answer("", read_answer(content).label)

    return [
        {**message, "content": emptied(message["content"])} if message["role"] == "assistant" else message
        for message in messages
    ]


def pack_texts(
    renderer: Renderer, texts: Iterable[str], *, cutoff_len: int, batch: int = 2000
) -> Iterator[Sample]:
    """Pack texts, joined by the end token, into pre-training samples of `cutoff_len` tokens.

    The order of the texts is kept, so neighbours in the file are neighbours in the
    sample. Only the last sample may be shorter; nothing is lost.
    """
    pending: list[int] = []
    lines: list[str] = []
    for text in texts:
        lines.append(renderer.marks.cut(text) + renderer.eos)
        if len(lines) == batch:
            pending += _flat_ids(renderer, lines)
            lines = []
            while len(pending) >= cutoff_len:
                yield _text_sample(pending[:cutoff_len])
                del pending[:cutoff_len]
    pending += _flat_ids(renderer, lines)
    # One token alone predicts nothing.
    for start in range(0, len(pending) - 1, cutoff_len):
        yield _text_sample(pending[start : start + cutoff_len])


def _flat_ids(renderer: Renderer, lines: list[str]) -> list[int]:
    if not lines:
        return []
    rows = renderer.tokenizer([line for line in lines if CUT not in line], add_special_tokens=False)
    if len(rows["input_ids"]) < len(lines):
        return [token for line in lines for token in tokenize_text(renderer.tokenizer, line)]
    return [token for row in rows["input_ids"] for token in row]


def _text_sample(ids: list[int]) -> Sample:
    tokens = torch.tensor(ids)
    return {"input_ids": tokens, "labels": tokens, "weights": torch.ones(len(ids))}


@dataclass(frozen=True)
class PaddingCollator:
    """Pads samples on the right to the longest of the batch.

    `attention_mask` is left out when nothing was padded: the attention kernels are
    faster without one.
    """

    pad_token_id: int

    def __call__(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """Pad samples into a batch, (B, T) of each."""
        fills = {"input_ids": self.pad_token_id, "labels": IGNORED, "weights": 0.0}
        batch_BT = {
            key: pad_sequence([sample[key] for sample in samples], batch_first=True, padding_value=fill)
            for key, fill in fills.items()
        }
        lengths = torch.tensor([len(sample["input_ids"]) for sample in samples])
        longest = int(lengths.max())
        if int(lengths.min()) < longest:
            batch_BT["attention_mask"] = (torch.arange(longest)[None] < lengths[:, None]).long()
        return batch_BT
