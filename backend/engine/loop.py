"""Step an engine in a thread of its own, for requests that come from many threads."""

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from backend.engine.engine import Engine, Job
from backend.engine.requests import Piece, Request

log = logging.getLogger(__name__)

T = TypeVar("T")


class QueueFull(Exception):
    """Too many requests wait already."""


class EngineStopped(Exception):
    """The engine ended, by an error or because it was closed."""


class Ticket:
    """One request in the loop: its pieces as they come, and a way out."""

    def __init__(self, loop: "EngineLoop") -> None:
        self._loop = loop
        self._pieces: queue.SimpleQueue[Piece | BaseException] = queue.SimpleQueue()
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self.job: Job | None = None
        self.cancelled = False

    def put(self, piece: Piece | BaseException) -> None:
        """Hand over a piece; called by the engine's thread."""
        self._pieces.put(piece)
        if self._waiter:
            loop, arrived = self._waiter
            try:
                loop.call_soon_threadsafe(arrived.set)
            except RuntimeError:
                # The event loop of whoever waited is closed: nobody reads this any more.
                self.cancelled = True

    def pieces(self) -> Iterator[Piece]:
        """Wait for the pieces, one after another; the last one says why it is the last.

        Raises:
            EngineStopped: the engine failed or was closed.
        """
        while True:
            piece = self._taken(self._pieces.get())
            yield piece
            if piece.finish:
                return

    async def apieces(self) -> AsyncIterator[Piece]:
        """Wait as `pieces` does, without a thread."""
        arrived = asyncio.Event()
        self._waiter = asyncio.get_running_loop(), arrived
        while True:
            try:
                found = self._pieces.get_nowait()
            except queue.Empty:
                await arrived.wait()
                arrived.clear()
                continue
            piece = self._taken(found)
            yield piece
            if piece.finish:
                return

    def _taken(self, found: Piece | BaseException) -> Piece:
        if isinstance(found, BaseException):
            raise EngineStopped(str(found)) from found
        return found

    def cancel(self) -> None:
        """Give up the request: its place is free within a step."""
        self.cancelled = True
        self._loop.wake()


class EngineLoop:
    """Runs an engine in a thread; `submit` and `call` may be used from any."""

    def __init__(self, engine: Engine, *, queue_limit: int = 256) -> None:
        self.engine = engine
        self.queue_limit = queue_limit
        self._lock = threading.Condition()
        self._new: deque[tuple[Ticket, Request]] = deque()
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._tickets: list[Ticket] = []
        self._closed = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @property
    def running(self) -> int:
        """Count the requests that are computed."""
        return len(self.engine.live)

    @property
    def waiting(self) -> int:
        """Count the requests that wait for a place."""
        return len(self._new) + len(self.engine.waiting)

    def submit(self, request: Request) -> Ticket:
        """Queue a request.

        Raises:
            QueueFull: `queue_limit` requests wait already.
            EngineStopped: the engine failed or was closed.
        """
        ticket = Ticket(self)
        with self._lock:
            self._require_alive()
            if self.waiting >= self.queue_limit:
                raise QueueFull
            self._new.append((ticket, request))
            self._lock.notify()
        return ticket

    def call(self, function: Callable[[], T]) -> "Future[T]":
        """Run a function in the engine's thread, between two steps: the model is its alone meanwhile."""
        future: Future[T] = Future()
        with self._lock:
            self._require_alive()
            self._calls.append((function, future))
            self._lock.notify()
        return future

    def wake(self) -> None:
        """Have the thread look at what changed."""
        with self._lock:
            self._lock.notify()

    def close(self) -> None:
        """End the thread; whoever waits gets EngineStopped."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        self._thread.join()

    def _require_alive(self) -> None:
        if self._closed or self._failure:
            raise EngineStopped(str(self._failure or "closed"))

    def _run(self) -> None:
        try:
            while self._turn():
                pass
            self._fail(EngineStopped("closed"))
        except BaseException as error:
            log.exception("the engine failed")
            self._fail(error)

    def _turn(self) -> bool:
        """Take what came, run what was called, and compute one step; False once closed."""
        with self._lock:
            while not (self._closed or self._new or self._calls or self.engine.has_work):
                self._lock.wait()
            if self._closed:
                return False
            new, self._new = list(self._new), deque()
            calls, self._calls = list(self._calls), deque()
        for ticket, request in new:
            ticket.job = self.engine.submit(request, ticket.put)
            self._tickets.append(ticket)
        for function, future in calls:
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except Exception as error:  # noqa: BLE001 - whoever called gets it
                future.set_exception(error)
        for ticket in self._tickets:
            if ticket.cancelled and ticket.job:
                ticket.job.cancelled = True
        if self.engine.has_work:
            self.engine.step()
        self._tickets = [ticket for ticket in self._tickets if ticket.job and ticket.job.finish is None]
        return True

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._failure = self._failure or error
            for ticket in (*self._tickets, *(ticket for ticket, _ in self._new)):
                ticket.put(error)
            for _, future in self._calls:
                future.set_exception(EngineStopped(str(error)))
            self._tickets, self._new, self._calls = [], deque(), deque()
