"""From conversations to tensors.

B batch, T tokens. This module knows tokens and masks, not what a model does with them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from backend.templates import THOUGHT, Message, Renderer
from studio.sample import CLOSE, OPEN, read_answer, write_answer

IGNORED = -100
"""Label of a token that is read but not learned, as in transformers."""


Sample = dict[str, Tensor]
"""input_ids, labels and weights of one sample, each (T,)."""


@dataclass
class Encoded:
    """The samples that fit, and the rows (from 0) that were longer than the limit."""

    samples: list[Sample]
    left_out: list[int] = field(default_factory=list)


def encode_conversation(
    renderer: Renderer, messages: Sequence[Message], *, label_weight: float = 1.0
) -> Sample:
    """Token ids, labels and loss weights of one conversation.

    Prompt and answer are tokenized apart: the tokens of the generation prompt are
    then exactly the first tokens of the training text. Only answers are learned,
    their end token included. `label_weight` weighs the tokens that name the category:
    those behind `</think>`, and the category's name wherever the chain says it.
    """
    input_ids: list[int] = []
    labels: list[int] = []
    weights: list[float] = []
    prompt_so_far = ""
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt = renderer.prompt(messages[:index])
        new_prompt = prompt.removeprefix(prompt_so_far)
        prompt_ids = tokenize(renderer, new_prompt)
        answer = renderer.answer(message["content"], prompt)
        thought_ids, label_ids = tokenize_answer(renderer, answer)
        named = _naming_tokens(renderer, thought_ids, answer.rpartition(CLOSE)[2], label_weight)
        input_ids += [*prompt_ids, *thought_ids, *label_ids]
        labels += [*[IGNORED] * len(prompt_ids), *thought_ids, *label_ids]
        weights += [*[1.0] * len(prompt_ids), *named, *[label_weight] * len(label_ids)]
        prompt_so_far = prompt + answer
    return {
        "input_ids": torch.tensor(input_ids),
        "labels": torch.tensor(labels),
        "weights": torch.tensor(weights),
    }


def tokenize_answer(renderer: Renderer, answer: str) -> tuple[list[int], list[int]]:
    """Tokens of a rendered answer up to its `</think>`, and those behind it.

    Cut where generation starts and where scoring starts, so that both continue with
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
    """Weights of a thought's tokens: heavy where they spell the category that the answer gives."""
    weights = [1.0] * len(thought_ids)
    category = label.strip().removesuffix(renderer.eos)
    name_ids = tokenize(renderer, category)
    for start in range(len(thought_ids) - len(name_ids) + 1) if name_ids and label_weight != 1 else ():
        if thought_ids[start : start + len(name_ids)] == name_ids:
            weights[start : start + len(name_ids)] = [label_weight] * len(name_ids)
    return weights


def tokenize(renderer: Renderer, text: str) -> list[int]:
    """Token ids of a rendered text; its special tokens are written out already."""
    ids: list[int] = renderer.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def encode_all(
    renderer: Renderer,
    conversations: Sequence[Sequence[Message]],
    *,
    cutoff_len: int,
    label_weight: float = 1.0,
) -> Encoded:
    """Encode every row; a row longer than `cutoff_len` is left out and named, never cut."""
    encoded = Encoded(samples=[])
    for row, messages in enumerate(conversations):
        sample = encode_conversation(renderer, messages, label_weight=label_weight)
        if len(sample["input_ids"]) > cutoff_len:
            encoded.left_out.append(row)
        else:
            encoded.samples.append(sample)
    return encoded


def without_chain(messages: Sequence[Message]) -> list[Message]:
    """The same conversation with an empty think chain in every answer."""

    def emptied(content: str) -> str:
        return write_answer("", read_answer(content).label)

    return [
        {**message, "content": emptied(message["content"])} if message["role"] == "assistant" else message
        for message in messages
    ]


def pack_texts(
    renderer: Renderer, texts: Iterable[str], *, cutoff_len: int, batch: int = 2000
) -> Iterator[Sample]:
    """Pre-training samples of exactly `cutoff_len` tokens: texts joined by the end token.

    The order of the texts is kept, so neighbours in the file are neighbours in the
    sample. A remainder shorter than `cutoff_len` is dropped.
    """
    pending: list[int] = []
    lines: list[str] = []
    for text in texts:
        lines.append(text + renderer.eos)
        if len(lines) == batch:
            pending += _flat_ids(renderer, lines)
            lines = []
            while len(pending) >= cutoff_len:
                yield _text_sample(pending[:cutoff_len])
                del pending[:cutoff_len]
    pending += _flat_ids(renderer, lines)
    for start in range(0, len(pending) - cutoff_len + 1, cutoff_len):
        yield _text_sample(pending[start : start + cutoff_len])


def _flat_ids(renderer: Renderer, lines: list[str]) -> list[int]:
    if not lines:
        return []
    rows = renderer.tokenizer(lines, add_special_tokens=False)["input_ids"]
    return [token for row in rows for token in row]


def _text_sample(ids: list[int]) -> Sample:
    tokens = torch.tensor(ids)
    return {"input_ids": tokens, "labels": tokens, "weights": torch.ones(len(ids))}


@dataclass(frozen=True)
class Collator:
    """Pads samples on the right to the longest of the batch.

    `attention_mask` is left out when nothing was padded: the attention kernels are
    faster without one.
    """

    pad_token_id: int

    def __call__(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
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
