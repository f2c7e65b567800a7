"""Ask a model the proof's questions: categories by direct scores, logits, and think chains.

Here are the questions to the checkpoint, which the studio's own engine answers, and to a folder of
safetensors, whose chains transformers writes with nothing but what lies in the folder: its template, its
decoding settings, its end tokens.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from backend.data.encoding import tokenize
from backend.data.marks import CUT
from backend.data.templates import THOUGHT, Renderer
from backend.engine.answering import Answerer, marks
from backend.engine.titles import Written, never
from backend.export.merging import generation_config
from backend.export.weights import is_large
from backend.modeling.loading import load_model
from backend.modeling.tokenizers import load_tokenizer
from studio.samples.canonical import CLOSE, write_answer, write_question
from studio.samples.scheme import Scheme

LOGIT_TITLES = 8
"""Titles whose logits are compared, at two positions each."""
END_TOKENS = 4
"""Tokens that a model may still write after a complete answer, such as a line break, before it stops."""
_AT_ONCE = 32


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What is asked: all titles for their category, the first `chains` of them for a chain.

    `chain_tokens`: longest chain and answer. The longest in the bundled data has 130.
    """

    titles: Sequence[str]
    scheme: Scheme
    chains: int = 20
    chain_tokens: int = 192
    stop: Callable[[], bool] = never

    @property
    def chain_titles(self) -> Sequence[str]:
        """The titles whose chains are compared."""
        return self.titles[: self.chains]

    def message(self, title: str) -> list[dict[str, str]]:
        """Return the conversation that asks about a title."""
        return [{"role": "user", "content": write_question(self.scheme.prompt, title)}]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was answered.

    Args:
        scores: of each title, the probability of each category.
        logits: (positions, vocabulary), centred; None: not told.
        prompts: of the titles with a chain, the rendered prompt.
        chains: without repetition penalty.
        penalized: with the penalty as this runtime applies it; empty where the model has none.
        ends: whether the model stops by itself where an answer is complete, for the first titles.
    """

    scores: list[dict[str, float]]
    logits: NDArray[np.float64] | None
    prompts: list[str]
    chains: list[Written]
    penalized: list[Written]
    ends: Sequence[bool] = ()


def checkpoint_answers(model: PreTrainedModel, renderer: Renderer, questions: Questions) -> Answers:
    """Answer as the checkpoint does: with its penalty by the studio's engine, without it by `generate`.

    The engine keeps an answer from ending inside its thought and closes a thought that is too long;
    no other runtime does, so that it can be no measure of what they write without penalty.
    """
    answerer = Answerer(model, renderer)
    prompts = answerer.render_prompts(questions.titles, questions.scheme.prompt)
    first = prompts[: questions.chains]
    asked = [_plain(prompt + renderer.open_thought(prompt)) for prompt in first]
    ends = {"repetition_penalty": 1.0, "eos_token_id": list(marks(renderer).end)}
    is_penalized = bool(first) and answerer.penalty != 1.0
    scores = answerer.score(prompts, questions.scheme.names) if prompts else []
    complete = complete_answers(renderer, questions, scores)
    return Answers(
        scores=scores,
        logits=_logits(model, [tokenize(renderer, text) for text in logit_prompts(renderer, questions)]),
        prompts=asked,
        chains=_generate(model, renderer.tokenizer, asked, questions, **ends),
        penalized=answerer.generate(first, max_new_tokens=questions.chain_tokens, stop=questions.stop)
        if is_penalized
        else [],
        ends=_stops(model, renderer.tokenizer, complete, questions, **ends),
    )


def folder_answers(model: Path, adapter: Path | None, renderer: Renderer, questions: Questions) -> Answers:
    """Answer by what lies in a folder: chains through transformers' own `generate`.

    An adapter has no template of its own: it is asked with the trained one.
    """
    tokenizer = load_tokenizer(adapter or model, model)
    own_template = tokenizer.chat_template
    # Scores are asked with the trained prompt: the weights are compared by them, and by nothing else.
    tokenizer.chat_template = renderer.tokenizer.chat_template
    own = Renderer(tokenizer, renderer.name)
    loaded = load_model(model, adapter, dtype=torch.bfloat16 if is_large(model) else None)
    if adapter is not None and (adapter / "generation_config.json").is_file():
        loaded.generation_config = generation_config(adapter)
    answerer = Answerer(loaded, own)
    prompts = answerer.render_prompts(questions.titles, questions.scheme.prompt)
    asked = prompts[: questions.chains]
    if adapter is None:
        asked = [
            str(
                tokenizer.apply_chat_template(
                    questions.message(title),
                    chat_template=own_template,
                    tokenize=False,
                    add_generation_prompt=True,
                )
            )
            for title in questions.chain_titles
        ]
    else:
        asked = [_plain(prompt + own.open_thought(prompt)) for prompt in asked]
    penalty = float(loaded.generation_config.repetition_penalty or 1.0)
    scores = answerer.score(prompts, questions.scheme.names) if prompts else []
    complete = complete_answers(own, questions, scores)
    return Answers(
        scores=scores,
        logits=_logits(loaded, [tokenize(own, text) for text in logit_prompts(own, questions)]),
        prompts=asked,
        chains=_generate(loaded, tokenizer, asked, questions, repetition_penalty=1.0),
        penalized=_generate(loaded, tokenizer, asked, questions) if penalty != 1.0 else [],
        ends=_stops(loaded, tokenizer, complete, questions, repetition_penalty=1.0),
    )


def complete_answers(
    renderer: Renderer, questions: Questions, scores: Sequence[dict[str, float]]
) -> list[str]:
    """Render first titles with their whole answer, after which nothing but an end token should come."""
    texts = []
    for title, found in zip(questions.titles[:LOGIT_TITLES], scores, strict=False):
        name = max(found, key=lambda each: found[each])
        prompt = renderer.prompt(questions.message(title))
        answer = renderer.answer(write_answer("", name), prompt)
        texts.append(_plain(prompt + answer[: answer.rindex(name) + len(name)]))
    return texts


def logit_prompts(renderer: Renderer, questions: Questions) -> list[str]:
    """Render where logits are compared: where a chain begins, and where a category is chosen without one."""
    texts = []
    for title in questions.titles[:LOGIT_TITLES]:
        prompt = renderer.prompt(questions.message(title))
        opened = prompt + renderer.open_thought(prompt)
        texts += [opened, opened + f"\n{CLOSE}\n\n"]
    return texts


def centred(logits_RV: NDArray[Any]) -> NDArray[np.float64]:
    """Centre logits by position; runtimes tell log probabilities, which differ by a constant."""
    wide = np.asarray(logits_RV, dtype=np.float64)
    return np.asarray(wide - wide.mean(axis=1, keepdims=True))


def _logits(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> NDArray[np.float64] | None:
    if not rows:
        return None
    with torch.inference_mode():
        found = [
            model(torch.tensor([row], device=model.device), logits_to_keep=1)
            .logits[0, -1]
            .float()
            .cpu()
            .numpy()
            for row in rows
        ]
    return centred(np.stack(found))


def _stops(
    model: Any, tokenizer: Any, texts: Sequence[str], questions: Questions, **options: Any
) -> list[bool]:
    """Whether the model stops at once after each text."""
    briefly = replace(questions, chain_tokens=END_TOKENS)
    return [written.finished for written in _generate(model, tokenizer, texts, briefly, **options)]


def _generate(
    model: Any, tokenizer: Any, prompts: Sequence[str], questions: Questions, **options: Any
) -> list[Written]:
    """Write chains greedily, with the model's own settings unless `options` say otherwise."""
    ends = options.get("eos_token_id", model.generation_config.eos_token_id)
    ends = set(ends if isinstance(ends, list) else [ends])
    found: list[Written] = []
    with _left_padded(tokenizer):
        for start in range(0, len(prompts), _AT_ONCE):
            if questions.stop():
                break
            texts = list(prompts[start : start + _AT_ONCE])
            batch = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
            with torch.inference_mode():
                output = model.generate(
                    batch["input_ids"].to(model.device),
                    attention_mask=batch["attention_mask"].to(model.device),
                    do_sample=False,
                    max_new_tokens=questions.chain_tokens,
                    pad_token_id=tokenizer.pad_token_id,
                    **options,
                )
            rows = output[:, batch["input_ids"].shape[1] :].tolist()
            found += [_written(tokenizer, text, row, ends) for text, row in zip(texts, rows, strict=True)]
    return found


def _written(tokenizer: Any, prompt: str, row: list[int], ends: set[int]) -> Written:
    end = next((place for place, token in enumerate(row) if token in ends), None)
    text = tokenizer.decode(row[:end], skip_special_tokens=False)
    opened = THOUGHT if prompt.endswith(THOUGHT) else ""
    return Written(text=opened + text, tokens=len(row[:end]), finished=end is not None, forced=end is None)


@contextmanager
def _left_padded(tokenizer: Any) -> Iterator[None]:
    side, pad = tokenizer.padding_side, tokenizer.pad_token
    tokenizer.padding_side = "left"
    if pad is None:
        tokenizer.pad_token = tokenizer.eos_token
    try:
        yield
    finally:
        tokenizer.padding_side = side


def _plain(text: str) -> str:
    """Return a rendered prompt as the text that a runtime would be sent."""
    return text.replace(CUT, "")
