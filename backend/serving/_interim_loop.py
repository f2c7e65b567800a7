"""Step requests in turn over the model of today, behind the interface of the engine's loop.

Deleted once the engine's own loop is there: same names, same promises, one row at a time.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor
from transformers import DynamicCache

from backend.engine.requests import FinishReason, Piece, Request, TokenLogprob
from backend.modeling.generation import Answerer, _CloseThought, _PenalizeRepeats

T = TypeVar("T")


class QueueFull(Exception):
    """As many requests wait as may."""


class Ticket:
    """A request on its way: its pieces as they come."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.cancelled = threading.Event()
        self._pieces: queue.SimpleQueue[Piece] = queue.SimpleQueue()
        self._told: Callable[[], object] = lambda: None

    def pieces(self) -> Iterator[Piece]:
        """Yield the pieces; the last one has `finish`."""
        while True:
            piece = self._pieces.get()
            yield piece
            if piece.finish:
                return

    async def apieces(self) -> AsyncIterator[Piece]:
        """Yield the pieces in an event loop."""
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        self._told = lambda: loop.call_soon_threadsafe(arrived.set)
        while True:
            try:
                piece = self._pieces.get_nowait()
            except queue.Empty:
                await arrived.wait()
                arrived.clear()
                continue
            yield piece
            if piece.finish:
                return

    def cancel(self) -> None:
        """Free the place within a step."""
        self.cancelled.set()

    def put(self, piece: Piece) -> None:
        """Hand over a piece; of the loop's thread alone."""
        self._pieces.put(piece)
        try:
            self._told()
        except RuntimeError:  # the event loop is closed, and nobody waits any more
            self.cancelled.set()


class InterimEngine:
    """The model of today, one step of one request at a time."""

    def __init__(self, answerer: Answerer, *, slots: int = 64) -> None:
        self.answerer = answerer
        self.slots = slots

    def choose(self, adapter: str | None) -> None:
        """Let the next step be that adapter's."""
        model: Any = self.answerer.model
        if hasattr(model, "peft_config"):
            model.base_model.enable_adapter_layers() if adapter else model.base_model.disable_adapter_layers()
            if adapter and model.active_adapter != adapter:
                model.set_adapter(adapter)


@dataclass
class _Row:
    ticket: Ticket
    cache: DynamicCache
    closing: _CloseThought
    generator: torch.Generator
    ids: list[int] = field(default_factory=list)
    sent: int = 0
    unsent_tokens: int = 0
    unsent: list[TokenLogprob] = field(default_factory=list)


class EngineLoop:
    """A thread that steps an engine; requests come and go."""

    def __init__(self, engine: InterimEngine, *, queue_limit: int = 256) -> None:
        self.engine = engine
        self.queue_limit = queue_limit
        self._waiting: deque[Ticket] = deque()
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._rows: list[_Row] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @property
    def running(self) -> int:
        """Requests that are being answered."""
        return len(self._rows)

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return len(self._waiting)

    def submit(self, request: Request) -> Ticket:
        """Add a request.

        Raises:
            QueueFull: too many wait.
        """
        ticket = Ticket(request)
        with self._changed:
            if self._closed:
                ticket.put(Piece(text="", finish="cancelled"))
                return ticket
            if len(self._waiting) >= self.queue_limit:
                raise QueueFull
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def call(self, function: Callable[[], T]) -> "Future[T]":
        """Run a function in the engine's thread between two steps."""
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                future.cancel()
                return future
            self._calls.append((function, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """End the thread; what is not answered ends as cancelled."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting or self._calls or self._rows)
                if self._closed:
                    break
                calls, self._calls = list(self._calls), deque()
                while self._waiting and len(self._rows) < self.engine.slots:
                    self._rows.append(self._begin(self._waiting.popleft()))
            for function, future in calls:
                _answer_call(function, future)
            for row in list(self._rows):
                if self._step(row):
                    self._rows.remove(row)
            with self._changed:
                for ticket in [ticket for ticket in self._waiting if ticket.cancelled.is_set()]:
                    self._waiting.remove(ticket)
                    ticket.put(Piece(text="", finish="cancelled"))
        for ticket in [*(row.ticket for row in self._rows), *self._waiting]:
            ticket.put(Piece(text="", finish="cancelled"))
        for _, future in self._calls:
            future.cancel()

    def _begin(self, ticket: Ticket) -> _Row:
        answerer, request = self.engine.answerer, ticket.request
        prompt = torch.tensor([list(request.prompt)])
        closing = answerer._closing({"input_ids": prompt}, request.decoding.max_new_tokens)
        generator = torch.Generator().manual_seed(request.decoding.seed)
        return _Row(ticket, DynamicCache(config=answerer.model.config), closing, generator)

    @torch.inference_mode()
    def _step(self, row: _Row) -> bool:
        if row.ticket.cancelled.is_set():
            row.ticket.put(Piece(text="", finish="cancelled"))
            return True
        answerer, request = self.engine.answerer, row.ticket.request
        self.engine.choose(request.adapter)
        new = list(request.prompt) if not row.ids else row.ids[-1:]
        device = answerer.model.device
        logits = answerer.model(
            input_ids=torch.tensor([new], device=device), past_key_values=row.cache, use_cache=True
        ).logits[:, -1:]
        scores_V = logits[0, -1].float()
        token = self._choose(row, scores_V.clone())
        row.ids.append(token)
        row.unsent_tokens += 1
        if request.decoding.top_logprobs is not None:
            row.unsent.append(_logprob(scores_V, token, request.decoding.top_logprobs))
        return self._tell(row)

    def _choose(self, row: _Row, scores_V: Tensor) -> int:
        decoding = row.ticket.request.decoding
        scores = scores_V[None]
        if decoding.thinks:
            so_far = torch.tensor([[*row.ticket.request.prompt, *row.ids]], device=scores.device)
            scores = row.closing(so_far, scores)
            scores = _PenalizeRepeats(decoding.repetition_penalty, row.closing)(so_far, scores)
        if decoding.temperature == 0:
            return int(scores[0].argmax())
        probabilities, order = (scores[0] / decoding.temperature).softmax(-1).cpu().sort(descending=True)
        keep = probabilities.cumsum(-1) - probabilities < decoding.top_p
        if decoding.top_k:
            keep[decoding.top_k :] = False
        keep[0] = True
        return int(order[torch.multinomial(probabilities * keep, 1, generator=row.generator)])

    def _tell(self, row: _Row) -> bool:
        answerer, decoding = self.engine.answerer, row.ticket.request.decoding
        ended = row.ids[-1] in answerer.end_ids
        full = len(row.ids) >= decoding.max_new_tokens
        finish: FinishReason | None = "stop" if ended else "length" if full else None
        text = answerer.tokenizer.decode(row.ids[:-1] if ended else row.ids, skip_special_tokens=True)
        found = [at for at in (text.find(word) for word in decoding.stop) if at >= 0]
        if found:
            text, finish = text[: min(found)], "stop"
        safe = len(text) if finish else _settled(text, decoding.stop)
        if finish or safe > row.sent:
            new, row.sent = text[row.sent : safe], max(safe, row.sent)
            if ended and row.unsent:
                row.unsent.pop()
            row.ticket.put(Piece(new, row.unsent_tokens - ended, tuple(row.unsent), finish))
            row.unsent, row.unsent_tokens = [], 0
        return finish is not None


def _answer_call(function: Callable[[], Any], future: Future[Any]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(function())
        except Exception as error:  # noqa: BLE001  # it is the caller's, who waits for it
            future.set_exception(error)


def _settled(text: str, stop: tuple[str, ...]) -> int:
    """Count the characters that can no longer change: no half character, no beginning of a stop text."""
    end = len(text.rstrip("\ufffd"))
    for word in stop:
        for length in range(min(len(word) - 1, end), 0, -1):
            if text.endswith(word[:length]):
                end = min(end, len(text) - length)
                break
    return end


def _logprob(scores_V: Tensor, token: int, count: int) -> TokenLogprob:
    log_p = scores_V.log_softmax(-1)
    best = log_p.topk(count) if count else None
    top = tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True)) if best else ()
    return TokenLogprob(token=token, logprob=float(log_p[token]), top=top)
