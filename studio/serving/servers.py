"""Start, find and stop model servers: one process for each model and adapter, started on first use.

    serving/<key>/  spec.json in, address.json once it listens, log.txt, alive (locked)

A server outlives the page that started it, stops by itself when idle, and ends with the web app or the
command that started it. Of more than a few the least recently used ends. It speaks the OpenAI
protocol; `client` talks to it. This module loads no model.
"""

import fcntl
import hashlib
import http.client
import json
import logging
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from studio.contract import Result, ServerAddress, ServeSpec, TemplateName
from studio.errors import PortInUse, ServerUnavailable
from studio.language import say
from studio.modelfiles.adapter_check import require_adapter
from studio.modelfiles.settings import unsafe_environment
from studio.system import processes as workers
from studio.system.atomic import guard_disk
from studio.system.background import reap
from studio.system.documents import read_whole
from studio.system.jsonl import read_tail
from studio.system.network import open_directly
from studio.system.ownership import owner_environment
from studio.team.rights import require_right
from studio.workspace import Workspace

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
MOST_VARIABLE = "STUDIO_MODEL_SERVERS"
"""How many model servers may run at once."""
_MOST_SERVERS = 3
_PROGRAM_BYTES = 512 * 2**20
"""Memory of a server before any weight."""
_FOREVER_SECONDS = 10 * 365 * 86400.0
# A proxy of the environment is for the world outside; servers are on this machine.


@dataclass(frozen=True, kw_only=True)
class Server:
    """The state of a model server when it was read; `url` is None until it listens."""

    folder: Path
    spec: ServeSpec
    state: Literal["starting", "ready", "ended"]
    url: str | None


def ensure_server(
    workspace: Workspace,
    *,
    model: Path,
    adapter: Path | None = None,
    template: TemplateName = "auto",
    name: str,
    calibration_file: Path | None = None,
    command: Sequence[str] = workers.DEFAULT_COMMAND,
    timeout_seconds: float = 300,
) -> str:
    """Return the base URL of a server for this model; start one if there is none.

    Returns when the model is loaded and answers. `calibration_file` is of the run, see `ServeSpec`.

    Raises:
        ServerUnavailable: it ended or did not answer in time; with the end of its log.
        ModelUnusable: the adapter does not fit the model.
    """
    require_right("serve_models")
    spec = ServeSpec(
        model_name_or_path=model,
        adapter_name_or_path=adapter,
        template=template,
        name=name,
        calibration_file=calibration_file,
    )
    folder = workspace.serving / _key(spec)
    deadline = time.monotonic() + timeout_seconds
    started = False
    while True:
        with _one_at_a_time(folder):
            if not workers.is_alive(folder):
                if started:
                    raise _unavailable(
                        say("模型服务启动后退出了。", "The model server started and exited."), folder
                    )
                with _one_at_a_time(workspace.serving):
                    _make_room(workspace, model)
                    _start(workspace, folder, spec, command)
                started = True
            _mark_used(folder)
        # One that was found alive may be about to stop, being idle: then try once more.
        url = _wait_until_ready(folder, deadline)
        if url:
            return url


def most_servers() -> int:
    """Return how many model servers there are at once: each keeps a model in memory."""
    text = os.environ.get(MOST_VARIABLE, "")
    return max(1, int(text)) if text.isascii() and text.isdigit() else _MOST_SERVERS


def _make_room(workspace: Workspace, model: Path) -> None:
    """End the least recently used servers, so that one more may start; those of a fixed port stay.

    Not more than so many run at once, and not more than fit into memory.
    """
    alive = [
        server for server in servers(workspace) if server.spec.port == 0 and workers.is_alive(server.folder)
    ]
    alive.sort(key=lambda server: _last_used(server.folder))
    while alive and (len(alive) >= most_servers() or not _fits(model)):
        server = alive.pop(0)
        log.info("the model server of %s is ended to make room", server.spec.name)
        stop_server(server)


def _fits(model: Path) -> bool:
    """Return whether a model fits into the memory that is free now; True where nobody tells."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        available = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) * 1024
        weights = sum(file.stat().st_size for file in model.glob("*.safetensors"))
    except (OSError, ValueError, StopIteration):
        return True
    # On a processor weights are kept in float32, twice what is on disk as a rule.
    return 2 * weights + _PROGRAM_BYTES < available


def _mark_used(folder: Path) -> None:
    with guard_disk(folder):
        (folder / "used").touch()


def _last_used(folder: Path) -> float:
    try:
        return (folder / "used").stat().st_mtime
    except OSError:
        return 0.0


def serve_here(
    workspace: Workspace,
    *,
    model: Path,
    adapter: Path | None,
    template: TemplateName,
    name: str,
    port: int,
    command: Sequence[str] = workers.DEFAULT_COMMAND,
    **others: Any,
) -> None:
    """Serve in the foreground on a fixed port until the server ends, by Ctrl-C for instance.

    `others` are further fields of ServeSpec: more models of the same base, address, key, limits.

    Raises:
        ServerUnavailable: it ended with an error, the port being in use for instance.
        ModelUnusable: the adapter does not fit the model.
    """
    spec = ServeSpec(
        model_name_or_path=model,
        adapter_name_or_path=adapter,
        template=template,
        name=name,
        port=port,
        idle_seconds=_FOREVER_SECONDS,
        **others,
    )
    for one in spec.also:
        require_adapter(one.adapter_name_or_path, model)
    folder = workspace.serving / f"port-{port}"
    with _one_at_a_time(folder):
        if workers.is_alive(folder):
            raise PortInUse(
                say(
                    f"端口 {port} 上已有本工作区的模型服务。",
                    f"A model server of this workspace is running on port {port}.",
                ),
                remedy=say(
                    "请用 --port 换一个端口，或先停止它。", "Choose another with --port, or stop it first."
                ),
            )
        _start(workspace, folder, spec, command, alone=True)
    try:
        with _ended_by_signals():
            while workers.is_alive(folder):
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        stop_server(Server(folder=folder, spec=spec, state="ready", url=None))
        return
    raise _unavailable(say("模型服务退出了。", "The model server exited."), folder)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does; only the main thread hears signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def servers(workspace: Workspace) -> list[Server]:
    """List every server that was started and not cleared away, running ones first."""
    found = [_read(path.parent) for path in sorted(workspace.serving.glob("*/spec.json"))]
    return sorted((server for server in found if server), key=lambda server: server.state == "ended")


def stop_server(server: Server, *, grace_seconds: float = 5) -> None:
    """Stop a server: SIGTERM, and SIGKILL if it is still alive after `grace_seconds`."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        workers.signal_worker(server.folder, number)
        deadline = time.monotonic() + grace_seconds
        while workers.is_alive(server.folder) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)


def _key(spec: ServeSpec) -> str:
    asked = [str(spec.model_name_or_path), str(spec.adapter_name_or_path), spec.template, spec.name]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the folder's start lock: two pages that want the same server at once start one."""
    with guard_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _start(
    workspace: Workspace, folder: Path, spec: ServeSpec, command: Sequence[str], *, alone: bool = False
) -> None:
    """Start a server in a folder whose last server, if any, has ended; `alone`: it is of this process only.

    Raises:
        ModelUnusable: the adapter does not fit its base; nothing was started.
    """
    require_adapter(spec.adapter_name_or_path, spec.model_name_or_path)
    for name in ("alive", "address.json", "result.json", "log.txt"):
        (folder / name).unlink(missing_ok=True)
    (folder / "spec.json").write_text(spec.model_dump_json(indent=2), encoding="utf-8")
    try:
        process = workers.start_worker(
            folder,
            workers.worker_command("serve", command),
            cwd=workspace.home,
            environment={
                **unsafe_environment(workspace),
                **owner_environment(workspace.home, alone=alone),
            },
        )
    except OSError:
        log.exception("the server for %s cannot be started", spec.name)
    else:
        reap(process)


def _wait_until_ready(folder: Path, deadline: float) -> str | None:
    """Wait for the server to answer and return its URL; None if it has exited."""
    while workers.is_alive(folder):
        address = _address(folder)
        if address and _is_healthy(address.url):
            return address.url
        if time.monotonic() > deadline:
            raise _unavailable(
                say("模型服务没有及时就绪。", "The model server was not ready in time."), folder
            )
        time.sleep(_POLL_SECONDS)
    return None


def _unavailable(problem: str, folder: Path) -> ServerUnavailable:
    """Make the error for a server: its own reason where it left one, else the end of its log."""
    try:
        result = Result.model_validate_json(read_whole(folder / "result.json"))
    except (OSError, ValueError):
        tail = read_tail(folder / "log.txt", 15)
        return ServerUnavailable(
            f"{problem}\n{tail}".strip(),
            remedy=say(
                f"请按日志最后几行处理后重试；完整日志：{folder / 'log.txt'}",
                f"See the last lines of its log, then try again; the whole log: {folder / 'log.txt'}",
            ),
        )
    return ServerUnavailable(
        say("{problem}{message}", "{problem} {message}", problem=problem, message=result.text("message")),
        remedy=result.text("remedy"),
    )


def _address(folder: Path) -> ServerAddress | None:
    """Read where the server listens; None while the file is missing or half written."""
    try:
        return ServerAddress.model_validate_json(read_whole(folder / "address.json"))
    except (OSError, ValueError):
        return None


def _is_healthy(url: str) -> bool:
    try:
        with open_directly(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def _read(folder: Path) -> Server | None:
    alive = workers.is_alive(folder)
    try:
        spec = ServeSpec.model_validate_json(read_whole(folder / "spec.json"))
    except (OSError, ValueError) as error:
        log.warning("%s is left out: %s", folder, error)
        return None
    address = _address(folder) if alive else None
    if not alive:
        return Server(folder=folder, spec=spec, state="ended", url=None)
    ready = address is not None and _is_healthy(address.url)
    return Server(
        folder=folder, spec=spec, state="ready" if ready else "starting", url=address.url if address else None
    )
