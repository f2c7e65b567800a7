"""Encode training rows and answers so that the category can be told from the think chain.

This module knows tokens and loss weights, not what is computed with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from backend.data import rows
from backend.data.datasets import encode_datasets
from backend.data.encoding import IGNORED, Sample, tokenize, tokenize_answer
from backend.data.templates import Message, Renderer
from studio.contract import Prediction, TrainSpec
from studio.errors import InputError
from studio.language import say
from studio.samples.canonical import write_answer, write_question

Tokens = Literal["label", "chain", "all"]


@dataclass(frozen=True)
class TaughtSample:
    """A sample of the training row at `place`, learned after its own think chain or after an empty one."""

    place: int
    way: Literal["chain", "direct"]
    sample: Sample
    label_tokens: int

    def weighted(self, tokens: Tokens) -> Sample:
        """Return the sample with the loss weights of some tokens alone; those of the label are then 1."""
        if tokens == "all":
            return self.sample
        is_label = torch.zeros_like(self.sample["weights"])
        is_label[-self.label_tokens :] = 1
        kept = is_label if tokens == "label" else self.sample["weights"] * (1 - is_label)
        return {**self.sample, "weights": kept}


@dataclass(frozen=True)
class Taught:
    """The samples of all training rows, the shortest first; `rows`: their numbers in the file, by place."""

    rows: tuple[int, ...]
    samples: tuple[TaughtSample, ...]


def taught_samples(spec: TrainSpec, renderer: Renderer) -> Taught:
    """Encode the rows as training does, each sample with its row and its way.

    Raises:
        InputError: the run was no supervised fine-tuning: its rows have no labels.
    """
    if spec.stage != "sft":
        raise InputError(
            say("只有监督微调的训练行才有标签可查。", "Only rows of supervised fine-tuning have labels."),
            remedy=say("请选一个监督微调的运行。", "Choose a run of supervised fine-tuning."),
        )
    training, _ = encode_datasets(spec, renderer)
    conversations = rows.read_conversations(spec.dataset_dir, spec.dataset)
    numbers = tuple(sorted(set(training.sample_rows)))
    places = {number: place for place, number in enumerate(numbers)}
    first_direct = len(training.samples) - training.direct
    found = [
        TaughtSample(
            place=places[number],
            way="chain" if index < first_direct else "direct",
            sample=sample,
            label_tokens=count_label_tokens(renderer, conversations[number]),
        )
        for index, (sample, number) in enumerate(zip(training.samples, training.sample_rows, strict=True))
    ]
    return Taught(numbers, tuple(sorted(found, key=lambda each: len(each.sample["input_ids"]))))


def count_label_tokens(renderer: Renderer, messages: Sequence[Message]) -> int:
    """Count the tokens after the think chain of the last answer, its end token included."""
    answer = renderer.answer(messages[-1]["content"], renderer.prompt(messages[:-1]))
    return len(tokenize_answer(renderer, answer)[1])


def margin_samples(renderer: Renderer, answered: Prediction, prompt: str) -> list[Sample]:
    """Encode log p(wrong answer) - log p(label) of a title: the loss of these samples, weighted, is that.

    After an empty chain for direct answers, after the model's own for the others. Where no category could
    be read, or the answer is right, it is -log p(label) alone.
    """
    question = renderer.prompt([{"role": "user", "content": write_question(prompt, answered.title)}])
    chain = (answered.chain or "") if answered.answer == "chain" else ""
    sides = {answered.label: 1.0}
    if answered.predicted is not None and answered.predicted != answered.label:
        sides[answered.predicted] = -1.0
    found = []
    for category, weight in sides.items():
        thought, label = tokenize_answer(renderer, renderer.answer(write_answer(chain, category), question))
        ids = [*tokenize(renderer, question), *thought, *label]
        found.append(
            {
                "input_ids": torch.tensor(ids),
                "labels": torch.tensor([*[IGNORED] * (len(ids) - len(label)), *label]),
                "weights": torch.full((len(ids),), weight),
            }
        )
    return found
