"""Wait for answers: pieces of several tickets as they come, ended when nobody waits any more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from backend.engine.loop import Ticket
from backend.engine.requests import Piece
from backend.serving.errors import ClientGone

T = TypeVar("T")


async def merge_pieces(tickets: Sequence[Ticket]) -> AsyncIterator[tuple[int, Piece]]:
    """Yield the pieces of several tickets as they come, each with the index of its ticket.

    However this ends, the tickets give their places back.
    """
    arrived: asyncio.Queue[tuple[int, Piece] | BaseException] = asyncio.Queue()

    async def pump(index: int, ticket: Ticket) -> None:
        try:
            async for piece in ticket.apieces():
                arrived.put_nowait((index, piece))
        except Exception as error:  # noqa: BLE001  # raised again where it is waited for
            arrived.put_nowait(error)

    tasks = [asyncio.create_task(pump(index, ticket)) for index, ticket in enumerate(tickets)]
    open_ = len(tickets)
    try:
        while open_:
            item = await arrived.get()
            if isinstance(item, BaseException):
                raise item
            open_ -= item[1].finish is not None
            yield item
    finally:
        cancel(tickets)
        for task in tasks:
            task.cancel()


def cancel(tickets: Sequence[Ticket]) -> None:
    """Give the places of tickets back."""
    for ticket in tickets:
        ticket.cancel()


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Wait for work, and cancel it as soon as the client is gone.

    Raises:
        ClientGone: it is.
    """
    task = asyncio.create_task(work)
    watch = asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone
    finally:
        for one in (task, watch):
            one.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await one


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class EventStream(StreamingResponse):
    """Server-sent events; `ended` is called when the last is sent or the client is gone, whichever comes."""

    def __init__(self, lines: AsyncIterator[str], ended: Callable[[], object]) -> None:
        # A proxy that collects a response would make a stream of one piece of it.
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(lines, media_type="text/event-stream", headers=headers)
        self.ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.ended()
