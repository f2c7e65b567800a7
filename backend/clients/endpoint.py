"""Ask an OpenAI-compatible endpoint and tell its failures apart.

One question, one answer, one reason where there is none. What is worth another try is
tried again, bounded; what would fail for every title ends the job. The key goes into
the request and nowhere else: neither a log nor an error shows it. This module knows
no title and no think chain.
"""

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel, ConfigDict, ValidationError

from studio.contract import DraftSpec
from studio.errors import TeacherUnavailable
from studio.language import say
from studio.system.network import is_loopback

log = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 60.0
"""A Retry-After beyond this is cut: the job goes on with other titles and comes back by resuming."""
LARGEST_ANSWER_BYTES = 2 * 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the teacher wrote, its own thoughts left out, and the tokens the endpoint counted."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    attempts: int


class NoAnswer(Exception):
    """One question has no answer; the text says why, `attempts` how often it was asked.

    `is_endpoint`: the endpoint failed, as it may fail for every question, not this question.
    """

    def __init__(self, problem: str, *, is_endpoint: bool, attempts: int = 1) -> None:
        super().__init__(problem)
        self.problem = problem
        self.is_endpoint = is_endpoint
        self.attempts = attempts


class _Again(Exception):
    """Worth another try; `after` is how many seconds the endpoint asked to wait."""

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
    """The teacher's endpoint; one for the whole job, shared by all that ask."""

    def __init__(self, spec: DraftSpec, key: str | None) -> None:
        self._spec = spec
        self._key = key
        self._host = urlsplit(spec.base_url).hostname
        self._quiet_until = 0.0
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
        """Give the connections back."""
        await self._client.close()

    async def ask(self, messages: Sequence[ChatCompletionMessageParam]) -> Answer:
        """The answer to one question, after as many tries as the spec allows.

        Raises:
            NoAnswer: this question has none.
            TeacherUnavailable: no question will ever have one: wrong key, model or address.
        """
        for attempt in range(1, self._spec.attempts + 1):
            await self._wait_for_quiet()
            try:
                text, usage = await self._try(messages)
            except _Again as again:
                if attempt == self._spec.attempts:
                    raise NoAnswer(again.problem, is_endpoint=True, attempts=attempt) from again
                await self._back_off(again, attempt)
            except NoAnswer as refusal:
                refusal.attempts = attempt
                raise
            else:
                return Answer(
                    text=text,
                    prompt_tokens=usage.prompt_tokens,
                    completion_tokens=usage.completion_tokens,
                    attempts=attempt,
                )
        raise AssertionError("the last attempt answers or raises")

    async def _wait_for_quiet(self) -> None:
        while (wait := self._quiet_until - time.monotonic()) > 0:
            await asyncio.sleep(wait)

    async def _back_off(self, again: _Again, attempt: int) -> None:
        """Wait as long as asked, all askers together, or else twice as long each time."""
        log.warning("try %d of %d: %s", attempt, self._spec.attempts, again.problem)
        if again.after is not None:
            wait = min(again.after, LONGEST_WAIT_SECONDS)
            self._quiet_until = max(self._quiet_until, time.monotonic() + wait)
            await asyncio.sleep(wait)
        else:
            # Spread out, so that askers that failed together do not come back together.
            await asyncio.sleep(2 ** (attempt - 2) * random.uniform(1, 1.5))

    async def _try(self, messages: Sequence[ChatCompletionMessageParam]) -> tuple[str, _Usage]:
        seconds = self._spec.timeout_seconds
        try:
            # The client's own timeout is for silence; this one is for an answer that never ends.
            async with asyncio.timeout(seconds):
                body = await self._send(messages)
        except (TimeoutError, openai.APITimeoutError) as error:
            raise _Again(
                say(f"{seconds:.0f} 秒内没有答完", f"no whole answer within {seconds:.0f} s")
            ) from error
        except openai.APIStatusError as error:
            raise self._refusal(error) from error
        # While a body is read, the client lets its HTTP library's errors through as they are.
        except (openai.APIError, httpx2.HTTPError) as error:
            reason = error.__cause__ or error
            raise _Again(
                self._hide_key(
                    say(
                        f"连接失败（{reason}）",
                        f"no connection ({reason})",
                    )
                )
            ) from error
        return _read(body)

    async def _send(self, messages: Sequence[ChatCompletionMessageParam]) -> bytes:
        fields: dict[str, Any] = {self._tokens_field: self._spec.max_tokens}
        if self._spec.temperature is not None:
            fields["temperature"] = self._spec.temperature
        asking = self._client.chat.completions.with_streaming_response.create(
            model=self._spec.model, messages=messages, **fields
        )
        body = b""
        async with asking as response:
            async for piece in response.iter_bytes():
                body += piece
                if len(body) > LARGEST_ANSWER_BYTES:
                    raise NoAnswer(
                        say("回答长得没有尽头，已中断", "the answer had no end and was cut off"),
                        is_endpoint=True,
                    )
        return body

    def _refusal(self, error: openai.APIStatusError) -> Exception:
        """What a status means: another try, a lost title, or the end of the job."""
        status = error.status_code
        said = self._hide_key(str(error.message))[:300]
        if status == 400 and "max_completion_tokens" in said and self._tokens_field == "max_tokens":
            self._tokens_field = "max_completion_tokens"
            return _Again(said, after=0)
        if status in (408, 409, 425, 429) or status >= 500:
            # An account without money is also a 429 for some, and stays one.
            if "insufficient_quota" in str(error.body):
                return _unpaid(said)
            return _Again(f"{status}: {said}", after=_retry_after(error.response.headers.get("retry-after")))
        return _fatal(status, said, self._spec, error.response.headers.get("location")) or NoAnswer(
            f"{status}: {said}", is_endpoint=False
        )

    def _hide_key(self, text: str) -> str:
        """Endpoints like to repeat a refused key in their message."""
        return text.replace(self._key, "***") if self._key else text


def _read(body: bytes) -> tuple[str, _Usage]:
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError as error:
        shown = " ".join(body[:80].decode("utf-8", errors="replace").split())
        raise _Again(
            say(f"回答不是 OpenAI 格式的 JSON：{shown}", f"the answer is no JSON of the OpenAI form: {shown}")
        ) from error
    text = completion.choices[0].message.content if completion.choices else None
    if not (text or "").strip():
        cut = bool(completion.choices) and completion.choices[0].finish_reason == "length"
        raise NoAnswer(
            say(
                "回答是空的" + ("：max_tokens 在思考中用完了" if cut else ""),
                "the answer is empty" + (": max_tokens was used up by thinking" if cut else ""),
            ),
            is_endpoint=False,
        )
    return text or "", completion.usage or _Usage()


def _retry_after(header: str | None) -> float | None:
    """Seconds or a date, as HTTP allows; None for anything else."""
    if header is None:
        return None
    if header.strip().replace(".", "", 1).isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None


def _unpaid(said: str) -> TeacherUnavailable:
    return TeacherUnavailable(
        say(f"端点说账户额度已用完：{said}", f"The endpoint says that the account is used up: {said}"),
        remedy=say("请充值或换一个端点，再点“继续”。", "Top it up or use another endpoint, then resume."),
    )


def _fatal(status: int, said: str, spec: DraftSpec, location: str | None) -> TeacherUnavailable | None:
    """A refusal that every other title would meet as well; None for the others."""
    if status in (401, 403):
        return TeacherUnavailable(
            say(f"端点拒绝了密钥（{status}）：{said}", f"The endpoint refused the key ({status}): {said}"),
            remedy=say(
                "请在教师草稿页重新填写密钥，或检查环境变量。",
                "Enter the key again on the Teacher drafts page, or check the environment variable.",
            ),
        )
    if status == 404:
        return TeacherUnavailable(
            say(
                f"端点上没有模型“{spec.model}”，或地址不对（404）：{said}",
                f"The endpoint has no model “{spec.model}”, or the address is wrong (404): {said}",
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
                f"{spec.base_url} redirects ({status}, to {host}); that was not followed.",
            ),
            remedy=say("请直接填写最终的地址。", "Enter the final address itself."),
        )
    return None
