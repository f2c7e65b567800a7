"""Serve one model over the OpenAI protocol: `python -m backend.serve FOLDER`.

    GET  /health                 200 {"status": "ok"} once the model is loaded
    GET  /v1/models
    POST /v1/chat/completions    with streaming; `reasoning_content` apart from `content`
    POST /v1/classify            {"titles": [...], "answer": "chain" | "direct"}

Reads spec.json, writes address.json when it listens, and stops after a while
without a request. One request computes at a time; others wait.
"""

import json
import logging
import socket
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import uvicorn
from fastapi import FastAPI
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool

from backend.data.templates import Renderer
from backend.engine.answering import Answerer
from backend.modeling.loading import load_model, on_device
from backend.modeling.tokenizers import load_tokenizer
from backend.worker import RunFolder, run_worker
from studio.contract import AnswerMode, ServerAddress, ServeSpec
from studio.errors import PortInUse
from studio.language import say
from studio.samples.canonical import CLOSE, exact_category, read_answer
from studio.samples.scheme import Scheme, load_scheme
from studio.samples.title_text import clean_title
from studio.system.network import LOOPBACK
from studio.system.ownership import watch_owner

log = logging.getLogger(__name__)


MOST_TITLES = 1000


class ChatMessage(BaseModel):
    """One message; fields that we do not use are accepted and ignored."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(BaseModel):
    """The part of OpenAI's chat completion request that is supported."""

    messages: list[ChatMessage] = Field(min_length=1)
    model: str | None = None
    stream: bool = False
    max_tokens: int | None = Field(None, ge=1, le=32768)
    max_completion_tokens: int | None = Field(None, ge=1, le=32768)
    temperature: float = Field(0.0, ge=0, le=2)


class ClassifyRequest(BaseModel):
    """Titles to classify, and the way of answering."""

    titles: list[str] = Field(min_length=1)
    answer: AnswerMode = "chain"

    def problem(self) -> str | None:
        """Say why the titles cannot be classified, in words; None when they can."""
        if len(self.titles) > MOST_TITLES:
            return say(
                f"一次最多 {MOST_TITLES} 个标题，这里有 {len(self.titles)} 个：请分几次发送。",
                f"At most {MOST_TITLES} titles in a request, here are {len(self.titles)}: "
                "send them in parts.",
            )
        blank = next((number for number, title in enumerate(self.titles) if not clean_title(title)), None)
        if blank is not None:
            return say(
                f"第 {blank + 1} 个标题是空白的（从 1 数起），没有可分类的内容。",
                f"Title {blank + 1} (counted from 1) is blank: there is nothing to classify.",
            )
        return None


class Model:
    """A loaded model that computes one request at a time."""

    def __init__(self, spec: ServeSpec, scheme: Scheme) -> None:
        tokenizer = load_tokenizer(
            spec.adapter_name_or_path or spec.model_name_or_path, spec.model_name_or_path
        )
        model = on_device(load_model(spec.model_name_or_path, spec.adapter_name_or_path))
        self.spec = spec
        self.scheme = scheme
        self.answerer = Answerer(model, Renderer(tokenizer, spec.template))
        self.lock = threading.Lock()

    def classify(self, request: ClassifyRequest) -> list[dict[str, Any]]:
        """Classify titles: one category with its own confidence, and the think chain of each.

        The probabilities are those of a direct answer in both modes: after a generated
        chain the category is all but certain, which would say nothing. Where the two ways
        disagree, they are not the confidence of the chain's answer: see `standing`.
        """
        found = []
        for start in range(0, len(request.titles), 32):
            titles = request.titles[start : start + 32]
            with self.lock:
                found += self._classify_batch(titles, request.answer)
        return found

    def _classify_batch(self, titles: list[str], mode: AnswerMode) -> list[dict[str, Any]]:
        prompts = self.answerer.render_prompts(titles, self.scheme.prompt)
        scored = self.answerer.score(prompts, self.scheme.names)
        results: list[dict[str, Any]] = [
            {
                "title": title,
                "category": max(p, key=lambda name: p[name]),
                "probabilities": p,
                "chain": None,
                "text": "",
            }
            for title, p in zip(titles, scored, strict=True)
        ]
        if mode == "chain":
            written = self.answerer.generate(prompts, max_new_tokens=self.spec.max_new_tokens)
            for result, answer in zip(results, written, strict=True):
                read = read_answer(answer.text)
                category = exact_category(read.label, self.scheme.names) if answer.finished else None
                result |= {"category": category, "chain": read.chain, "text": answer.text}
        return [{**result, **standing(result["category"], result["probabilities"])} for result in results]

    def stream(self, request: ChatRequest, stop: threading.Event) -> Generator[tuple[str, str]]:
        """Stream an answer piece by piece, each with its field: `reasoning_content` or `content`."""
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        limit = request.max_completion_tokens or request.max_tokens or self.spec.max_new_tokens
        with self.lock:
            pieces = self.answerer.stream(
                messages, max_new_tokens=limit, temperature=request.temperature, stop=stop.is_set
            )
            yield from split_thought(pieces)


def standing(category: str | None, probabilities: dict[str, float]) -> dict[str, Any]:
    """Say how the two ways of answering stand to one another: which category each has, and the confidence.

    The confidence is of the category that is answered. Where the chain leads elsewhere than direct
    scoring there is none: the probabilities are of another answer.
    """
    direct = max(probabilities, key=lambda name: probabilities[name])
    agree = category == direct
    return {
        "confidence": probabilities[direct] if agree else None,
        "direct_category": direct,
        "ways_agree": agree if category is not None else None,
    }


def split_thought(pieces: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Split a stream that begins inside the think chain into chain and answer.

    The closing tag may arrive in parts, so as many characters as could begin it are
    held back.
    """
    field, held = "reasoning_content", ""
    for piece in pieces:
        if field == "content":
            yield field, piece
            continue
        held += piece
        thought, tag, rest = held.partition(CLOSE)
        if tag:
            if thought.strip():
                yield field, thought.rstrip("\n")
            field, held = "content", ""
            if rest.lstrip("\n"):
                yield field, rest.lstrip("\n")
        else:
            safe = max(len(held) - len(CLOSE), 0)
            if safe:
                yield field, held[:safe]
            held = held[safe:]
    if held:
        yield field, held


def make_app(model: Model, requested: threading.Event) -> FastAPI:
    """Build the HTTP API over a loaded model; each request sets `requested`."""
    app = FastAPI(title="News Studio", docs_url=None, redoc_url=None)
    # A page of another site must not reach this server through a name that points here.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, model.spec.host])

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        entry = {"id": model.spec.name, "object": "model", "created": 0, "owned_by": "news-studio"}
        return {"object": "list", "data": [entry]}

    @app.post("/v1/classify", response_model=None)
    async def classify(request: ClassifyRequest) -> dict[str, Any] | JSONResponse:
        requested.set()
        if reason := request.problem():
            error = {"message": reason, "type": "invalid_request_error", "param": "titles", "code": None}
            return JSONResponse({"error": error}, status_code=400)
        return {"model": model.spec.name, "results": await run_in_threadpool(model.classify, request)}

    @app.post("/v1/chat/completions", response_model=None)
    async def chat(request: ChatRequest) -> StreamingResponse | JSONResponse:
        requested.set()
        stop = threading.Event()
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model.spec.name}
        if request.stream:
            lines = server_sent_events(model, request, stop, head)
            return StreamingResponse(lines, media_type="text/event-stream")
        fields = {"reasoning_content": "", "content": ""}
        for field, text in await run_in_threadpool(lambda: list(model.stream(request, stop))):
            fields[field] += text
        message = {"role": "assistant", **fields}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse({**head, "object": "chat.completion", "choices": [choice]})

    return app


async def server_sent_events(
    model: Model, request: ChatRequest, stop: threading.Event, head: dict[str, Any]
) -> AsyncIterator[str]:
    """Stream a chat as server-sent events; stop generating when the client disconnects."""

    def chunk(delta: dict[str, str], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        body = {**head, "object": "chat.completion.chunk", "choices": [choice]}
        return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"

    pieces = model.stream(request, stop)
    try:
        yield chunk({"role": "assistant"})
        async for field, text in iterate_in_threadpool(pieces):
            yield chunk({field: text})
        yield chunk({}, finish="stop")
        yield "data: [DONE]\n\n"
    finally:
        stop.set()
        # Now, not whenever it is collected: it holds the lock, and nobody else would be answered.
        pieces.close()


def serve(folder: RunFolder) -> dict[str, Any]:
    """Load the model and serve it until idle or stopped."""
    spec = folder.read_spec()
    assert isinstance(spec, ServeSpec), spec.kind
    # From here on: while a model is loaded, which takes minutes, nothing else is heeded.
    running: list[uvicorn.Server] = []
    watch_owner(lambda: _stop(running))
    listener = _listen(spec)
    requested = threading.Event()
    model = Model(spec, load_scheme())
    app = make_app(model, requested)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))

    @asynccontextmanager
    async def announce(_: FastAPI) -> AsyncIterator[None]:
        host, port = listener.getsockname()[:2]
        folder.write("address.json", ServerAddress(host=host, port=port, url=f"http://{host}:{port}"))
        log.info("listening on http://%s:%d", host, port)
        yield

    app.router.lifespan_context = announce
    running.append(server)
    threading.Thread(target=_stop_when_idle, args=(server, requested, spec.idle_seconds), daemon=True).start()
    server.run(sockets=[listener])
    return {}


def _listen(spec: ServeSpec) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((spec.host, spec.port))
    except OSError as error:
        raise PortInUse(
            say(
                f"无法监听 {spec.host}:{spec.port}：{error.strerror}。",
                f"Cannot listen on {spec.host}:{spec.port}: {error.strerror}.",
            ),
            remedy=say("请用 --port 换一个端口。", "Choose another port with --port."),
        ) from error
    return listener


def _stop(running: list[uvicorn.Server]) -> None:
    for server in running:
        server.should_exit = True


def _stop_when_idle(server: uvicorn.Server, requested: threading.Event, idle_seconds: float) -> None:
    while requested.wait(timeout=idle_seconds):
        requested.clear()
    log.info("no request for %.0f s, stopping", idle_seconds)
    server.should_exit = True


def main() -> int:
    """Entry of `python -m backend.serve`."""
    return run_worker(serve)


if __name__ == "__main__":
    sys.exit(main())
