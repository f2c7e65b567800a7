"""Score categories at an endpoint by the probability of their tokens.

p(category) is proportional to the probability of its whole continuation after an empty chain, end
token included: what the studio's own engine computes. Endpoints tell it in two ways:

    echo    the log probabilities of a prompt's own tokens: vLLM, SGLang
    tops    those of the likeliest next tokens, by number, and of one that a bias forces: llama.cpp, vLLM

Others (Ollama, hosted chat models) tell the 20 likeliest texts after their own template at most; that
is no score of these categories, so they are refused. Knows no file and no row.
"""

import asyncio
import json
import math
from collections.abc import Sequence
from typing import Any, Literal

from backend.clients.endpoint import CompletionFailed, Endpoint, Retryable
from backend.data.encoding import tokenize, tokenize_answer
from backend.data.templates import Renderer
from studio.errors import InputError
from studio.language import say
from studio.samples.canonical import write_answer, write_question
from studio.samples.scheme import Scheme

TOPS = 20
"""Alternatives asked for at each place: as many as every endpoint gives."""
FORCING_BIAS = 100
AGREEMENT = 0.05
"""Nats by which a forced token may differ from itself unforced; more: the bias is in the probability."""

Way = Literal["echo", "tops"]


class EndpointScorer:
    """Scores the categories of titles; finds out with the first how the endpoint tells probabilities."""

    def __init__(self, endpoint: Endpoint, renderer: Renderer, scheme: Scheme) -> None:
        self._endpoint = endpoint
        self._renderer = renderer
        self._scheme = scheme
        self._way: Way | None = None
        self._forces: bool | None = None
        self._finding_out = asyncio.Lock()

    async def score(self, title: str) -> dict[str, float]:
        """Score the categories of a title.

        Raises:
            InputError: the endpoint does not tell the probabilities.
            CompletionFailed: it did not answer.
        """
        question = write_question(self._scheme.prompt, title)
        prompt = self._renderer.prompt([{"role": "user", "content": question}])
        shared, continuations = self._continuations(prompt)
        prefix = tokenize(self._renderer, prompt) + shared
        if self._way is None:
            async with self._finding_out:
                if self._way is None:
                    self._way = await self._find_way(prefix, continuations[0])
        scores = (
            await self._by_echo(prefix, continuations)
            if self._way == "echo"
            else await self._by_tops(prefix, continuations)
        )
        highest = max(scores)
        weights = [math.exp(score - highest) for score in scores]
        return {name: weight / sum(weights) for name, weight in zip(self._scheme.names, weights, strict=True)}

    def _continuations(self, prompt: str) -> tuple[list[int], list[list[int]]]:
        """Tokenize the answers with an empty chain: their common beginning, and what follows of each."""
        answers = [self._renderer.answer(write_answer("", name), prompt) for name in self._scheme.names]
        rows = [[*thought, *rest] for thought, rest in (tokenize_answer(self._renderer, a) for a in answers)]
        shared = 0
        while all(len(row) > shared + 1 and row[shared] == rows[0][shared] for row in rows):
            shared += 1
        return rows[0][:shared], [row[shared:] for row in rows]

    async def _find_way(self, prefix: list[int], continuation: list[int]) -> Way:
        try:
            if await self._echoed(prefix, continuation) is not None:
                return "echo"
        except CompletionFailed as failure:
            if failure.is_endpoint:
                raise
        try:
            if await self._next(prefix) is not None:
                return "tops"
        except CompletionFailed as failure:
            if failure.is_endpoint:
                raise
            raise _untold(failure.problem) from failure
        raise _untold(say("回答里没有词元的概率", "its answer has no probabilities of tokens"))

    async def _by_echo(self, prefix: list[int], continuations: Sequence[list[int]]) -> list[float]:
        found = []
        for continuation in continuations:
            score = await self._echoed(prefix, continuation)
            if score is None:
                raise _untold(say("回答里缺少提示的概率", "its answer lacks the prompt's probabilities"))
            found.append(score)
        return found

    async def _echoed(self, prefix: list[int], continuation: list[int]) -> float | None:
        """Read the log probability of a continuation that is sent as part of the prompt; None: not told."""
        fields = {
            "prompt": prefix + continuation,
            "max_tokens": 1,
            "echo": True,
            "logprobs": 1,
            "temperature": 0.0,
        }
        told = await self._ask(fields)
        values = told.get("token_logprobs")
        end = len(prefix) + len(continuation)
        if not isinstance(values, list) or len(values) < end:
            return None
        wanted = values[len(prefix) : end]
        return sum(wanted) if all(isinstance(value, int | float) for value in wanted) else None

    async def _by_tops(self, prefix: list[int], continuations: Sequence[list[int]]) -> list[float]:
        """Walk the continuations token by token; what two of them begin with is asked for once."""
        known: dict[tuple[int, ...], dict[int, float]] = {}
        scores = [0.0] * len(continuations)
        for index, continuation in enumerate(continuations):
            for place, token in enumerate(continuation):
                path = tuple(continuation[:place])
                if path not in known:
                    known[path] = await self._next([*prefix, *path]) or {}
                if token not in known[path]:
                    known[path][token] = await self._unlisted([*prefix, *path], token, known[path])
                scores[index] += known[path][token]
        return scores

    async def _unlisted(self, prompt: list[int], token: int, tops: dict[int, float]) -> float:
        """Find the log probability of a token that is not among the likeliest, by forcing it."""
        if self._forces is None:
            likeliest = max(tops, key=lambda one: tops[one])
            other = min(tops, key=lambda one: tops[one])
            forced = [await self._forced(prompt, one) for one in (likeliest, other)]
            self._forces = all(
                value is not None and abs(value - tops[one]) < AGREEMENT
                for one, value in zip((likeliest, other), forced, strict=True)
            )
        value = await self._forced(prompt, token) if self._forces else None
        if value is None:
            raise _untold(
                say(
                    f"它只给出最可能的 {len(tops)} 个词元的概率，缺少某些类别的",
                    f"it tells the {len(tops)} likeliest tokens only, and some category is not among them",
                )
            )
        return value

    async def _forced(self, prompt: list[int], token: int) -> float | None:
        told = await self._next(prompt, logit_bias={str(token): FORCING_BIAS})
        return (told or {}).get(token)

    async def _next(self, prompt: list[int], **fields: Any) -> dict[int, float] | None:
        """Read the log probabilities of the next token, by its number; None where they are not told so."""
        asked = {
            "prompt": prompt,
            "max_tokens": 1,
            "logprobs": TOPS,
            "temperature": 0.0,
            "return_tokens_as_token_ids": True,  # vLLM; llama.cpp gives the numbers anyway
        }
        told = await self._ask({**asked, **fields})
        content = told.get("content")
        if isinstance(content, list) and content:
            entries = [content[0], *content[0].get("top_logprobs", [])]
            return {one["id"]: one["logprob"] for one in entries if "id" in one} or None
        tops, chosen = told.get("top_logprobs"), told.get("token_logprobs")
        if not isinstance(tops, list) or not tops or not isinstance(chosen, list):
            return None
        named = {**tops[0], told["tokens"][0]: chosen[0]}
        numbered = {_number(name): value for name, value in named.items()}
        return None if None in numbered else {token: v for token, v in numbered.items() if token is not None}

    async def _ask(self, fields: dict[str, Any]) -> dict[str, Any]:
        told, _ = await self._endpoint.ask("completions", fields, _logprobs)
        return told


def _number(name: str) -> int | None:
    number = name.removeprefix("token_id:")
    return int(number) if number != name and number.isdecimal() else None


def _logprobs(body: bytes) -> dict[str, Any]:
    try:
        choice = json.loads(body)["choices"][0]
        told = choice.get("logprobs") or {}
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Retryable(say("回答不是 OpenAI 格式的 JSON", "the answer is not OpenAI-style JSON")) from error
    return told if isinstance(told, dict) else {}


def _untold(problem: str) -> InputError:
    return InputError(
        say(
            f"这个接口给不出类别的概率，无法直接打分：{problem}。",
            f"The endpoint does not tell the probabilities that direct scoring takes: {problem}.",
        ),
        remedy=say(
            "请改用思维链方式（chain），或用 vLLM、SGLang、llama.cpp 运行这个模型。",
            "Answer with chain instead, or run the model with vLLM, SGLang or llama.cpp.",
        ),
    )
