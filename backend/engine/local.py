"""Answer titles with a loaded model."""

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from transformers import PreTrainedModel

from backend.data.templates import Renderer
from backend.engine.answering import Answerer, generated
from backend.engine.requests import Request
from backend.engine.titles import Written, never
from backend.machine import device_name
from studio.contract import AnsweringSpec, EngineUsed
from studio.samples.scheme import Scheme

_REPEATED = 16
_REPEATED_AT_ONCE = 4


class LocalAnswering:
    """Answers titles with a loaded model under a scheme's prompt.

    `quotes_from_title`: quotations in a chain are held to the title (cross-validated over the training
    rows: chain accuracy 70.0 without and 70.8 with it, docs/experiments.md, 2026-11-27).
    `sampling`: temperature, top_p, top_k and a seed; each title is sampled with a seed of its own.
    `categories_only`: what follows the thought is one of the categories, and nothing follows that.

    On a GPU the first answers are written once more in other company when all are there: sums are
    rounded differently there for another number of rows, and `describe` says how many differ.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        renderer: Renderer,
        scheme: Scheme,
        *,
        max_new_tokens: int,
        batch_size: int,
        quotes_from_title: bool = True,
        categories_only: bool = False,
        sampling: Mapping[str, Any] | None = None,
    ) -> None:
        self.answerer = Answerer(model, renderer, slots=batch_size)
        self.scheme = scheme
        self.max_new_tokens = max_new_tokens
        self.quotes_from_title = quotes_from_title
        self.categories_only = categories_only
        self.sampling = {"seed": 0, **(sampling or {})}
        self.repeated: tuple[int, int] | None = None

    @classmethod
    def of(
        cls, spec: AnsweringSpec, model: PreTrainedModel, renderer: Renderer, scheme: Scheme
    ) -> "LocalAnswering":
        """Answer with a loaded model as a spec says."""
        return cls(
            model,
            renderer,
            scheme,
            max_new_tokens=spec.max_new_tokens,
            batch_size=spec.batch_size,
            quotes_from_title=spec.quotes_from_title,
            categories_only=spec.categories_only,
            sampling={
                "temperature": spec.temperature,
                "top_p": spec.top_p,
                "top_k": spec.top_k,
                "seed": spec.sampling_seed,
            },
        )

    def answer(
        self, titles: Sequence[str], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Written]]:
        """Write an answer with a think chain to each title, as it finishes: (its index, the answer)."""
        requests = self.answerer.title_requests(
            titles,
            self.scheme.prompt,
            self.answerer.decoding(self.max_new_tokens, **self.sampling),
            quotes_from_title=self.quotes_from_title,
            categories=self.scheme.names if self.categories_only else (),
        )
        if self.sampling.get("temperature"):
            requests = [_with_seed(request, number) for number, request in enumerate(requests)]
        engine = self.answerer.engine
        first: dict[int, str] = {}
        for index, answer in engine.run(requests, stop=stop):
            if index < _REPEATED:
                first[index] = answer.text
            yield index, generated(answer)
        if self.repeated is None and engine.decoder.device.type == "cuda" and not stop():
            self.repeated = self._count_flips(requests[:_REPEATED], first, stop)

    def _count_flips(
        self, requests: Sequence[Request], first: dict[int, str], stop: Callable[[], bool]
    ) -> tuple[int, int]:
        """Answer the first requests again, few at a time; return how many answers differ, and of how many."""
        engine = self.answerer.engine
        slots, engine.slots = engine.slots, _REPEATED_AT_ONCE
        try:
            again = dict(engine.run(requests, stop=stop))
        finally:
            engine.slots = slots
        return sum(answer.text != first[index] for index, answer in again.items()), len(again)

    def score(
        self, titles: Sequence[str], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, dict[str, float]]]:
        """Score the categories of each title after an empty chain, as it finishes: their probabilities."""
        prompts = self.answerer.render_prompts(titles, self.scheme.prompt)
        return self.answerer.scored(prompts, self.scheme.names, stop=stop)

    def describe(self) -> EngineUsed:
        """Describe the engine, for the record beside the scores."""
        return EngineUsed(
            name="studio",
            version=_own_version(),
            dtype=str(self.answerer.model.dtype).removeprefix("torch."),
            device=device_name(),
            batch=self.answerer.slots,
            repeated=self.repeated,
            quotes_from_title=self.quotes_from_title,
            categories_only=self.categories_only,
        )


def _with_seed(request: Request, number: int) -> Request:
    """Give a request the seed of its place, so that the samples of one title differ."""
    return replace(request, decoding=replace(request.decoding, seed=request.decoding.seed + number))


def _own_version() -> str:
    try:
        return importlib.metadata.version("news-studio")
    except importlib.metadata.PackageNotFoundError:
        return ""
