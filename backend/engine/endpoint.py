r"""Answer titles by a model at an OpenAI-compatible endpoint.

With a renderer the studio writes the whole prompt and sends its tokens (`/v1/completions`): what
people wrote is then text and no mark, and the answer begins inside its thought, as in training.
Without one the endpoint's own chat template does (`/v1/chat/completions`), and the answer is read
in whatever form it comes: its thought in a field of its own, inline, or opened by the template.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from backend.clients.endpoint import CompletionFailed, Endpoint, Retryable, read_endpoint_key
from backend.data.encoding import tokenize
from backend.data.templates import THOUGHT, Renderer
from backend.engine.endpoint_scoring import EndpointScorer
from backend.engine.titles import Written, never
from studio.contract import EndpointSpec, EngineUsed
from studio.errors import InputError, TeacherUnavailable
from studio.language import say
from studio.samples.canonical import CLOSE, OPEN, write_question
from studio.samples.scheme import Scheme

log = logging.getLogger(__name__)

ANSWER_TOKENS = 16
"""Tokens of the limit that are reserved for the answer after the thought."""
REPEAT_WINDOW = 24
"""Last tokens that a repetition penalty applies to, where the endpoint can limit it."""
REFUSALS_AT_FIRST = 4
"""So many titles in succession without one answer mean that no title will get one."""
_POLL_SECONDS = 0.2

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How an endpoint chooses tokens; temperature 0 takes the likeliest."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None

    def fields(self) -> dict[str, Any]:
        """Return the fields of a request; what is at its default stays the endpoint's business."""
        fields: dict[str, Any] = {"temperature": self.temperature}
        if self.temperature > 0 and self.top_p < 1:
            fields["top_p"] = self.top_p
        if self.temperature > 0 and self.seed is not None:
            fields["seed"] = self.seed
        return fields


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Message(_Loose):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(_Loose):
    text: str | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Usage(_Loose):
    completion_tokens: int = 0


class _Document(_Loose):
    choices: list[_Choice]
    usage: _Usage | None = None


class EndpointAnswering:
    """Answers titles at an endpoint, several at once.

    Args:
        spec: the endpoint.
        scheme: its prompt and categories.
        renderer: of the model that the endpoint serves; None: the endpoint's template writes the prompts.
        max_new_tokens: longest answer in tokens.
        penalty: the served model's repetition penalty, where the studio writes the prompts.
        failures_in_a_row: titles that the endpoint may fail, after all attempts, before it counts as down; of
            fewer each is an answer with its problem.
    """

    def __init__(
        self,
        spec: EndpointSpec,
        scheme: Scheme,
        *,
        renderer: Renderer | None,
        max_new_tokens: int,
        penalty: float = 1.0,
        failures_in_a_row: int = 1,
    ) -> None:
        self.spec = spec
        self.scheme = scheme
        self.renderer = renderer
        self.sampling = Sampling(max_new_tokens=max_new_tokens)
        self.penalty = penalty
        self.failures_in_a_row = failures_in_a_row
        self._runner = asyncio.Runner()
        self._key = read_endpoint_key(spec)
        self._endpoint: Endpoint | None = None
        self._used: EngineUsed | None = None
        self._scorer: EndpointScorer | None = None
        self._answered = False

    def close(self) -> None:
        """Close the connections."""
        if self._endpoint is not None:
            self._runner.run(self._endpoint.close())
        self._runner.close()

    def answer(
        self, titles: Sequence[str], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Written]]:
        """Answer titles greedily, each as it finishes; see `sample` for errors and for what a lost one is."""
        for index, written in self.sample(titles, self.sampling, stop=stop):
            yield index, written[0]

    def sample(
        self, titles: Sequence[str], sampling: Sampling, *, n: int = 1, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, list[Written]]]:
        """Sample n answers to each title, as they finish: (index of the title, its answers).

        A title that the endpoint refuses, and no other, gets unfinished empty answers with the problem.

        Raises:
            TeacherUnavailable: the endpoint does not answer, or refuses the first titles one after the other.
            InputError: it takes no tokens as a prompt.
        """
        used = self.describe()

        async def written(title: str) -> list[Written]:
            return await self._several(title, sampling, n, used)

        def lost(problem: str) -> list[Written]:
            return [Written(text="", tokens=0, finished=False, problem=problem)] * n

        yield from self._as_they_finish(titles, written, lost, stop)

    def score(
        self, titles: Sequence[str], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, dict[str, float]]]:
        """Score the categories of titles after an empty chain, each as it finishes.

        Raises:
            InputError: the endpoint does not tell the probabilities that this takes.
            TeacherUnavailable: it does not answer.
        """
        if self.renderer is None:
            raise InputError(
                say(
                    "这个接口不知道模型的分词器，无法给类别打分。",
                    "Without the model's own tokenizer the categories cannot be scored at an endpoint.",
                ),
                remedy=say(
                    "请指明接口上是哪个本地模型或运行，或改用思维链方式（chain）。",
                    "Name the model or run of this machine that it serves, or answer with chain.",
                ),
            )
        if self._scorer is None:
            self._scorer = EndpointScorer(self._client(), self.renderer, self.scheme)
        yield from self._as_they_finish(titles, self._scorer.score, None, stop)

    def describe(self) -> EngineUsed:
        """Ask the endpoint what it is, once."""
        if self._used is None:
            self._used = self._runner.run(self._describe())
        return self._used

    def _client(self) -> Endpoint:
        if self._endpoint is None:
            self._endpoint = Endpoint(self.spec, self._key)
        return self._endpoint

    def _as_they_finish(
        self,
        titles: Sequence[str],
        work: Callable[[str], Coroutine[Any, Any, T]],
        lost: Callable[[str], T] | None,
        stop: Callable[[], bool],
    ) -> Iterator[tuple[int, T]]:
        """Work on `concurrency` titles at once; the loop runs only while the next result is waited for."""
        waiting = iter(enumerate(titles))
        tasks: dict[asyncio.Task[T], int] = {}
        refused = failed = 0
        self._client()
        try:
            while not stop():
                while len(tasks) < self.spec.concurrency and (one := next(waiting, None)):
                    tasks[self._runner.get_loop().create_task(work(one[1]))] = one[0]
                if not tasks:
                    return
                for task in self._runner.run(_first(tasks)):
                    index = tasks.pop(task)
                    try:
                        result = task.result()
                    except CompletionFailed as failure:
                        refused += 1
                        failed = failed + 1 if failure.is_endpoint else 0
                        if failed >= self.failures_in_a_row or lost is None:
                            raise self._down(failure.problem) from failure
                        if not self._answered and refused >= min(REFUSALS_AT_FIRST, len(titles)):
                            raise self._down(failure.problem) from failure
                        log.warning("title %d of %d: %s", index + 1, len(titles), failure.problem)
                        result = lost(failure.problem)
                    else:
                        self._answered, failed = True, 0
                    yield index, result
        finally:
            for task in tasks:
                task.cancel()
            self._runner.run(_ended(tasks))

    async def _several(self, title: str, sampling: Sampling, n: int, used: EngineUsed) -> list[Written]:
        """Request n answers; an endpoint that gives fewer at once is asked again, with another seed."""
        found: list[Written] = []
        while len(found) < n:
            seed = None if sampling.seed is None else sampling.seed + len(found)
            fields = {
                **sampling.fields(),
                **({} if seed is None or not sampling.temperature else {"seed": seed}),
            }
            if (missing := n - len(found)) > 1:
                fields["n"] = missing
            if self.renderer is None:
                found += await self._chat(title, fields, sampling.max_new_tokens)
            else:
                found += await self._rendered(self.renderer, title, fields, sampling.max_new_tokens, used)
        return found[:n]

    async def _chat(self, title: str, fields: dict[str, Any], limit: int) -> list[Written]:
        question = write_question(self.scheme.prompt, title)
        asked = {"messages": [{"role": "user", "content": question}], "max_tokens": limit, **fields}
        document, _ = await self._client().ask("chat", asked, _read)
        tokens = document.usage.completion_tokens if document.usage else 0
        return [
            Written(
                text=_whole_text(choice.message or _Message()),
                tokens=tokens // len(document.choices),
                finished=choice.finish_reason in ("stop", None),
            )
            for choice in document.choices
        ]

    async def _rendered(
        self, renderer: Renderer, title: str, fields: dict[str, Any], limit: int, used: EngineUsed
    ) -> list[Written]:
        prompt = renderer.prompt([{"role": "user", "content": write_question(self.scheme.prompt, title)}])
        ids = tokenize(renderer, prompt) + tokenize(renderer, renderer.open_thought(prompt))
        asked = {"max_tokens": max(limit - ANSWER_TOKENS, 1), **self._decoding(used), **fields}
        document = await self._continue(ids, asked)
        tokens = (document.usage.completion_tokens if document.usage else 0) // len(document.choices)
        return [
            await self._ended_answer(renderer, ids, choice, tokens, penalized="stop" in asked)
            for choice in document.choices
        ]

    def _decoding(self, used: EngineUsed) -> dict[str, Any]:
        """Translate the model's repetition penalty, which belongs into the thought alone.

        Only llama.cpp can limit it to the last tokens; the thought is then asked for without the answer.
        """
        if self.penalty == 1.0 or used.name != "llama.cpp":
            return {}
        return {"repeat_penalty": self.penalty, "repeat_last_n": REPEAT_WINDOW, "stop": [CLOSE]}

    async def _ended_answer(
        self, renderer: Renderer, ids: list[int], choice: _Choice, tokens: int, *, penalized: bool
    ) -> Written:
        """Return a choice as an answer; one that is still in its thought is closed and asked to answer."""
        text, cut = choice.text or "", choice.finish_reason == "length"
        is_open = CLOSE not in text
        if not is_open and not cut:
            return Written(text=THOUGHT + text, tokens=tokens, finished=True)
        thought = text.rstrip() + f"\n{CLOSE}" if is_open else text
        rest = await self._continue(
            ids + tokenize(renderer, thought), {"max_tokens": ANSWER_TOKENS, "temperature": 0.0}
        )
        ended = rest.choices[0]
        return Written(
            text=THOUGHT + thought + (ended.text or ""),
            tokens=tokens + (rest.usage.completion_tokens if rest.usage else 0),
            finished=ended.finish_reason in ("stop", None),
            forced=is_open and (cut or not penalized),
        )

    async def _continue(self, ids: list[int], fields: dict[str, Any]) -> _Document:
        try:
            document, _ = await self._client().ask("completions", {"prompt": ids, **fields}, _read)
        except CompletionFailed as failure:
            if self._answered or failure.is_endpoint:
                raise
            raise takes_no_tokens(failure.problem) from failure
        return document

    async def _describe(self) -> EngineUsed:
        client = self._client()
        listed = await client.describe("/models")
        entries = [entry for entry in listed.get("data") or [] if isinstance(entry, dict)]
        own = next((entry for entry in entries if _is_named(entry, self.spec.model)), None)
        if own is None and entries:
            names = ", ".join(str(entry.get("id")) for entry in entries[:8])
            log.warning("the endpoint lists no model %s, but %s", self.spec.model, names)
        entry = own or (entries[0] if len(entries) == 1 else {})
        name = _NAMES.get(str(entry.get("owned_by", "")).lower(), "endpoint")
        root = self.spec.base_url.removesuffix("/v1")
        about = await client.describe(root + _ABOUT[name]) if name in _ABOUT else {}
        meta = entry.get("meta") or {}
        return EngineUsed(
            name=name,
            version=str(about.get("version") or about.get("build_info") or ""),
            model=str(entry.get("id") or self.spec.model),
            dtype=str(meta.get("ftype") or about.get("dtype") or ""),
            device=urlsplit(self.spec.base_url).hostname or "",
            batch=self.spec.concurrency,
            prompts="chat" if self.renderer is None else "rendered",
        )

    def _down(self, problem: str) -> TeacherUnavailable:
        return TeacherUnavailable(
            say(
                f"{self.spec.base_url} 没有给出可用的回答：{problem}",
                f"{self.spec.base_url} gave no usable answer: {problem}",
            ),
            remedy=say(
                "请检查地址、模型名、附加参数和接口是否在运行，然后继续这个任务；已有的回答都在。",
                "Check the address, the model's name, the further fields and that the endpoint is running; "
                "then resume the job. The answers so far are kept.",
            ),
        )


_NAMES = {"vllm": "vLLM", "sglang": "SGLang", "llamacpp": "llama.cpp", "library": "Ollama"}
"""The engine, by the owner that it lists its models under."""
_ABOUT = {"vLLM": "/version", "SGLang": "/get_server_info", "llama.cpp": "/props", "Ollama": "/api/version"}


def takes_no_tokens(problem: str) -> InputError:
    """Make the error for an endpoint that refuses tokens as a prompt."""
    return InputError(
        say(
            f"这个接口不接受由词元组成的提示：{problem}",
            f"The endpoint refuses a prompt of tokens: {problem}",
        ),
        remedy=say(
            "请不要指明本地模型，让接口用它自己的对话模板；或用 vLLM、SGLang、llama.cpp 运行这个模型。",
            "Leave the model of this machine out, so that the endpoint's own chat template is used; "
            "or run the model with vLLM, SGLang or llama.cpp.",
        ),
    )


def _is_named(entry: dict[str, Any], name: str) -> bool:
    names = [str(entry.get("id")), *map(str, entry.get("aliases") or [])]
    return name in names or f"{name}:latest" in names


def _whole_text(message: _Message) -> str:
    """Write a chat message as one answer, its thought before it, whichever field that came in."""
    content = (message.content or "").strip()
    thought = (message.reasoning_content or message.reasoning or "").strip()
    if thought and CLOSE not in content:
        return f"{THOUGHT}{thought}\n{CLOSE}\n\n{content}" if content else THOUGHT + thought
    if CLOSE in content and OPEN not in content:
        return THOUGHT + content
    return content


def _read(body: bytes) -> _Document:
    try:
        document = _Document.model_validate_json(body)
    except ValidationError as error:
        shown = " ".join(body[:80].decode("utf-8", errors="replace").split())
        raise Retryable(
            say(f"回答不是 OpenAI 格式的 JSON：{shown}", f"the answer is not OpenAI-style JSON: {shown}")
        ) from error
    if not document.choices:
        raise Retryable(say("回答是空的", "the answer is empty"))
    return document


async def _first(tasks: dict[asyncio.Task[T], int]) -> set[asyncio.Task[T]]:
    done, _ = await asyncio.wait(tasks, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _ended(tasks: dict[asyncio.Task[T], int]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
