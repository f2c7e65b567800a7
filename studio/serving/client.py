"""Chat with any OpenAI-compatible server, and classify titles by our own's /v1/classify.

The chat works with vLLM, Ollama or a hosted model as well. To a server of ours NEWS_STUDIO_API_KEY is sent
when it is set, to an endpoint its own key. This module knows no model and starts no server.
"""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
    """A delta of a streamed answer: of the think chain (`reasoning`) or of the answer (`content`).

    The last is its `end`: `stop`, or `length` where it was cut off at its limit.
    """

    kind: Literal["reasoning", "content", "end"]
    text: str


@dataclass(frozen=True, kw_only=True)
class ChatEndpoint:
    """A model at an OpenAI-compatible address, which ends in /v1 as a rule, and the key to it."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)


class RenderedPrompt(BaseModel):
    """The prompt that a template makes of a conversation, and how many tokens it has."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    prompt: str
    tokens: int


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
        evidence: find the words that carry each answer, at about 13 times the work of direct scoring.
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
    server: str | ChatEndpoint,
    messages: Sequence[ChatCompletionMessageParam],
    *,
    max_tokens: int,
    temperature: float,
    top_p: float = 1.0,
    seed: int | None = None,
    thinks: bool = True,
    model: str | None = None,
    timeout_seconds: float = 600,
) -> Generator[ChatPiece]:
    """Stream a chat's answer piece by piece; closing the iterator ends the generation.

    Args:
        server: URL of a server of ours, without /v1, or an endpoint.
        messages: the conversation so far.
        max_tokens: longest answer in tokens.
        temperature: 0 for greedy decoding.
        top_p: share of the probability that is sampled from.
        seed: of the sampling; None: another one each time.
        thinks: let a server of ours write a think chain; an endpoint decides by itself.
        model: name of the model in the API; None: the endpoint's, or the first that the server lists.
        timeout_seconds: longest silence of the server.

    Raises:
        ServerUnavailable: the server does not answer, rejects the request, or disconnects.
    """
    fields = chat_fields(
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        thinks=thinks or not isinstance(server, str),
    )
    with _client(server, timeout_seconds) as client:
        if model is None:
            model = client.models.list().data[0].id if isinstance(server, str) else server.model
        stream = client.chat.completions.create(model=model, messages=messages, stream=True, **fields)
        finished = False
        with stream:
            for chunk in stream:
                for choice in chunk.choices:
                    yield from _pieces(choice.delta)
                    if choice.finish_reason is not None:
                        finished = True
                        yield ChatPiece(kind="end", text=choice.finish_reason)
    if not finished:
        raise _broken_off(server)


def chat_fields(
    *, max_tokens: int, temperature: float, top_p: float, seed: int | None, thinks: bool
) -> dict[str, Any]:
    """Build the fields of a chat request that say how it is sampled.

    Some endpoints reject what they do not know, so that what asks for nothing is left out.
    """
    fields: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature}
    fields |= {"top_p": top_p} if top_p != 1 else {}
    fields |= {"seed": seed} if seed is not None else {}
    return fields | ({} if thinks else {"reasoning_effort": "none"})


def apply_template(
    url: str,
    messages: Sequence[ChatCompletionMessageParam],
    *,
    thinks: bool = True,
    timeout_seconds: float = 30,
) -> RenderedPrompt:
    """Ask a server of ours for the prompt that it makes of a conversation, without an answer.

    Raises:
        ServerUnavailable: the server does not answer, or rejects the request.
    """
    body: dict[str, Any] = {"messages": list(messages)}
    if not thinks:
        body["reasoning_effort"] = "none"
    with _client(url, timeout_seconds) as client:
        document = client.post("/apply-template", cast_to=object, body=body)
    return RenderedPrompt.model_validate(document)


def _pieces(delta: Any) -> Iterator[ChatPiece]:
    # `reasoning` is what newer versions of vLLM and Ollama call it.
    reasoning = getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None)
    if isinstance(reasoning, str) and reasoning:
        yield ChatPiece(kind="reasoning", text=reasoning)
    if delta.content:
        yield ChatPiece(kind="content", text=delta.content)


def _reason(error: openai.APIStatusError) -> str:
    """Return the reason in the server's own words where it gave one."""
    body = error.body
    inner = body.get("error", body) if isinstance(body, dict) else body
    message = inner.get("message") if isinstance(inner, dict) else None
    return str(message or error.message)


def _what_to_do(server: str | ChatEndpoint) -> str:
    if isinstance(server, str):
        return say("请重新选择模型，让服务重新启动。", "Choose the model again to restart its server.")
    return say(
        "请检查接口是否在运行，地址和模型名是否正确。",
        "Check that the endpoint runs, and that its address and the model's name are right.",
    )


def _address(server: str | ChatEndpoint) -> str:
    return server if isinstance(server, str) else server.base_url


def _broken_off(server: str | ChatEndpoint) -> ServerUnavailable:
    """Make the error for a stream that just stops: it must not pass for a complete answer."""
    address = _address(server)
    return ServerUnavailable(
        say(f"{address} 的回答中途断开了。", f"{address} disconnected in the middle of its answer."),
        remedy=_what_to_do(server),
    )


@contextmanager
def _client(server: str | ChatEndpoint, timeout_seconds: float) -> Iterator[openai.OpenAI]:
    """Open a client whose errors say what the user can do."""
    address = _address(server)
    if isinstance(server, str):
        base_url, key = f"{server.rstrip('/')}/v1", os.environ.get("NEWS_STUDIO_API_KEY")
    else:
        base_url, key = server.base_url, server.api_key
    client = openai.OpenAI(
        base_url=base_url,
        api_key=key or "not-needed",
        timeout=timeout_seconds,
        max_retries=0,
        # A proxy of the environment is for the world outside, not for this machine.
        http_client=openai.DefaultHttpxClient(trust_env=not is_loopback(urlsplit(base_url).hostname)),
    )
    try:
        with client:
            yield client
    except openai.APITimeoutError as error:
        raise ServerUnavailable(
            say(
                f"{address} 在 {timeout_seconds:.0f} 秒内没有回答。",
                f"{address} did not answer within {timeout_seconds:.0f} s.",
            ),
            remedy=say(
                "请减少标题数或 max_tokens 后重试。",
                "Send fewer titles or a smaller max_tokens and try again.",
            ),
        ) from error
    except openai.RateLimitError as error:
        raise ServerUnavailable(
            say(f"{address} 正忙：{_reason(error)}", f"{address} is busy: {_reason(error)}"),
            remedy=say("请稍等片刻再试。", "Wait a moment and try again."),
        ) from error
    except openai.APIStatusError as error:
        raise ServerUnavailable(
            say(
                f"{address} 拒绝了请求（{error.status_code}）：{_reason(error)}",
                f"{address} rejected the request ({error.status_code}): {_reason(error)}",
            ),
            remedy=say(
                "请按上面的原因改正请求，或重启模型服务。",
                "Correct the request accordingly, or restart the model server.",
            ),
        ) from error
    except openai.APIError as error:
        raise ServerUnavailable(
            say(f"{address} 没有回答：{error.message}", f"{address} does not answer: {error.message}"),
            remedy=_what_to_do(server),
        ) from error
