"""Generate answers with think chains in batches, and score categories by their probability.

B batch, T tokens, K categories, L longest category in tokens. This module knows
prompts and tokens, not files and scores.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Any

import torch
from torch import Tensor
from transformers import (
    DynamicCache,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    StoppingCriteria,
    StoppingCriteriaList,
    TextIteratorStreamer,
)

from backend.data.encoding import tokenize, tokenize_answer
from backend.data.templates import THOUGHT, Message, Renderer
from studio.samples.canonical import CLOSE, write_answer, write_question

ANSWER_TOKENS = 16
"""Tokens of the limit that are reserved for the answer after the thought."""

REPEAT_WINDOW = 24
"""Last tokens of the thought that the repetition penalty applies to."""


@dataclass(frozen=True)
class Generated:
    """A generated answer, its number of tokens, and whether the end token came.

    `forced`: the thought ran into its limit and was closed from outside.
    """

    text: str
    tokens: int
    finished: bool
    forced: bool


class Answerer:
    """Generates answers by a model and its renderer.

    Decoding is greedy: the same question gets the same answer.
    """

    def __init__(self, model: PreTrainedModel, renderer: Renderer) -> None:
        self.model = model.eval()
        self.renderer = renderer
        self.tokenizer: Any = renderer.tokenizer
        # Lists in, padded tensors out; a prompt's end must touch the first generated token.
        self.tokenizer.padding_side = "left"
        vocabulary = renderer.tokenizer.get_vocab()
        self.end_ids = [vocabulary[token] for token in renderer.end_tokens if token in vocabulary]
        self.penalty = float(model.generation_config.repetition_penalty or 1.0)

    def render_prompts(self, titles: Sequence[str], prompt: str) -> list[str]:
        """Render the prompts for titles under a scheme's prompt."""
        return [
            self.renderer.prompt([{"role": "user", "content": write_question(prompt, title)}])
            for title in titles
        ]

    @torch.inference_mode()
    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, stop: Callable[[], bool] = lambda: False
    ) -> list[Generated]:
        """Generate answers with a think chain to rendered prompts, greedily and in their order.

        A thought is closed before the limit is reached, and the answer does not end inside
        it: the model then still names a category, and `forced` is set.
        """
        batch = self._padded([self._opened(prompt) for prompt in prompts])
        closing = self._closing(batch, max_new_tokens)
        output_BT = self.model.generate(**batch, **self._generation(max_new_tokens, closing, stop))
        rows = output_BT[:, batch["input_ids"].shape[1] :].tolist()
        return [
            self._generated(ids, forced) for ids, forced in zip(rows, closing.forced.tolist(), strict=True)
        ]

    def _closing(self, batch_BT: dict[str, Tensor], max_new_tokens: int) -> "_CloseThought":
        rows, prompt_tokens = batch_BT["input_ids"].shape
        return _CloseThought(
            prompt_tokens=prompt_tokens,
            close_ids=tokenize(self.renderer, f"\n{CLOSE}"),
            mark_ids=tokenize(self.renderer, CLOSE),
            end_ids=self.end_ids,
            limit=prompt_tokens + max(max_new_tokens - ANSWER_TOKENS, 1),
            forced=torch.zeros(rows, dtype=torch.bool, device=self.model.device),
        )

    def _generated(self, ids: list[int], forced: bool) -> Generated:
        end = next((index for index, token in enumerate(ids) if token in self.end_ids), None)
        kept = ids if end is None else ids[:end]
        text = THOUGHT + self.tokenizer.decode(kept, skip_special_tokens=True)
        return Generated(text=text, tokens=len(kept), finished=end is not None, forced=forced)

    def _opened(self, prompt: str) -> list[int]:
        return tokenize(self.renderer, prompt) + tokenize(self.renderer, self.renderer.open_thought(prompt))

    @torch.inference_mode()
    def score(self, prompts: Sequence[str], categories: Sequence[str]) -> list[dict[str, float]]:
        """Score the categories after an empty think chain: their probabilities, for each prompt.

        p(category) is proportional to the probability of its whole continuation, end
        token included, so that a category is not preferred for being short.
        """
        answers = [self.renderer.answer(write_answer("", category), prompts[0]) for category in categories]
        shared, continuations = self._split(answers)
        batch = self._padded([tokenize(self.renderer, prompt) + shared for prompt in prompts])
        log_p_BK = self._continuation_scores(batch, continuations)
        probabilities_BK = log_p_BK.softmax(dim=-1).tolist()
        return [dict(zip(categories, row, strict=True)) for row in probabilities_BK]

    def _split(self, answers: Sequence[str]) -> tuple[list[int], list[list[int]]]:
        """Split tokenized answers into their common prefix and each one's continuation."""
        rows = [[*thought, *label] for thought, label in (tokenize_answer(self.renderer, a) for a in answers)]
        shared = 0
        while all(len(row) > shared + 1 and row[shared] == rows[0][shared] for row in rows):
            shared += 1
        return rows[0][:shared], [row[shared:] for row in rows]

    def _continuation_scores(self, batch_BT: dict[str, Tensor], continuations: list[list[int]]) -> Tensor:
        """Compute the log probability of each continuation after each prefix, (B, K), in nats.

        The prefix runs once; its keys and values are shared by the K continuations.
        """
        count, longest = len(continuations), max(map(len, continuations))
        mask_BT = batch_BT["attention_mask"]
        positions_BT = (mask_BT.cumsum(dim=-1) - 1).clamp(min=0)
        prefix = self.model(
            **batch_BT,
            position_ids=positions_BT,
            past_key_values=DynamicCache(config=self.model.config),
            use_cache=True,
            logits_to_keep=1,
        )
        first_BV = prefix.logits[:, -1].float().log_softmax(dim=-1)
        device = first_BV.device
        padded_KL = torch.tensor([ids + [0] * (longest - len(ids)) for ids in continuations], device=device)
        real_KL = torch.tensor(
            [[1] * len(ids) + [0] * (longest - len(ids)) for ids in continuations], device=device
        )
        scores_BK: Tensor = first_BV[:, padded_KL[:, 0]]
        if longest == 1:
            return scores_BK
        size = mask_BT.shape[0]
        cache = prefix.past_key_values
        cache.batch_repeat_interleave(count)
        tail_L = torch.arange(longest - 1, device=device)
        logits = self.model(
            input_ids=padded_KL[:, :-1].repeat(size, 1),
            attention_mask=torch.cat(
                [mask_BT.repeat_interleave(count, dim=0), real_KL[:, :-1].repeat(size, 1)], dim=1
            ),
            position_ids=positions_BT[:, -1:].repeat_interleave(count, dim=0) + 1 + tail_L,
            past_key_values=cache,
            use_cache=True,
        ).logits
        log_p = (
            logits.float().log_softmax(dim=-1).gather(-1, padded_KL[:, 1:].repeat(size, 1)[..., None])[..., 0]
        )
        rest_BK: Tensor = (log_p * real_KL[:, 1:].repeat(size, 1)).sum(dim=-1).view(size, count)
        return scores_BK + rest_BK

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_new_tokens: int,
        temperature: float,
        stop: Callable[[], bool],
    ) -> Iterator[str]:
        """Stream an answer piece by piece as it is generated; end early when `stop` returns True."""
        batch = self._padded([self._opened(self.renderer.prompt(messages))])
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        closing = self._closing(batch, max_new_tokens)
        options = self._generation(max_new_tokens, closing, stop, temperature=temperature)

        def generate() -> None:
            try:
                self.model.generate(**batch, **options, streamer=streamer)
            finally:
                # Also after an error: the reader of the stream would wait for ever.
                streamer.end()

        thread = Thread(target=generate)
        thread.start()
        try:
            yield from (piece for piece in streamer if piece)
        finally:
            thread.join()

    def _generation(
        self,
        max_new_tokens: int,
        closing: "_CloseThought",
        stop: Callable[[], bool],
        *,
        temperature: float = 0.0,
    ) -> dict[str, Any]:
        """Options for transformers' `generate`; the others are those of the model's generation config."""
        greedy: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else greedy
        return {
            **sampling,
            "max_new_tokens": max_new_tokens,
            "eos_token_id": self.end_ids,
            "pad_token_id": self.tokenizer.pad_token_id,
            # The model's own penalty is applied by _PenalizeRepeats instead.
            "repetition_penalty": 1.0,
            "logits_processor": LogitsProcessorList([closing, _PenalizeRepeats(self.penalty, closing)]),
            "stopping_criteria": StoppingCriteriaList([_StopWhen(stop)]),
        }

    def _padded(self, rows: list[list[int]]) -> dict[str, Tensor]:
        padded = self.tokenizer.pad({"input_ids": rows}, return_tensors="pt")
        return {key: padded[key].to(self.model.device) for key in ("input_ids", "attention_mask")}


@dataclass
class _CloseThought(LogitsProcessor):
    """Keeps an answer from ending inside its thought, and closes a thought at its limit.

    Args:
        prompt_tokens: length of the prompt.
        close_ids: tokens that close a thought.
        mark_ids: tokens that show that it is closed.
        end_ids: tokens that end an answer.
        limit: length in tokens, prompt included, at which the closing begins.
        forced: set for the rows that were closed here, (B,).
    """

    prompt_tokens: int
    close_ids: list[int]
    mark_ids: list[int]
    end_ids: list[int]
    limit: int
    forced: Tensor
    closed: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        mark = torch.tensor(self.mark_ids, device=input_ids.device)
        ends_closed_B = (input_ids[:, -len(mark) :] == mark).all(dim=1)
        if self.closed is None:
            self.closed = torch.zeros_like(ends_closed_B)
        self.closed |= ends_closed_B
        inside_B = ~self.closed
        scores[:, self.end_ids] = scores[:, self.end_ids].masked_fill(inside_B[:, None], -torch.inf)
        position = input_ids.shape[1] - self.limit
        if 0 <= position < len(self.close_ids):
            self.forced |= inside_B
            scores[self.forced] = -torch.inf
            scores[self.forced, self.close_ids[position]] = 0.0
        return scores


@dataclass
class _PenalizeRepeats(LogitsProcessor):
    """Applies the model's repetition penalty to the last few tokens of the thought, and only inside it.

    transformers' own covers all that went before, the prompt included, and goes on after
    the thought: it penalizes a chain that quotes its title, and an answer that is the
    category which the chain argued for. Loops are short, so a short window breaks them too.
    Chosen by cross-validation over the training rows (docs/experiments.md, 2026-11-25).
    """

    penalty: float
    closing: _CloseThought

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self.penalty == 1.0:
            return scores
        assert self.closing.closed is not None, "the closing processor runs first"
        start = max(self.closing.prompt_tokens, input_ids.shape[1] - REPEAT_WINDOW)
        recent_BT = input_ids[:, start:]
        before_BT = scores.gather(1, recent_BT)
        after_BT = torch.where(before_BT < 0, before_BT * self.penalty, before_BT / self.penalty)
        return scores.scatter(1, recent_BT, torch.where(self.closing.closed[:, None], before_BT, after_BT))


class _StopWhen(StoppingCriteria):
    """Ends generation when asked from outside."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self.stop = stop

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        return torch.full((input_ids.shape[0],), self.stop(), device=input_ids.device)
