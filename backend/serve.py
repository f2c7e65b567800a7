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

SHUTDOWN_SECONDS = 3
"""How long open answers may go on once the server is told to stop."""


def serve(folder: RunFolder) -> dict[str, Any]:
    """Load the models and serve them until idle or stopped."""
    spec = folder.read_spec()
    assert isinstance(spec, ServeSpec), spec.kind
    keys = read_keys(spec.key_file, spec.key_env)
    require_key_beyond_loopback(spec.host, keys)
    # From here on: while a model is loaded, which takes minutes, nothing else is heeded.
    running: list[uvicorn.Server] = []
    watch_owner(lambda: _stop(running))
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
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = uvicorn.Server(config)
    running.append(server)
    _stop_by_signals(server)
    threading.Thread(target=_stop_when_idle, args=(server, activity, spec.idle_seconds), daemon=True).start()
    try:
        server.run(sockets=[listener])
    finally:
        models.close()
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


def _stop_by_signals(server: uvicorn.Server) -> None:
    """Let SIGTERM, SIGINT and SIGHUP end the server; uvicorn raises the first two again when it is done."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)


def _stop(running: list[uvicorn.Server]) -> None:
    for server in running:
        server.should_exit = True


def _stop_when_idle(server: uvicorn.Server, activity: Activity, idle_seconds: float) -> None:
    activity.wait_until_idle(idle_seconds)
    log.info("no request for %.0f s, stopping", idle_seconds)
    server.should_exit = True


def main() -> int:
    """Entry of `python -m backend.serve`."""
    return run_worker(serve)


if __name__ == "__main__":
    sys.exit(main())
