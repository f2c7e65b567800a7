"""Notice whether a server is used, so that one that is idle can stop."""

import threading
import time

from starlette.types import ASGIApp, Receive, Scope, Send


class Activity:
    """When the last request was, and how many are open."""

    def __init__(self) -> None:
        self.open = 0
        self.last = time.monotonic()
        self._lock = threading.Lock()

    def change(self, by: int) -> None:
        """Count a request in or out."""
        with self._lock:
            self.open += by
            self.last = time.monotonic()

    def wait_until_idle(self, seconds: float) -> None:
        """Return once no request was open for so long."""
        while True:
            with self._lock:
                left = seconds if self.open else self.last + seconds - time.monotonic()
            if left <= 0:
                return
            time.sleep(left)


class WatchActivity:
    """ASGI middleware that counts the requests that ask a model for something."""

    def __init__(self, app: ASGIApp, activity: Activity, paths: frozenset[str]) -> None:
        self.app = app
        self.activity = activity
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["path"] not in self.paths:
            await self.app(scope, receive, send)
            return
        self.activity.change(1)
        try:
            await self.app(scope, receive, send)
        finally:
            self.activity.change(-1)
