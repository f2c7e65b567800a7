"""Count what the server does, in Prometheus' text form (`GET /metrics`)."""

import time
from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
OTHER = "other"


class Metrics:
    """The numbers of one server, in a registry of its own."""

    def __init__(self, running: Callable[[], int], waiting: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.requests = Counter(
            "news_studio_requests", "Requests by path and status.", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "news_studio_request_seconds",
            "Seconds from request to the end of its response.",
            ["path"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.first_piece = Histogram(
            "news_studio_first_piece_seconds",
            "Seconds from a chat or completion to its first text.",
            ["model"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.prompt_tokens = self._by_model("news_studio_prompt_tokens", "Tokens of prompts.")
        self.completion_tokens = self._by_model("news_studio_completion_tokens", "Tokens that were written.")
        self.finished = Counter(
            "news_studio_answers",
            "Answers by the reason of their end; cancelled: nobody waited any more.",
            ["model", "finish_reason"],
            registry=self.registry,
        )
        self.classified = Counter(
            "news_studio_classified",
            "Classified titles by category; unparsed: none could be read.",
            ["model", "answer", "category"],
            registry=self.registry,
        )
        self.turned_away = Counter(
            "news_studio_turned_away", "Requests that found the queue full.", registry=self.registry
        )
        running_now = Gauge("news_studio_running", "Answers being computed.", registry=self.registry)
        waiting_now = Gauge("news_studio_waiting", "Answers that wait.", registry=self.registry)
        running_now.set_function(running)
        waiting_now.set_function(waiting)

    def _by_model(self, name: str, help_text: str) -> Counter:
        return Counter(name, help_text, ["model"], registry=self.registry)

    def text(self) -> bytes:
        """Write all numbers."""
        return generate_latest(self.registry)


class CountRequests:
    """ASGI middleware that counts and times each request under its route's path."""

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: frozenset[str]) -> None:
        self.app = app
        self.metrics = metrics
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # A path that nobody serves is a client's own word: it must not make a series of its own.
        path = scope["path"] if scope["path"] in self.paths else OTHER
        began, status = time.monotonic(), 499

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            self.metrics.requests.labels(path, str(status)).inc()
            self.metrics.seconds.labels(path).observe(time.monotonic() - began)
