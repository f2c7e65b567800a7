"""Answer titles with a model and its renderer: chains through the engine, categories by their probability."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from transformers import PreTrainedModel

from backend.data.encoding import tokenize, tokenize_answer
from backend.data.templates import THOUGHT, Message, Renderer
from backend.engine.constraints import Constraint
from backend.engine.engine import Engine
from backend.engine.requests import Answer, Decoding, Request
from backend.engine.sampling import Marks
from backend.engine.scoring import ContinuationScorer
from backend.engine.titles import Written
from studio.samples.canonical import CLOSE, write_answer, write_question

SCORED_AT_ONCE = 64
"""Prompts scored in one forward."""


class Answerer:
    """Answers prompts by a model and its renderer; greedily unless a decoding says otherwise."""

    def __init__(self, model: PreTrainedModel, renderer: Renderer, *, slots: int = 64) -> None:
        self.model = model.eval()
        self.renderer = renderer
        self.tokenizer: Any = renderer.tokenizer
        self.penalty = float(model.generation_config.repetition_penalty or 1.0)
        self.slots = slots
        self._engine: Engine | None = None
        self._scorers: dict[tuple[str, ...], tuple[list[int], ContinuationScorer]] = {}

    @property
    def engine(self) -> Engine:
        """The engine over the model; made when it is first needed, since scoring needs none."""
        if self._engine is None:
            self._engine = Engine(self.model, self.tokenizer, marks(self.renderer), slots=self.slots)
        return self._engine

    def render_prompts(self, titles: Sequence[str], prompt: str) -> list[str]:
        """Render the prompts for titles under a scheme's prompt."""
        return [
            self.renderer.prompt([{"role": "user", "content": write_question(prompt, title)}])
            for title in titles
        ]

    def request(
        self, prompt: str, decoding: Decoding | None = None, *, constraints: Sequence[Constraint] = ()
    ) -> Request:
        """Build the request for a rendered prompt, its thought opened; `decoding` None: see `decoding`."""
        return Request(
            prompt=self._opened(prompt),
            decoding=decoding or self.decoding(256),
            constraints=tuple(constraints),
        )

    def decoding(self, max_new_tokens: int, **others: Any) -> Decoding:
        """Build a decoding with the model's own repetition penalty."""
        return Decoding(max_new_tokens=max_new_tokens, **{"repetition_penalty": self.penalty, **others})

    def chat_request(self, messages: Sequence[Message], decoding: Decoding) -> Request:
        """Build the request for a conversation."""
        return self.request(self.renderer.prompt(messages), decoding)

    def answer(
        self, prompts: Sequence[str], decoding: Decoding, *, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[int, Written]]:
        """Answer rendered prompts with a think chain, each as it finishes: (its index, its answer)."""
        requests = [self.request(prompt, decoding) for prompt in prompts]
        for index, answer in self.engine.run(requests, stop=stop):
            yield index, generated(answer)

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, stop: Callable[[], bool] = lambda: False
    ) -> list[Written]:
        """Answer rendered prompts with a think chain, greedily and in their order.

        A thought is closed before the limit is reached, and the answer does not end inside
        it: the model then still names a category, and `forced` is set.
        """
        answers = dict(self.answer(prompts, self.decoding(max_new_tokens), stop=stop))
        return [answers[index] for index in range(len(prompts))]

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_new_tokens: int,
        temperature: float,
        stop: Callable[[], bool],
    ) -> Iterator[str]:
        """Stream an answer piece by piece as it is generated; end early when `stop` returns True."""
        pieces: list[str] = []
        request = self.chat_request(messages, self.decoding(max_new_tokens, temperature=temperature))
        job = self.engine.submit(request, lambda piece: pieces.append(piece.text))
        try:
            while job.finish is None:
                job.cancelled = stop()
                self.engine.step()
                yield from (piece for piece in pieces if piece)
                pieces.clear()
        finally:
            # Nobody may want the rest.
            self.engine.cancel(job)

    def score(self, prompts: Sequence[str], categories: Sequence[str]) -> list[dict[str, float]]:
        """Score the categories after an empty think chain: their probabilities, for each prompt.

        p(category) is proportional to the probability of its whole continuation, end
        token included, so that a category is not preferred for being short.
        """
        if not prompts:
            return []
        shared, scorer = self._scorer(prompts[0], categories)
        rows = [tokenize(self.renderer, prompt) + shared for prompt in prompts]
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        found: dict[int, dict[str, float]] = {}
        for start in range(0, len(order), SCORED_AT_ONCE):
            batch = order[start : start + SCORED_AT_ONCE]
            probabilities_BK = scorer([rows[index] for index in batch]).softmax(dim=-1).tolist()
            for index, row in zip(batch, probabilities_BK, strict=True):
                found[index] = dict(zip(categories, row, strict=True))
        return [found[index] for index in range(len(rows))]

    def _scorer(self, prompt: str, categories: Sequence[str]) -> tuple[list[int], ContinuationScorer]:
        answers = tuple(self.renderer.answer(write_answer("", category), prompt) for category in categories)
        if answers not in self._scorers:
            shared, continuations = _split(self.renderer, answers)
            self._scorers[answers] = shared, ContinuationScorer(self.model, continuations)
        return self._scorers[answers]

    def _opened(self, prompt: str) -> list[int]:
        return tokenize(self.renderer, prompt) + tokenize(self.renderer, self.renderer.open_thought(prompt))


def generated(answer: Answer) -> Written:
    """Return an answer with its thought opened."""
    return Written(
        text=THOUGHT + answer.text,
        tokens=len(answer.ids),
        finished=answer.finish == "stop",
        forced=answer.forced,
    )


def marks(renderer: Renderer) -> Marks:
    """Return the tokens that end an answer of a renderer, and those that close its thought."""
    vocabulary = renderer.tokenizer.get_vocab()
    return Marks(
        end=tuple(vocabulary[token] for token in renderer.end_tokens if token in vocabulary),
        close=tuple(tokenize(renderer, f"\n{CLOSE}")),
        mark=tuple(tokenize(renderer, CLOSE)),
    )


def _split(renderer: Renderer, answers: Sequence[str]) -> tuple[list[int], list[list[int]]]:
    """Split tokenized answers into their common prefix and each one's continuation."""
    rows = [[*thought, *label] for thought, label in (tokenize_answer(renderer, a) for a in answers)]
    shared = 0
    while all(len(row) > shared + 1 and row[shared] == rows[0][shared] for row in rows):
        shared += 1
    return rows[0][:shared], [row[shared:] for row in rows]
