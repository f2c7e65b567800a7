"""Answer titles with a loaded model."""

import importlib.metadata
from collections.abc import Callable, Iterator, Sequence

from transformers import PreTrainedModel

from backend.data.templates import Renderer
from backend.engine.answering import SCORED_AT_ONCE, Answerer
from backend.engine.titles import Written, never
from backend.machine import device_name
from studio.contract import EngineUsed
from studio.samples.scheme import Scheme

_REPEATED = 16
_REPEATED_AT_ONCE = 4


class LocalAnswering:
    """Answers titles with a loaded model under a scheme's prompt.

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
    ) -> None:
        self.answerer = Answerer(model, renderer, slots=batch_size)
        self.scheme = scheme
        self.max_new_tokens = max_new_tokens
        self.repeated: tuple[int, int] | None = None

    def answer(
        self, titles: Sequence[str], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Written]]:
        """Write an answer with a think chain to each title, as it finishes: (its index, the answer)."""
        prompts = self.answerer.render_prompts(titles, self.scheme.prompt)
        decoding = self.answerer.decoding(self.max_new_tokens)
        first: dict[int, str] = {}
        for index, written in self.answerer.answer(prompts, decoding, stop=stop):
            if index < _REPEATED:
                first[index] = written.text
            yield index, written
        if self.answerer.engine.decoder.device.type == "cuda" and not stop():
            self.repeated = self._count_flips(prompts, first, stop)

    def _count_flips(
        self, prompts: Sequence[str], first: dict[int, str], stop: Callable[[], bool]
    ) -> tuple[int, int]:
        """Answer the first prompts again, few at a time; return how many answers differ, and of how many."""
        engine, decoding = self.answerer.engine, self.answerer.decoding(self.max_new_tokens)
        slots, engine.slots = engine.slots, _REPEATED_AT_ONCE
        try:
            again = dict(self.answerer.answer(prompts[:_REPEATED], decoding, stop=stop))
        finally:
            engine.slots = slots
        return sum(written.text != first[index] for index, written in again.items()), len(again)

    def score(
        self, titles: Sequence[str], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, dict[str, float]]]:
        """Score the categories of each title after an empty chain, as it finishes: their probabilities."""
        order = sorted(range(len(titles)), key=lambda index: len(titles[index]))
        for start in range(0, len(order), SCORED_AT_ONCE):
            if stop():
                return
            batch = order[start : start + SCORED_AT_ONCE]
            prompts = self.answerer.render_prompts([titles[index] for index in batch], self.scheme.prompt)
            yield from zip(batch, self.answerer.score(prompts, self.scheme.names), strict=True)

    def describe(self) -> EngineUsed:
        """Describe the engine, for the record beside the scores."""
        return EngineUsed(
            name="studio",
            version=_own_version(),
            dtype=str(self.answerer.model.dtype).removeprefix("torch."),
            device=device_name(),
            batch=self.answerer.slots,
            repeated=self.repeated,
        )


def _own_version() -> str:
    try:
        return importlib.metadata.version("news-studio")
    except importlib.metadata.PackageNotFoundError:
        return ""
