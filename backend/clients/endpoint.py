"""Request completions from an OpenAI-compatible endpoint: retry, back off, classify errors.

Transient failures are retried, a bounded number of times; what would fail for every request
ends the job. The key goes into the request and nowhere else: neither a log nor an error
shows it. This module knows no title and no think chain.
"""

import asyncio
import json
import logging
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import httpx2
import openai
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel, ConfigDict, ValidationError

from studio.contract import EndpointSpec
from studio.errors import TeacherUnavailable
from studio.language import say
from studio.system.network import is_loopback
from studio.teacher.key import URL_VARIABLE, is_environments, is_sendable, read_key

log = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 60.0
"""Cap on Retry-After: the job goes on with other titles, and resuming it drafts the rest."""
LARGEST_ANSWER_BYTES = 2 * 2**20
_QUESTION_SECONDS = 10.0
"""Longest wait for what an endpoint says about itself; nothing depends on it."""

Route = Literal["chat", "completions"]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """A completion without its reasoning, and the tokens as the endpoint counted them."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    attempts: int


class CompletionFailed(Exception):
    """A request got no completion; `problem` says why, `attempts` how often it was sent.

    `is_endpoint`: the endpoint failed, as it may for every request, and not this one request.
    """

    def __init__(self, problem: str, *, is_endpoint: bool, attempts: int = 1) -> None:
        super().__init__(problem)
        self.problem = problem
        self.is_endpoint = is_endpoint
        self.attempts = attempts


class Retryable(Exception):
    """A transient failure; `after` is the endpoint's Retry-After in seconds."""

    def __init__(self, problem: str, after: float | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.after = after


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")

    content: str | None = None


class _Choice(BaseModel):
    model_config = ConfigDict(extra="ignore")

    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    model_config = ConfigDict(extra="ignore")

    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(BaseModel):
    model_config = ConfigDict(extra="ignore")

    choices: list[_Choice]
    usage: _Usage | None = None


class Endpoint:
    """An endpoint, shared by all tasks of a job."""

    def __init__(self, spec: EndpointSpec, key: str | None) -> None:
        self._spec = spec
        self._key = key
        self._host = urlsplit(spec.base_url).hostname
        self._paused_until = 0.0
        self._tokens_field = "max_tokens"
        self._client = openai.AsyncOpenAI(
            base_url=spec.base_url,
            api_key=key or "not-needed",
            # Ours alone: the environment may name an organisation that is not this endpoint's business.
            organization="",
            project="",
            timeout=spec.timeout_seconds,
            max_retries=0,
            # A redirect would carry the titles to an address that nobody typed. A proxy of
            # the environment is for the world outside, not for this machine.
            http_client=openai.DefaultAsyncHttpxClient(
                follow_redirects=False, trust_env=not is_loopback(self._host)
            ),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def complete(
        self, messages: Sequence[ChatCompletionMessageParam], *, max_tokens: int, temperature: float | None
    ) -> Completion:
        """Request a chat completion, and read its text without its reasoning; errors as `ask` has them."""
        fields: dict[str, Any] = {"messages": list(messages), "max_tokens": max_tokens}
        if temperature is not None:
            fields["temperature"] = temperature
        (text, usage), attempts = await self.ask("chat", fields, _read)
        return Completion(
            text=text,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            attempts=attempts,
        )

    async def ask(self, route: Route, fields: Mapping[str, Any], read: Callable[[bytes], T]) -> tuple[T, int]:
        """Send a request, with as many retries as the spec allows; return what was read, and the attempts.

        `read` raises Retryable for what is no answer, and CompletionFailed for one of no use.

        Raises:
            CompletionFailed: this request got no answer.
            TeacherUnavailable: no request will get one: wrong key, model or address.
        """
        for attempt in range(1, self._spec.attempts + 1):
            await self._wait_for_pause()
            try:
                return read(await self._try(route, fields)), attempt
            except Retryable as failure:
                if attempt == self._spec.attempts:
                    raise CompletionFailed(failure.problem, is_endpoint=True, attempts=attempt) from failure
                await self._back_off(failure, attempt)
            except CompletionFailed as refusal:
                refusal.attempts = attempt
                raise
        raise AssertionError("the last attempt answers or raises")

    async def describe(self, path: str) -> dict[str, Any]:
        """Fetch what an endpoint says about itself, such as `/models`; empty where it says nothing."""
        try:
            async with asyncio.timeout(_QUESTION_SECONDS):
                answer = await self._client.get(path, cast_to=httpx2.Response)
            document = json.loads(answer.content)
        except (TimeoutError, openai.APIError, httpx2.HTTPError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}

    async def _wait_for_pause(self) -> None:
        while (wait := self._paused_until - time.monotonic()) > 0:
            await asyncio.sleep(wait)

    async def _back_off(self, failure: Retryable, attempt: int) -> None:
        """Back off: all tasks for the endpoint's Retry-After, else this one exponentially, with jitter."""
        log.warning("try %d of %d: %s", attempt, self._spec.attempts, failure.problem)
        if failure.after is not None:
            wait = min(failure.after, LONGEST_WAIT_SECONDS)
            self._paused_until = max(self._paused_until, time.monotonic() + wait)
            await asyncio.sleep(wait)
        else:
            # Jitter, so that tasks that failed together do not retry together.
            await asyncio.sleep(2 ** (attempt - 2) * random.uniform(1, 1.5))

    async def _try(self, route: Route, fields: Mapping[str, Any]) -> bytes:
        seconds = self._spec.timeout_seconds
        try:
            # The client's own timeout is for silence; this one is for an answer that does not end.
            async with asyncio.timeout(seconds):
                return await self._send(route, fields)
        except (TimeoutError, openai.APITimeoutError) as error:
            raise Retryable(
                say(f"{seconds:.0f} 秒内没有答完", f"no complete answer within {seconds:.0f} s")
            ) from error
        except openai.APIStatusError as error:
            raise self._status_error(error) from error
        # While a body is read, the client lets its HTTP library's errors through as they are.
        except (openai.APIError, httpx2.HTTPError) as error:
            reason = error.__cause__ or error
            raise Retryable(
                self._redact_key(
                    say(
                        f"连接失败（{reason}）",
                        f"connection failed ({reason})",
                    )
                )
            ) from error

    async def _send(self, route: Route, fields: Mapping[str, Any]) -> bytes:
        asked = {**fields, **self._spec.fields}
        if route == "chat":
            asked[self._tokens_field] = asked.pop("max_tokens")
        request = (
            self._client.chat.completions.with_streaming_response.create(
                model=self._spec.model, messages=[], extra_body=asked
            )
            if route == "chat"
            else self._client.completions.with_streaming_response.create(
                model=self._spec.model, prompt="", extra_body=asked
            )
        )
        body = b""
        async with request as response:
            async for piece in response.iter_bytes():
                body += piece
                if len(body) > LARGEST_ANSWER_BYTES:
                    raise CompletionFailed(
                        say("回答长得没有尽头，已中断", "the answer was endless and was cut off"),
                        is_endpoint=True,
                    )
        return body

    def _status_error(self, error: openai.APIStatusError) -> Exception:
        """Classify an HTTP error: retry, fail this title, or end the job."""
        status = error.status_code
        message = self._redact_key(str(error.message))[:300]
        if status == 400 and "max_completion_tokens" in message and self._tokens_field == "max_tokens":
            self._tokens_field = "max_completion_tokens"
            return Retryable(message, after=0)
        if status in (408, 409, 425, 429) or status >= 500:
            # Some send 429 for an exhausted quota too, which no retry changes.
            if "insufficient_quota" in str(error.body):
                return _quota_exhausted(message)
            return Retryable(
                f"{status}: {message}", after=_retry_after(error.response.headers.get("retry-after"))
            )
        return _fatal(
            status, message, self._spec, error.response.headers.get("location")
        ) or CompletionFailed(f"{status}: {message}", is_endpoint=False)

    def _redact_key(self, text: str) -> str:
        """Redact the key: endpoints repeat a refused one in their message."""
        return text.replace(self._key, "***") if self._key else text


def _read(body: bytes) -> tuple[str, _Usage]:
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError as error:
        shown = " ".join(body[:80].decode("utf-8", errors="replace").split())
        raise Retryable(
            say(f"回答不是 OpenAI 格式的 JSON：{shown}", f"the answer is not OpenAI-style JSON: {shown}")
        ) from error
    text = completion.choices[0].message.content if completion.choices else None
    if not (text or "").strip():
        cut = bool(completion.choices) and completion.choices[0].finish_reason == "length"
        raise CompletionFailed(
            say(
                "回答是空的" + ("：max_tokens 在思考中用完了" if cut else ""),
                "the answer is empty" + (": max_tokens was used up by reasoning" if cut else ""),
            ),
            is_endpoint=False,
        )
    return text or "", completion.usage or _Usage()


def _retry_after(header: str | None) -> float | None:
    """Parse Retry-After: seconds or a date, as HTTP allows; None for anything else."""
    if header is None:
        return None
    if header.strip().replace(".", "", 1).isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None


def _quota_exhausted(message: str) -> TeacherUnavailable:
    return TeacherUnavailable(
        say(f"接口的账户额度已用完：{message}", f"The quota of the endpoint's account is used up: {message}"),
        remedy=say("请充值或换一个接口，再点“继续”。", "Top it up or use another endpoint, then resume."),
    )


def _fatal(status: int, message: str, spec: EndpointSpec, location: str | None) -> TeacherUnavailable | None:
    """Make the error for a refusal that every other title would meet as well; None for any other."""
    if status in (401, 403):
        return TeacherUnavailable(
            say(
                f"接口拒绝了密钥（{status}）：{message}",
                f"The endpoint refused the key ({status}): {message}",
            ),
            remedy=say(
                "请在教师草稿页重新填写密钥，或检查环境变量。",
                "Enter the key again on the Teacher drafts page, or check the environment variable.",
            ),
        )
    if status == 404:
        return TeacherUnavailable(
            say(
                f"接口上没有模型“{spec.model}”，或地址不对（404）：{message}",
                f"The endpoint has no model “{spec.model}”, or the address is wrong (404): {message}",
            ),
            remedy=say(
                f"请核对模型名；地址一般以 /v1 结尾，现在是 {spec.base_url}。",
                f"Check the model's name; an address usually ends in /v1, this one is {spec.base_url}.",
            ),
        )
    if 300 <= status < 400:
        # Of the new address only the host: the rest may carry a token.
        host = urlsplit(location or "").hostname or "?"
        return TeacherUnavailable(
            say(
                f"{spec.base_url} 转到了别处（{status}，{host}），没有跟过去。",
                f"{spec.base_url} redirects ({status}, to {host}); the redirect was not followed.",
            ),
            remedy=say("请直接填写最终的地址。", "Enter the final address itself."),
        )
    return None


def read_endpoint_key(spec: EndpointSpec) -> str | None:
    """Read the API key from where the spec points; the spec itself never holds it.

    Raises:
        TeacherUnavailable: it is not there, is another address's, or cannot be sent.
    """
    if spec.key_file is not None:
        return read_key(spec.key_file, spec.base_url)
    value = os.environ.get(spec.key_env or "") or None
    if spec.key_env and os.environ.get(URL_VARIABLE) and not is_environments(spec.base_url):
        raise TeacherUnavailable(
            say(
                f"环境变量 {spec.key_env} 的密钥属于另一个地址（{URL_VARIABLE}）。",
                f"The key of {spec.key_env} belongs to another address ({URL_VARIABLE}).",
            ),
            remedy=say(
                "请在教师草稿页为这个地址填写密钥。",
                "Enter the key of this address on the Teacher drafts page.",
            ),
        )
    if spec.key_env and (value is None or not is_sendable(value)):
        raise TeacherUnavailable(
            say(
                f"任务进程里没有可用的环境变量 {spec.key_env}。",
                f"The job process has no usable environment variable {spec.key_env}.",
            ),
            remedy=say(
                "请带着它重新启动 news-studio，或在教师草稿页填写密钥。",
                "Restart news-studio with it, or enter the key on the Teacher drafts page.",
            ),
        )
    return value
