"""Turn away what must not reach a model: a foreign name, no key, too large a body.

Before a body is read: the name that the client called us by, then the key. A body over the limit is
never kept: what is small enough to be in flight anyway is read and dropped, so that the client gets the
answer and no reset connection; of more than that the connection is closed.
"""

import asyncio
import hmac
import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.serving.errors import ApiError
from studio.language import say
from studio.system.network import LOOPBACK

OPEN_PATHS = ("/health",)
"""Answered without a key: whoever watches a server need not be able to use it."""
DROPPED_BYTES = 64 * 2**20
DROP_SECONDS = 10.0
BODY_SECONDS = 60.0
"""Longest time in which a body arrives."""


class Gate:
    """ASGI middleware that checks host, key and the size of the body.

    Args:
        app: what is behind the gate.
        hosts: names that we answer to; with `addresses` also any that is a bare IP address, which no
            foreign page can have made point here.
        keys: any of them opens; none: open to all.
        most_bytes: of a body.
        addresses: whether the server listens beyond this machine.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Sequence[str],
        keys: Sequence[str] = (),
        most_bytes: int,
        addresses: bool = False,
    ) -> None:
        self.app = app
        self.hosts = {host.lower() for host in (*LOOPBACK, *hosts)}
        self.keys = [key.encode() for key in keys]
        self.most_bytes = most_bytes
        self.addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_host(headers.get("host", ""))
            self._check_key(scope["path"], headers.get("authorization", ""))
            self._check_length(headers.get("content-length", "0"))
        except ApiError as error:
            # Who sends "Expect: 100-continue" has not begun, and must not be asked to.
            if "expect" in headers or not await _drop_body(receive):
                error.headers["Connection"] = "close"
            await error.response()(scope, receive, send)
            return
        await self.app(scope, _Body(receive, self.most_bytes).receive, send)

    def _check_host(self, host: str) -> None:
        name = _host_name(host)
        if name in self.hosts or (self.addresses and _is_address(name)):
            return
        raise ApiError(
            421 if name else 400,
            say(
                f"本服务不用 {name or '空'} 这个名字。请用它的地址，或在启动时加 --allowed-host。",
                f"This server does not answer to the name {name or 'nothing'}. Use its address, or start it "
                "with --allowed-host.",
            ),
            code="unknown_host",
        )

    def _check_key(self, path: str, authorization: str) -> None:
        if not self.keys or path in OPEN_PATHS:
            return
        scheme, _, given = authorization.partition(" ")
        found = given.strip().encode(errors="replace")
        if scheme.lower() == "bearer" and any([hmac.compare_digest(found, key) for key in self.keys]):
            return
        raise ApiError(
            401,
            say(
                "缺少 API 密钥或密钥不对。请在 Authorization: Bearer 里带上它。",
                "Missing or incorrect API key. Send it as Authorization: Bearer.",
            ),
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def _check_length(self, length: str) -> None:
        if not length.isascii() or not length.isdigit() or int(length) > self.most_bytes:
            raise too_large(self.most_bytes)


class _Body:
    """Counts a body as it arrives: its length may not have been told, or not be true."""

    def __init__(self, receive: Receive, most_bytes: int) -> None:
        self._receive = receive
        self.left = most_bytes
        self.most_bytes = most_bytes
        self.complete = False
        self.deadline = asyncio.get_running_loop().time() + BODY_SECONDS

    async def receive(self) -> Message:
        """Receive the next part."""
        if self.complete:  # what comes now is the end of the connection, which may take as long as it likes
            return await self._receive()
        try:
            async with asyncio.timeout_at(self.deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise _too_slow() from error
        if message["type"] == "http.request":
            self.left -= len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
            if self.left < 0:
                refusal = too_large(self.most_bytes)
                if not self.complete and not await _drop_body(self._receive):
                    refusal.headers["Connection"] = "close"
                self.complete = True
                raise refusal
        return message


def _too_slow() -> ApiError:
    return ApiError(
        408,
        say("请求体迟迟没有传完。", "The body did not arrive in time."),
        code="request_timeout",
        headers={"Connection": "close"},
    )


def too_large(most_bytes: int) -> ApiError:
    """Make the error for a body over the limit."""
    return ApiError(
        413,
        say(
            f"请求体超过 {most_bytes:,} 字节。请分几次发送。",
            f"The body is larger than {most_bytes:,} bytes. Send it in parts.",
        ),
        code="request_too_large",
    )


async def _drop_body(receive: Receive) -> bool:
    """Read what is on its way and keep none of it, for a while; returns whether that was all."""
    dropped = 0
    try:
        async with asyncio.timeout(DROP_SECONDS):
            while dropped < DROPPED_BYTES:
                message = await receive()
                dropped += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return True
    except TimeoutError:
        pass
    return False


def _host_name(host: str) -> str:
    """Return the name in a Host header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
