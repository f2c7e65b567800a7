"""Refuse whoever has not proved who they are; where the cookie is.

Everything goes through here, pages, their WebSocket, uploads, static files and numbers alike; only the
forms of `studio.web.entrance` and the sign of life that `up` looks for are open.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import closing
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import anyio.to_thread
from starlette.requests import HTTPConnection

from studio.accounts.access import Access, cookie_name, cookie_of_token, is_cookie_of_token, is_token
from studio.accounts.sessions import name_of
from studio.store import read_only
from studio.system.network import is_loopback
from studio.workspace import Workspace

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ENTRANCE = "/enter"
SIGN_OF_LIFE = "/_stcore/health"
REMEMBERED_SECONDS = 2.0
"""How long a session that was found is not looked for again: a page asks for dozens of files at once."""
_MOST_REMEMBERED = 1000
COOKIE_SECONDS = 90 * 86400


@dataclass(frozen=True, kw_only=True)
class Gate:
    """How one studio is entered.

    Args:
        mode: what proves who somebody is.
        workspace: whose accounts or token count.
        base: path before every path, as `server.baseUrlPath` says it; "" or "/studio".
        port: of the server, by which cookies of two studios on one computer are told apart.
    """

    mode: Access
    workspace: Workspace
    base: str = ""
    port: int = 0
    found: dict[str, float] = field(default_factory=dict)
    """Sessions that were found, each until when it is not looked for again."""

    @property
    def cookie(self) -> str:
        """The cookie's name."""
        return cookie_name(self.port)


class RequireEntry:
    """ASGI middleware: what comes without a valid cookie is led to the entrance, or gets 401."""

    def __init__(self, app: Callable[..., Awaitable[None]], *, gate: Gate) -> None:
        self.app = app
        self.gate = gate

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, lead it to the entrance, or refuse it."""
        if await self._may_pass(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif (told := self._token_in(scope)) is not None:
            await _redirect(
                send, told, cookie_header(self.gate.cookie, cookie_of_token(self.gate.workspace), scope)
            )
        elif scope["method"] == "GET" and "text/html" in HTTPConnection(scope).headers.get("accept", ""):
            await _redirect(send, f"{self.gate.base}{ENTRANCE}?{urlencode({'next': _address(scope)})}")
        else:
            await _refuse(send)

    async def _may_pass(self, scope: Message) -> bool:
        if (
            scope["type"] not in ("http", "websocket")
            or self.gate.mode == "open"
            or self._is_open(scope["path"])
        ):
            return True
        return await anyio.to_thread.run_sync(self._is_known, scope)

    def _is_open(self, path: str) -> bool:
        path = path.removeprefix(self.gate.base)
        return path in (SIGN_OF_LIFE, ENTRANCE) or path.startswith(f"{ENTRANCE}/")

    def _is_known(self, scope: Message) -> bool:
        bearer = HTTPConnection(scope).headers.get("authorization", "")
        if scope["type"] == "http" and bearer.startswith("Bearer "):
            return is_token(self.gate.workspace, bearer.removeprefix("Bearer "))
        said = cookie_in(scope, self.gate.cookie)
        if not said:
            return False
        if self.gate.mode == "token":
            return is_cookie_of_token(self.gate.workspace, said)
        return self._is_session(said)

    def _is_session(self, token: str) -> bool:
        now, found = time.monotonic(), self.gate.found
        if found.get(token, -1.0) > now:
            return True
        if not self.gate.workspace.database.exists():
            return False
        with closing(read_only(self.gate.workspace.database)) as db:
            is_session = name_of(db, token) is not None
        if len(found) > _MOST_REMEMBERED:
            found.clear()
        if is_session:
            found[token] = now + REMEMBERED_SECONDS
        return is_session

    def _token_in(self, scope: Message) -> str | None:
        """Return the address without its token where it carries the right one."""
        if self.gate.mode != "token" or scope["method"] != "GET":
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if not any(is_token(self.gate.workspace, said) for said in query.pop("token", [])):
            return None
        rest = urlencode(query, doseq=True)
        return quote(scope["path"]) + (f"?{rest}" if rest else "")


def cookie_in(scope: Message, name: str) -> str:
    """Read a cookie of a request; "" for none."""
    jar = SimpleCookie()
    for header in HTTPConnection(scope).headers.getlist("cookie"):
        try:
            jar.load(header)
        except CookieError:
            continue
    return jar[name].value if name in jar else ""


def cookie_header(
    name: str, value: str, scope: Message, *, seconds: int = COOKIE_SECONDS
) -> tuple[bytes, bytes]:
    """Build the header that sets the cookie: out of reach of scripts, and of other sites' forms.

    It is secure where the request came by TLS, also where a proxy on this computer says so.
    """
    secure = "; Secure" if is_by_tls(scope) else ""
    return (
        b"set-cookie",
        f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}".encode(),
    )


def is_by_tls(scope: Message) -> bool:
    """Return whether the browser's connection is encrypted."""
    said = HTTPConnection(scope).headers.get("x-forwarded-proto", "")
    return scope.get("scheme") in ("https", "wss") or (_is_by_proxy(scope) and said == "https")


def client_address(scope: Message) -> str:
    """Return the browser's address: the last one that a proxy on this computer names, else the peer's."""
    peer = scope["client"][0] if scope.get("client") else ""
    named = HTTPConnection(scope).headers.get("x-forwarded-for", "")
    return named.rpartition(",")[2].strip() if named and _is_by_proxy(scope) else peer


def _is_by_proxy(scope: Message) -> bool:
    return bool(scope.get("client")) and is_loopback(scope["client"][0])


def _address(scope: Message) -> str:
    query = scope["query_string"].decode("latin-1")
    return quote(scope["path"]) + (f"?{query}" if query else "")


async def _redirect(send: Send, where: str, *headers: tuple[bytes, bytes]) -> None:
    told = [(b"location", where.encode("latin-1")), (b"cache-control", b"no-store"), *headers]
    await send({"type": "http.response.start", "status": 303, "headers": told})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b"401: sign in first\n"})
