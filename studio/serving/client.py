"""Chat with any OpenAI-compatible server, and classify titles by our own's /v1/classify.

The chat works with vLLM, Ollama or a hosted model as well; NEWS_STUDIO_API_KEY is sent
when it is set. This module knows no model and starts no server.
"""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import openai
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel, ConfigDict, model_validator

from studio.contract import AnswerMode
from studio.errors import ServerUnavailable
from studio.language import say
from studio.system.network import is_loopback


class Candidate(BaseModel):
    """One of the likeliest categories of a title; the probability is calibrated where the run's is."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    category: str
    probability: float


class EvidenceWord(BaseModel):
    """Words of a title, `title[start:end]`, and by how much the probability falls without them, -1 to 1."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    text: str
    start: int
    end: int
    effect: float


class Classification(BaseModel):
    """A classified title; `category` is None when no category could be read.

    `confidence` is of that very answer; None where nothing tells it. `decision` is None where no threshold
    was in force, `evidence` where none was asked for or the model tells no probabilities.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    title: str
    category: str | None
    probabilities: dict[str, float] | None = None
    chain: str | None = None
    text: str = ""
    confidence: float | None = None
    calibrated: bool = False
    decision: Literal["answer", "abstain"] | None = None
    top3: tuple[Candidate, ...] = ()
    evidence: tuple[EvidenceWord, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_an_older_server(cls, fields: Any) -> Any:
        """Fill in what servers of earlier versions did not tell: the confidence of direct scoring."""
        if not isinstance(fields, dict) or "confidence" in fields:
            return fields
        found = fields.get("probabilities") or {}
        leads = bool(found) and fields.get("category") == max(found, key=lambda name: found[name])
        return {**fields, "confidence": found[fields["category"]] if leads else None}

    @property
    def direct_category(self) -> str | None:
        """The category of direct scoring, of which the probabilities are; None where there are none."""
        found = self.probabilities
        return max(found, key=lambda name: found[name]) if found else None

    @property
    def abstains(self) -> bool:
        """Whether the model leaves this title to a person: its confidence is under the threshold."""
        return self.decision == "abstain"

    @property
    def ways_disagree(self) -> bool:
        """Whether the chain's category is another than that of direct scoring."""
        return self.category is not None and self.direct_category not in (None, self.category)


class _Classifications(BaseModel):
    model_config = ConfigDict(extra="ignore")

    results: list[Classification]


@dataclass(frozen=True, kw_only=True)
class ChatPiece:
    """A delta of a streamed answer: of the think chain (`reasoning`) or of the answer (`content`)."""

    kind: Literal["reasoning", "content"]
    text: str


def classify(
    url: str,
    titles: Sequence[str],
    *,
    answer: AnswerMode = "chain",
    threshold: float | None = None,
    evidence: bool = False,
    timeout_seconds: float = 600,
) -> list[Classification]:
    """Classify titles: category, probabilities and think chain of each, in the order given.

    Args:
        url: of a server of ours, without /v1.
        titles: at most 1,000.
        answer: with a think chain, or by direct scoring alone.
        threshold: confidence below which it abstains, 0 to 1; 0: never; None: the run's own.
        evidence: find the words that carry each answer, at about 20 times the work of direct scoring.
        timeout_seconds: until when it has to answer.

    Raises:
        ServerUnavailable: the server does not answer, or rejects the request.
    """
    if not titles:
        return []
    body: dict[str, Any] = {"titles": list(titles), "answer": answer}
    if threshold is not None:
        body["threshold"] = threshold
    if evidence:
        body["evidence"] = True
    with _client(url, timeout_seconds) as client:
        document = client.post("/classify", cast_to=object, body=body)
    return _Classifications.model_validate(document).results


def stream_chat(
    url: str,
    messages: Sequence[ChatCompletionMessageParam],
    *,
    max_tokens: int,
    temperature: float,
    model: str | None = None,
    timeout_seconds: float = 600,
) -> Generator[ChatPiece]:
    """Stream a chat's answer piece by piece; closing the iterator ends the generation.

    Args:
        url: of the server, without /v1.
        messages: the conversation so far.
        max_tokens: longest answer in tokens.
        temperature: 0 for greedy decoding.
        model: name of the model in the API; None: the first that the server lists.
        timeout_seconds: longest silence of the server.

    Raises:
        ServerUnavailable: the server does not answer, rejects the request, or disconnects.
    """
    with _client(url, timeout_seconds) as client:
        stream = client.chat.completions.create(
            model=model or client.models.list().data[0].id,
            messages=messages,
            max_tokens=max_tokens,
            temperature=temperature,
            stream=True,
        )
        finished = False
        with stream:
            for chunk in stream:
                for choice in chunk.choices:
                    yield from _pieces(choice.delta)
                    finished = finished or choice.finish_reason is not None
    if not finished:
        raise _broken_off(url)


def _pieces(delta: Any) -> Iterator[ChatPiece]:
    reasoning = getattr(delta, "reasoning_content", None)
    if reasoning:
        yield ChatPiece(kind="reasoning", text=reasoning)
    if delta.content:
        yield ChatPiece(kind="content", text=delta.content)


def _reason(error: openai.APIStatusError) -> str:
    """Return the reason in the server's own words where it gave one."""
    body = error.body
    inner = body.get("error", body) if isinstance(body, dict) else body
    message = inner.get("message") if isinstance(inner, dict) else None
    return str(message or error.message)


def _restart() -> str:
    return say("请重新选择模型，让服务重新启动。", "Choose the model again to restart its server.")


def _broken_off(url: str) -> ServerUnavailable:
    """Make the error for a stream that just stops: it must not pass for a complete answer."""
    return ServerUnavailable(
        say(f"{url} 的回答中途断开了。", f"{url} disconnected in the middle of its answer."),
        remedy=_restart(),
    )


@contextmanager
def _client(url: str, timeout_seconds: float) -> Iterator[openai.OpenAI]:
    """Open a client whose errors say what the user can do."""
    host = urlsplit(url).hostname
    client = openai.OpenAI(
        base_url=f"{url.rstrip('/')}/v1",
        api_key=os.environ.get("NEWS_STUDIO_API_KEY") or "not-needed",
        timeout=timeout_seconds,
        max_retries=0,
        # A proxy of the environment is for the world outside, not for this machine.
        http_client=openai.DefaultHttpxClient(trust_env=not is_loopback(host)),
    )
    try:
        with client:
            yield client
    except openai.APITimeoutError as error:
        raise ServerUnavailable(
            say(
                f"{url} 在 {timeout_seconds:.0f} 秒内没有回答。",
                f"{url} did not answer within {timeout_seconds:.0f} s.",
            ),
            remedy=say(
                "请减少标题数或 max_tokens 后重试。",
                "Send fewer titles or a smaller max_tokens and try again.",
            ),
        ) from error
    except openai.RateLimitError as error:
        raise ServerUnavailable(
            say(f"{url} 正忙：{_reason(error)}", f"{url} is busy: {_reason(error)}"),
            remedy=say("请稍等片刻再试。", "Wait a moment and try again."),
        ) from error
    except openai.APIStatusError as error:
        raise ServerUnavailable(
            say(
                f"{url} 拒绝了请求（{error.status_code}）：{_reason(error)}",
                f"{url} rejected the request ({error.status_code}): {_reason(error)}",
            ),
            remedy=say(
                "请按上面的原因改正请求，或重启模型服务。",
                "Correct the request accordingly, or restart the model server.",
            ),
        ) from error
    except openai.APIError as error:
        raise ServerUnavailable(
            say(f"{url} 没有回答：{error.message}", f"{url} does not answer: {error.message}"),
            remedy=_restart(),
        ) from error
