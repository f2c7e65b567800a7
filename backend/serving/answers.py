"""Put the pieces of an answer together: whole answers, and the chunks of a stream, with their usage."""

import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from backend.engine.loop import EngineStopped, Ticket
from backend.engine.requests import Piece
from backend.serving.errors import ApiError
from backend.serving.metrics import Metrics
from backend.serving.served_models import Served
from backend.serving.thoughts import ANSWER_FIELD, THOUGHT_FIELD, ThoughtSplitter
from backend.serving.tokens import Logprobs, TokenTexts
from backend.serving.waiting import merge_pieces

Fields = dict[str, str]
Form = Literal["chat", "text"]


@dataclass
class Choice:
    """One of the answers to a request, as it grows."""

    index: int
    splitter: ThoughtSplitter
    sorter: Logprobs
    wants_logprobs: bool
    fields: Fields = field(default_factory=dict)
    logprobs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tokens: int = 0
    thought_tokens: int = 0
    finish: str | None = None

    def feed(self, piece: Piece) -> tuple[Fields, dict[str, list[dict[str, Any]]]]:
        """Take a piece; returns what it adds to each field, and the log probabilities that came."""
        self.tokens += piece.tokens
        if self.splitter.field == THOUGHT_FIELD:
            self.thought_tokens += piece.tokens
        told = self.splitter.feed(piece.text)
        if piece.finish:
            told += self.splitter.end()
            self.finish = piece.finish
        new: Fields = {}
        for name, text in told:
            new[name] = new.get(name, "") + text
            self.fields[name] = self.fields.get(name, "") + text
        came = self.sorter.feed(piece.logprobs) if self.wants_logprobs else {}
        for name, entries in came.items():
            self.logprobs.setdefault(name, []).extend(entries)
        return new, came


@dataclass
class Answering:
    """One request being answered: its choices, and what its response says beside them."""

    form: Form
    served: Served
    choices: list[Choice]
    tickets: list[Ticket]
    prompt_tokens: int
    metrics: Metrics
    stopped: Callable[[], ApiError]
    write_logprobs: Callable[[dict[str, list[dict[str, Any]]]], Any]
    identity: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        prefix = "chatcmpl" if self.form == "chat" else "cmpl"
        self.identity = {
            "id": f"{prefix}-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": self.served.name,
        }

    async def whole(self) -> dict[str, Any]:
        """Wait for all choices and build the response.

        Raises:
            ApiError: 503, the engine has stopped.
        """
        async for _ in self._pieces():
            pass
        kind = "chat.completion" if self.form == "chat" else "text_completion"
        choices = [self._choice(choice) for choice in self.choices]
        return {**self.identity, "object": kind, "choices": choices, "usage": self.usage()}

    def _choice(self, choice: Choice) -> dict[str, Any]:
        logprobs = self.write_logprobs(choice.logprobs) if choice.wants_logprobs else None
        end = {"logprobs": logprobs, "finish_reason": choice.finish}
        if self.form == "text":
            return {"index": choice.index, "text": choice.fields.get(ANSWER_FIELD, ""), **end}
        message: dict[str, Any] = {"role": "assistant", "content": choice.fields.get(ANSWER_FIELD, "")}
        message["reasoning_content"] = choice.fields.get(THOUGHT_FIELD)
        message["refusal"] = None
        return {"index": choice.index, "message": message, **end}

    async def events(self, *, with_usage: bool) -> AsyncIterator[str]:
        """Stream the choices as server-sent events."""
        if self.form == "chat":
            for choice in self.choices:
                yield self._chunk(choice.index, {"role": "assistant", "content": ""}, None, None, with_usage)
        try:
            async for choice, new, came in self._pieces():
                logprobs = self.write_logprobs(came) if came else None
                if new or came:
                    yield self._chunk(choice.index, new, logprobs, None, with_usage)
                if choice.finish:
                    yield self._chunk(choice.index, {}, None, choice.finish, with_usage)
        except ApiError as error:
            yield event(error.body)
            return
        if with_usage:
            yield event({**self._head(), "choices": [], "usage": self.usage()})
        yield "data: [DONE]\n\n"

    def _head(self) -> dict[str, Any]:
        kind = "chat.completion.chunk" if self.form == "chat" else "text_completion"
        return {**self.identity, "object": kind}

    def _chunk(
        self, index: int, new: Mapping[str, str], logprobs: Any, finish: str | None, with_usage: bool
    ) -> str:
        added: dict[str, Any] = {"delta": new} if self.form == "chat" else {"text": new.get(ANSWER_FIELD, "")}
        choice = {"index": index, **added, "logprobs": logprobs, "finish_reason": finish}
        return event({**self._head(), "choices": [choice], **({"usage": None} if with_usage else {})})

    async def _pieces(self) -> AsyncIterator[tuple[Choice, Fields, dict[str, list[dict[str, Any]]]]]:
        first = True
        try:
            async for index, piece in merge_pieces(self.tickets):
                if first and piece.text:
                    first = False
                    self.metrics.first_piece.labels(self.served.name).observe(time.monotonic() - self.began)
                choice = self.choices[index]
                yield choice, *choice.feed(piece)
        except EngineStopped as error:
            raise self.stopped() from error

    def usage(self) -> dict[str, Any]:
        """Count the tokens."""
        written = sum(choice.tokens for choice in self.choices)
        usage: dict[str, Any] = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": written,
            "total_tokens": self.prompt_tokens + written,
        }
        if self.form == "chat":
            thought = sum(choice.thought_tokens for choice in self.choices)
            usage["completion_tokens_details"] = {"reasoning_tokens": thought}
        return usage

    def ended(self) -> None:
        """Give the places back and count what was done, however it ended."""
        for ticket, choice in zip(self.tickets, self.choices, strict=True):
            ticket.cancel()
            self.metrics.finished.labels(self.served.name, choice.finish or "cancelled").inc()
        self.metrics.prompt_tokens.labels(self.served.name).inc(self.prompt_tokens)
        written = sum(choice.tokens for choice in self.choices)
        self.metrics.completion_tokens.labels(self.served.name).inc(written)


def new_choices(
    count: int, texts: TokenTexts, *, wants_logprobs: bool, thinks: bool = False, bare: bool = False
) -> list[Choice]:
    """Make the choices of a request; `bare`: their texts are kept as they are."""
    return [
        Choice(
            index=index,
            splitter=ThoughtSplitter(thinks=thinks, bare=bare),
            sorter=Logprobs(texts, thinks=thinks, bare=bare),
            wants_logprobs=wants_logprobs,
        )
        for index in range(count)
    ]


def event(document: Mapping[str, Any]) -> str:
    """Write one server-sent event."""
    return f"data: {json.dumps(document, ensure_ascii=False)}\n\n"
