"""Serve the web app, and refuse whoever is not asking for it by one of its names.

    streamlit run studio/web_server.py

A page of another site can point its own name at this computer (DNS rebinding), and a page of another
local port is a stranger too: a request has to name a host of `server.allowedHosts`, and a request of
a page has to come from the studio's own pages or from one of `server.corsAllowedOrigins`. Then
`studio.web` asks who it is.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.middleware import Middleware

from studio.accounts.access import Access, access_mode
from studio.operations.supervisor import PARENT_VARIABLE
from studio.system.network import LOOPBACK, is_loopback
from studio.web.access import RequireEntry
from studio.web.entrance import Entrance
from studio.web.monitor import monitor_routes
from studio.workspace import open_workspace

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

REFUSAL = "403: this address is not the studio's own (server.allowedHosts, server.corsAllowedOrigins)\n"


class OwnAddressOnly:
    """ASGI middleware: HTTP and WebSocket requests under a foreign host or of a foreign origin get 403."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket") or is_own(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: a 403
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": REFUSAL.encode()})


def is_own(scope: Message) -> bool:
    """Tell whether a request names a host of ours and, where it tells its origin, is of our own pages."""
    hosts, origins = (_values(scope, name) for name in (b"host", b"origin"))
    if len(hosts) != 1 or len(origins) > 1 or not _is_allowed(hosts[0]):
        return False
    others = _options("server.corsAllowedOrigins")
    return not origins or _is_same(origins[0], hosts[0]) or origins[0] in others


def _values(scope: Message, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip().lower() for key, value in scope["headers"] if key.lower() == name]


def _is_allowed(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    # This machine's own names always: no page elsewhere can have one, and `up` looks under them.
    allowed = [*LOOPBACK, *_options("server.allowedHosts")]
    return name is not None and ("*" in allowed or any(_matches(name.rstrip("."), each) for each in allowed))


def _matches(name: str, pattern: str) -> bool:
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern


def _is_same(origin: str, host: str) -> bool:
    """Compare host and port; that of the scheme is left out of both by a browser."""
    return urlsplit(origin).netloc == host and origin.startswith(("http://", "https://"))


def _options(name: str) -> list[str]:
    """Read a list of names; from the environment it may come as one text with commas."""
    names = ",".join(map(str, st.get_option(name))).split(",")
    return [each.strip().lower().rstrip("/") for each in names if each.strip()]


def end_with(parent: int) -> None:
    """End this process once its parent has ended, however that did."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def require_accounts(mode: Access, address: str | None) -> None:
    """End the process where others could reach it and nobody would be asked who they are."""
    if mode != "accounts" and not is_loopback(address or ""):
        sys.stderr.write(
            f"News Studio is not served to other computers ({address or 'every address'}) without accounts: "
            "news-studio up --host ADDRESS --accounts\n"
        )
        os._exit(2)


def unexpected(error: Exception) -> bool:
    """Show an error that nobody foresaw as a sentence."""
    # Here: a page's modules are loaded with the first page.
    from pages.shared.feedback import show_unexpected

    return show_unexpected(error)


os.umask(0o077)  # what it writes is its owner's alone
if (starter := os.environ.get(PARENT_VARIABLE, "")).isdigit():
    end_with(int(starter))

mode = access_mode()
require_accounts(mode, st.get_option("server.address"))
base = f"/{st.get_option('server.baseUrlPath').strip('/')}".rstrip("/")
entrance = Entrance(mode=mode, workspace=open_workspace(), base=base, port=st.get_option("server.port"))

app = st.App(
    Path(__file__).with_name("app.py"),
    middleware=[Middleware(OwnAddressOnly), Middleware(RequireEntry, gate=entrance)],
    routes=[*monitor_routes(base), *entrance.routes()],
    on_script_error=unexpected,
)
