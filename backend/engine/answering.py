"""Answer titles with a model and its renderer: chains through the engine, categories by their probability."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from transformers import PreTrainedModel

from backend.data.encoding import tokenize, tokenize_answer
from backend.data.templates import THOUGHT, Renderer
from backend.engine.constraints import Constraint, OneOf
from backend.engine.engine import Engine
from backend.engine.quotation import Quotation, TokenBytes
from backend.engine.requests import Answer, Decoding, Request
from backend.engine.sampling import Marks
from backend.engine.scoring import ContinuationScorer
from backend.engine.titles import Written, never
from studio.samples.canonical import CLOSE, write_answer, write_question

_SCORED_AT_ONCE = 64
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

    def title_requests(
        self,
        titles: Sequence[str],
        prompt: str,
        decoding: Decoding,
        *,
        quotes_from_title: bool,
        categories: Sequence[str] = (),
    ) -> list[Request]:
        """Build the requests for titles.

        Args:
            titles: what is asked about.
            prompt: of the scheme.
            decoding: how tokens are chosen.
            quotes_from_title: hold quotations in a chain to the title.
            categories: what alone may follow the thought; empty: anything.
        """
        rendered = self.render_prompts(titles, prompt)
        one_of = (self.one_of(categories, rendered[0]),) if categories and rendered else ()
        return [
            self.request(
                text,
                decoding,
                constraints=(*self.constraints(title, quotes_from_title=quotes_from_title), *one_of),
            )
            for title, text in zip(titles, rendered, strict=True)
        ]

    def one_of(self, categories: Sequence[str], prompt: str) -> OneOf:
        """Hold what follows the thought to the categories, written as in training."""
        answers = (self.renderer.answer(write_answer("", category), prompt) for category in categories)
        return OneOf.of(
            [tokenize_answer(self.renderer, answer)[1] for answer in answers], marks(self.renderer).end
        )

    def constraints(self, title: str, *, quotes_from_title: bool) -> tuple[Constraint, ...]:
        """Build what restricts the answer to a title."""
        return (Quotation(title, self.token_bytes),) if quotes_from_title else ()

    @cached_property
    def token_bytes(self) -> TokenBytes:
        """Find the bytes of the vocabulary's tokens, once."""
        return TokenBytes(self.tokenizer, self.model.config.get_text_config().vocab_size)

    def decoding(self, max_new_tokens: int, **others: Any) -> Decoding:
        """Build a decoding with the model's own repetition penalty."""
        return Decoding(max_new_tokens=max_new_tokens, **{"repetition_penalty": self.penalty, **others})

    def answer(
        self, prompts: Sequence[str], decoding: Decoding, *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Written]]:
        """Answer rendered prompts with a think chain, each as it finishes: (its index, its answer)."""
        requests = [self.request(prompt, decoding) for prompt in prompts]
        for index, answer in self.engine.run(requests, stop=stop):
            yield index, generated(answer)

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, stop: Callable[[], bool] = never
    ) -> list[Written]:
        """Answer rendered prompts with a think chain, greedily and in their order.

        A thought is closed before the limit is reached, and the answer does not end inside
        it: the model then still names a category, and `forced` is set.
        """
        answers = dict(self.answer(prompts, self.decoding(max_new_tokens), stop=stop))
        return [answers[index] for index in range(len(prompts))]

    def score(self, prompts: Sequence[str], categories: Sequence[str]) -> list[dict[str, float]]:
        """Score the categories after an empty think chain: their probabilities, for each prompt.

        p(category) is proportional to the probability of its whole continuation, end
        token included, so that a category is not preferred for being short.
        """
        found = dict(self.scored(prompts, categories))
        return [found[index] for index in range(len(prompts))]

    def scored(
        self,
        prompts: Sequence[str],
        categories: Sequence[str],
        *,
        bare: bool = False,
        stop: Callable[[], bool] = never,
    ) -> Iterator[tuple[int, dict[str, float]]]:
        """Score as `score` does, batch by batch: (its index, its scores); `stop` leaves out the rest.

        `bare`: right after the prompt, without an empty chain, unless the prompt itself opens the thought.
        """
        if not prompts:
            return
        shared, scorer = self._scorer(prompts[0], categories, bare=bare)
        rows = [tokenize(self.renderer, prompt) + shared for prompt in prompts]
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        for start in range(0, len(order), _SCORED_AT_ONCE):
            if stop():
                return
            batch = order[start : start + _SCORED_AT_ONCE]
            probabilities_BK = scorer([rows[index] for index in batch]).softmax(dim=-1).tolist()
            for index, row in zip(batch, probabilities_BK, strict=True):
                yield index, dict(zip(categories, row, strict=True))

    def _scorer(
        self, prompt: str, categories: Sequence[str], *, bare: bool
    ) -> tuple[list[int], ContinuationScorer]:
        thinks = not bare or prompt.endswith(THOUGHT)
        written = [write_answer("", category) if thinks else category for category in categories]
        answers = tuple(self.renderer.answer(answer, prompt) for answer in written)
        if answers not in self._scorers:
            shared, continuations = split_continuations(self.renderer, answers)
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


def split_continuations(renderer: Renderer, answers: Sequence[str]) -> tuple[list[int], list[list[int]]]:
    """Split tokenized answers into their common prefix and each one's continuation."""
    rows = [[*thought, *label] for thought, label in (tokenize_answer(renderer, a) for a in answers)]
    shared = 0
    while all(len(row) > shared + 1 and row[shared] == rows[0][shared] for row in rows):
        shared += 1
    return rows[0][:shared], [row[shared:] for row in rows]
