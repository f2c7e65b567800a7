"""Serve models over the OpenAI protocol: `python -m backend.serve FOLDER`.

Reads spec.json, writes address.json when it listens, and stops after a while without a request, by
SIGTERM, SIGINT or SIGHUP, or when whoever started it is gone. What it speaks is in `backend.serving`.
"""

import contextlib
import logging
import resource
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from backend.serving.activity import Activity
from backend.serving.app import make_app
from backend.serving.keys import read_keys, require_key_beyond_loopback
from backend.serving.served_models import ModelSet
from backend.worker import RunFolder, run_worker
from studio.contract import ServerAddress, ServeSpec
from studio.errors import PortInUse
from studio.language import say
from studio.samples.scheme import load_scheme
from studio.system.ownership import watch_owner

log = logging.getLogger(__name__)

GRACE_SECONDS = 2.0
"""How long open answers may go on once the server is told to stop; then they end with an error."""
_FORCE_SECONDS = 5
"""Until connections are closed whose clients do not read."""


class Ending:
    """Ends a server: for everybody who may ask for it, from whatever thread, and once."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._server: uvicorn.Server | None = None
        self._models: ModelSet | None = None

    def watch(self, server: uvicorn.Server, models: ModelSet) -> None:
        """Name what is to be ended."""
        self._server, self._models = server, models
        if self._asked.is_set():
            server.should_exit = True

    def ask(self) -> None:
        """End it: no new connection from now on, and in a moment no open answer."""
        if self._asked.is_set():
            return
        self._asked.set()
        if self._server and self._models:
            self._server.should_exit = True
            timer = threading.Timer(GRACE_SECONDS, self._models.close)
            timer.daemon = True
            timer.start()


def serve(folder: RunFolder) -> dict[str, Any]:
    """Load the models and serve them until idle or stopped."""
    spec = folder.read_spec()
    assert isinstance(spec, ServeSpec), spec.kind
    keys = read_keys(spec.key_file, spec.key_env)
    require_key_beyond_loopback(spec.host, keys)
    # From here on: while a model is loaded, which takes minutes, nothing else is heeded.
    ending = Ending()
    watch_owner(ending.ask, grace_seconds=GRACE_SECONDS + _FORCE_SECONDS)
    _allow_many_connections()
    listener = _listen(spec)
    models = ModelSet(spec, load_scheme())
    activity = Activity()
    app = make_app(models, activity, keys, [socket.gethostname()])
    app.router.lifespan_context = _life_of(folder, listener, models)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_FORCE_SECONDS,
    )
    server = uvicorn.Server(config)
    ending.watch(server, models)
    models.on_failure = ending.ask
    _end_by_signals(server, ending)
    threading.Thread(target=_end_when_idle, args=(ending, activity, spec.idle_seconds), daemon=True).start()
    try:
        server.run(sockets=[listener])
    finally:
        models.close()
    if models.failed:
        raise RuntimeError("the engine failed, see above")
    return {}


def _life_of(folder: RunFolder, listener: socket.socket, models: ModelSet) -> Any:
    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{port}"
        folder.write("address.json", ServerAddress(host=host, port=port, url=url))
        log.info("listening on %s, models %s", url, ", ".join(served.name for served in models.all))
        yield

    return life


def _listen(spec: ServeSpec) -> socket.socket:
    family = socket.AF_INET6 if ":" in spec.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
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


def _allow_many_connections() -> None:
    """Raise the limit of open files: a thousand clients at once are a thousand connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _end_by_signals(server: uvicorn.Server, ending: Ending) -> None:
    """Let SIGTERM, SIGINT and SIGHUP end the server; the second time it leaves at once.

    uvicorn takes the first two itself while it runs, with a handler that tells nobody else.
    """
    told = server.handle_exit

    def end(number: int, frame: FrameType | None) -> None:
        ending.ask()
        told(number, frame)

    server.handle_exit = end  # type: ignore[method-assign, assignment]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ending.ask())


def _end_when_idle(ending: Ending, activity: Activity, idle_seconds: float) -> None:
    activity.wait_until_idle(idle_seconds)
    log.info("no request for %.0f s, stopping", idle_seconds)
    ending.ask()


def main() -> int:
    """Entry of `python -m backend.serve`."""
    return run_worker(serve)


if __name__ == "__main__":
    sys.exit(main())
