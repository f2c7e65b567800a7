"""Supervise web app and job process: `news-studio up`, kept alive until Ctrl-C.

The lock of up.lock belongs to the web app as well, so that a workspace never gets a
second one, not even when this process was killed. Running jobs outlive both;
the web app, an idle job process and the model servers end with this process, however it ends. While it
runs, the database is copied every night.
"""

import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from studio.errors import PortInUse, StudioError, WorkspaceBusy
from studio.jobs import queue as jobs
from studio.language import say
from studio.operations.database_copies import keep_nightly_copies
from studio.system import background, locks
from studio.system.atomic import guard_disk
from studio.system.jsonl import read_tail
from studio.system.network import open_directly
from studio.system.ownership import UP_LOCK
from studio.workspace import Workspace, current_settings

log = logging.getLogger(__name__)

DEFAULT_PORT = 8501
PARENT_VARIABLE = "NEWS_STUDIO_PARENT"
"""The web app's variable: the process that it ends with."""
APP = Path(__file__).resolve().parent.parent / "web_server.py"

_POLL_SECONDS = 0.25
_JOBS_LOOK_SECONDS = 5.0
_STOP_SECONDS = 5.0
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DEATHS_ALLOWED = 3
_DEATHS_WITHIN_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class WebApp:
    """The web app of a workspace, as recorded in up.lock."""

    url: str
    pid: int


def up(
    workspace: Workspace,
    port: int = DEFAULT_PORT,
    *,
    app: Path = APP,
    on_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run the web app and the job process until SIGINT or SIGTERM.

    Args:
        workspace: it may have one web app only.
        port: of the web app, on 127.0.0.1.
        app: entry script for streamlit.
        on_ready: called with the URL when the app answers for the first time.

    Raises:
        WorkspaceBusy: the workspace has a web app already; with its URL.
        PortInUse: another program listens on the port.
        StudioError: the web app is in a crash loop.
    """
    with guard_disk(workspace.home), lock_path(workspace).open("a+") as lock:
        if not locks.take_lock(lock):
            raise _already_up(workspace)
        lock.truncate(0)  # what an earlier web app left is not to be shown
        _require_free(port)
        stop = threading.Event()
        before = {number: signal.signal(number, _setter(stop)) for number in _ENDING}
        try:
            _supervise(workspace, port, app, lock, stop, on_ready)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def running_app(workspace: Workspace) -> WebApp | None:
    """Find the web app of the workspace, if one is up."""
    note = locks.read_note(lock_path(workspace))
    return WebApp(**json.loads(note)) if note else None


def lock_path(workspace: Workspace) -> Path:
    """Return the path of up.lock: locked while the workspace has a web app, and records its URL."""
    return workspace.home / UP_LOCK


def log_path(workspace: Workspace) -> Path:
    """Return the path of the web app's log."""
    return workspace.home / "web.log"


def _setter(stop: threading.Event) -> Callable[[int, FrameType | None], None]:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    return handle


def _supervise(
    workspace: Workspace,
    port: int,
    app: Path,
    lock: IO[str],
    stop: threading.Event,
    on_ready: Callable[[str], None],
) -> None:
    """Restart either process when it dies; on the way out the web app is ended, jobs go on."""
    url = f"http://127.0.0.1:{port}"
    web, ready = _start_app(workspace, port, app, lock), False
    keep = current_settings().nightly_copies
    # Daemonic: a copy under way does not hold up the end, and a half one has no name yet.
    threading.Thread(
        target=keep_nightly_copies, args=(workspace, keep, stop), name="nightly", daemon=True
    ).start()
    deaths: list[float] = []
    next_look = 0.0
    try:
        while not stop.wait(_POLL_SECONDS):
            if time.monotonic() >= next_look:
                jobs.ensure_job_process(workspace)
                next_look = time.monotonic() + _JOBS_LOOK_SECONDS
            if web.poll() is not None:
                deaths.append(time.monotonic())
                _require_rare(deaths, workspace)
                log.warning("the web app ended with status %s and is started again", web.returncode)
                web = _start_app(workspace, port, app, lock)
            if not ready and _answers(url):
                ready = True
                on_ready(url)
    finally:
        _end(web)


def _start_app(workspace: Workspace, port: int, app: Path, lock: IO[str]) -> "subprocess.Popen[bytes]":
    options = {
        "--server.address": "127.0.0.1",
        "--server.port": str(port),
        "--server.headless": "true",
        "--browser.gatherUsageStats": "false",
    }
    command = [sys.executable, "-m", "streamlit", "run", str(app)]
    process = background.spawn(
        [*command, *(word for option in options.items() for word in option)],
        lock=lock,
        log=log_path(workspace),
        # Beside .streamlit/config.toml, which streamlit looks for where it starts.
        cwd=APP.parent.parent,
        environment={"STUDIO_HOME": str(workspace.home), PARENT_VARIABLE: str(os.getpid())},
    )
    locks.write_note(lock, json.dumps({"url": f"http://127.0.0.1:{port}", "pid": process.pid}))
    return process


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with open_directly(f"{url}/_stcore/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def _require_free(port: int) -> None:
    """Probe the port; raises PortInUse when something listens on it."""
    with socket.socket() as probe:
        # Connections of an app that ended a moment ago do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortInUse(
                say(
                    f"端口 {port} 不可用：{error.strerror}。",
                    f"Port {port} cannot be used: {error.strerror}.",
                ),
                remedy=say(
                    f"请换一个端口，例如：news-studio up --port {port + 1}",
                    f"Choose another port, for example: news-studio up --port {port + 1}",
                ),
            ) from error


def _require_rare(deaths: list[float], workspace: Workspace) -> None:
    """Detect a crash loop; raises StudioError when the web app died too often to be restarted."""
    recent = [death for death in deaths if death > deaths[-1] - _DEATHS_WITHIN_SECONDS]
    if len(recent) >= _DEATHS_ALLOWED:
        words = read_tail(log_path(workspace), 5)
        raise StudioError(
            say(
                f"网页程序一分钟内退出了 {len(recent)} 次：\n{words}",
                f"The web app exited {len(recent)} times within a minute:\n{words}",
            ),
            remedy=say(
                f"请按上面的原因处理（{log_path(workspace)}）；news-studio doctor 会检查环境。",
                f"Fix the cause above ({log_path(workspace)}); news-studio doctor checks the environment.",
            ),
        )


def _already_up(workspace: Workspace) -> WorkspaceBusy:
    first = running_app(workspace) or WebApp(url="", pid=0)
    return WorkspaceBusy(
        say(
            f"工作区 {workspace.home} 已在 {first.url} 运行（进程 {first.pid}）。",
            f"The workspace {workspace.home} is already running at {first.url} (process {first.pid}).",
        ),
        remedy=say(
            f"请直接打开 {first.url}，或先停止它，或用 --home 指定另一个工作区。",
            f"Open {first.url}, or stop it first, or name another workspace with --home.",
        ),
    )
