"""Hold the models of one server: one base in memory, and the adapters that are served on it by name.

prompt      a conversation or a text to tokens, refused where it is longer than the context
submit      an answer to be written by one of the models
score       the categories' probabilities (direct answers)
"""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from transformers import PreTrainedModel

from backend.data.encoding import tokenize, tokenize_answer
from backend.data.templates import Message, Renderer
from backend.engine.answering import Answerer, marks
from backend.engine.constraints import Constraint
from backend.engine.engine import Engine
from backend.engine.loop import EngineLoop, EngineStopped, QueueFull, Ticket
from backend.engine.requests import Decoding, Request
from backend.modeling.adapters import attach_adapter, require_fitting
from backend.modeling.loading import load_model, on_device
from backend.modeling.tokenizers import load_tokenizer
from backend.serving.adapters import AdapterEngines, AdapterSwitch
from backend.serving.calibration import StoredCalibration
from backend.serving.capacity import plan
from backend.serving.errors import ApiError, busy, stopped
from backend.serving.tokens import TokenTexts
from studio.contract import ServedModel, ServeSpec
from studio.language import say
from studio.samples.canonical import write_answer
from studio.samples.scheme import Scheme

log = logging.getLogger(__name__)
T = TypeVar("T")

_CHARACTERS_A_TOKEN = 16
"""More characters than a token has on average in any text worth reading: longer texts are not tokenized."""


@dataclass(frozen=True)
class Served:
    """A model as the API names it. `adapter`: its name among the loaded ones; None: the base alone."""

    name: str
    adapter: str | None
    answerer: Answerer
    calibration: StoredCalibration

    @property
    def renderer(self) -> Renderer:
        """What renders its prompts."""
        return self.answerer.renderer


class ModelSet:
    """The loaded models of one server, and the loop that computes for all of them."""

    def __init__(self, spec: ServeSpec, scheme: Scheme) -> None:
        self.spec = spec
        self.scheme = scheme
        for one in spec.models:
            require_fitting(one.adapter_name_or_path, spec.model_name_or_path)
        self.model, adapters, self.switch = _load(spec.model_name_or_path, spec.models)
        capacity = plan(self.model, slots=spec.slots, context=spec.max_context, engines=len(spec.models))
        self.context = capacity.context
        self.models = {
            one.name: Served(
                one.name,
                adapters.get(one.adapter_name_or_path),
                Answerer(self.model, _renderer(spec, one), slots=capacity.slots),
                StoredCalibration(one.calibration_file),
            )
            for one in spec.models
        }
        first = self.all[0]
        self.texts = TokenTexts(first.renderer.tokenizer, hidden=marks(first.renderer).end)
        self.loop = EngineLoop(self._engine(), queue_limit=spec.queue_limit)
        self._closing = self.failed = False
        self.on_failure: Callable[[], object] = lambda: None
        self._scoring = 0
        # Its own threads: long texts of many clients must not keep /health from an answer.
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="tokenize")

    def _engine(self) -> Engine:
        engines = {served.name: served.answerer.engine for served in self.all}
        if len(engines) == 1:
            return self.all[0].answerer.engine
        adapters = {served.name: served.adapter for served in self.all}
        # The loop asks no more of an engine than these have.
        return cast(Engine, AdapterEngines(engines, adapters, self.switch))

    @property
    def all(self) -> Sequence[Served]:
        """All models, in the order of the spec."""
        return list(self.models.values())

    def find(self, name: str | None) -> Served:
        """Find a model by name; without one the first.

        Raises:
            ApiError: 404, with the names that there are.
        """
        if name is None:
            return self.all[0]
        if name not in self.models:
            known = ", ".join(self.models)
            raise ApiError(
                404,
                say(
                    f"没有名为 {name} 的模型。这里有：{known}",
                    f"The model '{name}' does not exist. There are: {known}",
                ),
                param="model",
                code="model_not_found",
            )
        return self.models[name]

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Run what takes a while beside the event loop, in the language of the caller."""
        run = contextvars.copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self.threads, run, function)

    def chat_prompt(
        self, served: Served, messages: Sequence[Message], *, thinks: bool, param: str
    ) -> list[int]:
        """Tokenize a conversation up to where the answer begins, the thought opened or empty."""
        self._require_short(sum(len(message["content"]) for message in messages), param)
        renderer = served.renderer
        prompt = renderer.prompt(messages)
        if thinks:
            opened = tokenize(renderer, renderer.open_thought(prompt))
        else:
            opened = tokenize_answer(renderer, renderer.answer(write_answer("", "."), prompt))[0]
        return self._fitting([*tokenize(renderer, prompt), *opened], param)

    def plain_prompt(self, served: Served, prompt: str | Sequence[int], *, param: str) -> list[int]:
        """Tokenize a text as it is: marks in it are marks; tokens are taken as they are."""
        tokenizer = served.renderer.tokenizer
        if isinstance(prompt, str):
            self._require_short(len(prompt), param)
            ids: list[int] = tokenizer(prompt)["input_ids"]
        else:
            ids = list(prompt)
        return self._fitting(ids or [tokenizer.bos_token_id or tokenizer.eos_token_id or 0], param)

    @property
    def _vocabulary(self) -> int:
        embedding: Any = self.model.get_input_embeddings()
        return int(embedding.num_embeddings)

    def room(self, prompt: Sequence[int], limit: int | None) -> int:
        """Return the longest answer in tokens: the client's limit or ours, and never more than fits."""
        return min(limit or self.spec.max_new_tokens, self.context - len(prompt))

    def submit(
        self,
        served: Served,
        prompts: Sequence[Sequence[int]],
        decodings: Sequence[Decoding],
        constraints: Sequence[Constraint] = (),
    ) -> list[Ticket]:
        """Submit the answers of one request: all of them or none.

        Raises:
            ApiError: 429, the queue is full; 503, the engine has ended.
        """
        tickets: list[Ticket] = []
        try:
            for prompt, decoding in zip(prompts, decodings, strict=True):
                request = Request(
                    prompt=prompt, decoding=decoding, constraints=tuple(constraints), adapter=served.name
                )
                tickets.append(self.loop.submit(request))
        except QueueFull as error:
            for ticket in tickets:
                ticket.cancel()
            raise busy() from error
        except EngineStopped as error:
            raise self.stopped() from error
        return tickets

    async def score(self, served: Served, titles: Sequence[str]) -> list[dict[str, float]]:
        """Score titles directly: the probability of each category.

        Raises:
            ApiError: 429, too many wait to be scored.
        """
        if self._scoring >= self.spec.queue_limit:
            raise busy()

        def compute() -> list[dict[str, float]]:
            self.switch.choose(served.adapter)
            prompts = served.answerer.render_prompts(titles, self.scheme.prompt)
            return served.answerer.score(prompts, self.scheme.names)

        self._scoring += 1
        try:
            return await asyncio.wrap_future(self.loop.call(compute))
        except EngineStopped as error:
            raise self.stopped() from error
        finally:
            self._scoring -= 1

    def stopped(self) -> ApiError:
        """Make the error for an engine that has stopped; one that failed takes the server with it."""
        if not self._closing:
            self.failed = True
            self.on_failure()
        return stopped()

    def close(self) -> None:
        """End the computing; what is not answered is cut off."""
        self._closing = True
        self.loop.close()
        self.threads.shutdown(wait=False, cancel_futures=True)

    def _require_short(self, characters: int, param: str) -> None:
        if characters > self.context * _CHARACTERS_A_TOKEN:
            raise _too_long(param, self.context, say(f"{characters:,} 个字", f"{characters:,} characters"))

    def _fitting(self, ids: list[int], param: str) -> list[int]:
        if len(ids) >= self.context:
            raise _too_long(param, self.context, say(f"{len(ids):,} 个词元", f"{len(ids):,} tokens"))
        # Also of a text: some tokenizers know marks that their model has no row for.
        if min(ids) < 0 or max(ids) >= self._vocabulary:
            raise ApiError(
                400,
                say(
                    f"{param} 里有模型没有的词元。", f"'{param}' holds a token that the model does not have."
                ),
                param=param,
                code="invalid_value",
            )
        return ids


def _too_long(param: str, context: int, asked: str) -> ApiError:
    return ApiError(
        400,
        say(
            # The English half sentence is what clients look for, whatever language the server speaks.
            "这个模型的上下文最长 {context} 个词元"
            "（This model's maximum context length is {context} tokens），"
            "{param} 有 {asked}，回答没有位置了。请缩短它。",
            "This model's maximum context length is {context} tokens, and '{param}' has {asked}: there is "
            "no room for an answer. Shorten it.",
            context=context,
            param=param,
            asked=asked,
        ),
        param=param,
        code="context_length_exceeded",
    )


def _renderer(spec: ServeSpec, one: ServedModel) -> Renderer:
    folder = one.adapter_name_or_path or spec.model_name_or_path
    return Renderer(load_tokenizer(folder, spec.model_name_or_path), one.template)


def _load(
    base: Path, models: Sequence[ServedModel]
) -> tuple[PreTrainedModel, dict[Path | None, str], AdapterSwitch]:
    """Load the base with its adapters: a single one merged, several beside each other by name."""
    folders = list(dict.fromkeys(one.adapter_name_or_path for one in models))
    if len(folders) == 1:
        return on_device(load_model(base, folders[0])), {}, AdapterSwitch()
    adapted: Any = load_model(base)
    names: dict[Path | None, str] = {}
    for number, folder in enumerate(folder for folder in folders if folder is not None):
        names[folder] = f"adapter{number}"
        adapted = attach_adapter(adapted, folder, base, name=names[folder])
    log.info("%d adapters on one base", len(names))
    # The base with the adapters' layers in it; which of them is active, the switch says.
    return on_device(adapted.get_base_model()).eval(), names, AdapterSwitch(adapted)
