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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from studio.accounts.access import ACCESS_VARIABLE, Access, access_token
from studio.errors import InputError, PortInUse, StudioError, WorkspaceBusy
from studio.jobs import queue as jobs
from studio.language import say
from studio.operations.database_copies import keep_nightly_copies
from studio.system import background, locks
from studio.system.atomic import guard_disk
from studio.system.jsonl import read_tail
from studio.system.network import LOOPBACK, is_loopback, open_directly
from studio.system.ownership import UP_LOCK
from studio.workspace import WEB_LOG, Workspace, current_settings

log = logging.getLogger(__name__)

DEFAULT_PORT = 8501
HOSTS_VARIABLE = "STREAMLIT_SERVER_ALLOWED_HOSTS"
PARENT_VARIABLE = "NEWS_STUDIO_PARENT"
"""The web app's variable: the process that it ends with."""
APP = Path(__file__).resolve().parent.parent / "web_server.py"

_EVERYWHERE = ("0.0.0.0", "::")
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
    access: Access = "open"


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a web app listens, under which names it answers, and how it is entered."""

    host: str
    port: int
    names: tuple[str, ...]
    base_path: str
    access: Access

    def __post_init__(self) -> None:
        """Check that others meet a sign-in."""
        if self.access != "accounts" and not is_loopback(self.host):
            raise InputError(
                say(
                    f"{self.host} 上别的电脑也能打开，必须使用账号。",
                    f"Other computers can open {self.host}: accounts are obligatory there.",
                ),
                remedy=say("请加 --accounts。", "Add --accounts."),
            )

    @property
    def url(self) -> str:
        """The URL for a browser on this computer."""
        host = LOOPBACK[0] if self.host in _EVERYWHERE else self.host
        base = f"/{self.base_path}" if self.base_path else ""
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}{base}"

    @property
    def allowed_hosts(self) -> list[str]:
        """The names under which the app answers; what the environment names counts too."""
        own = () if self.host in _EVERYWHERE else (self.host,)
        set_before = os.environ.get(HOSTS_VARIABLE, "").split(",")
        names = (name.strip() for name in (*LOOPBACK, *own, *self.names, *set_before))
        return list(dict.fromkeys(filter(None, names)))


def up(
    workspace: Workspace,
    port: int = DEFAULT_PORT,
    *,
    host: str = LOOPBACK[0],
    names: Sequence[str] = (),
    base_path: str = "",
    access: Access = "token",
    app: Path = APP,
    on_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run the web app and the job process until SIGINT or SIGTERM.

    Args:
        workspace: it may have one web app only.
        port: of the web app.
        host: address on which it listens; on any but this computer's own, accounts are obligatory.
        names: further host names under which it answers, such as that of a proxy before it.
        base_path: under which a proxy shows it, such as studio for https://news.example/studio/.
        access: how it is entered.
        app: entry script for streamlit.
        on_ready: called with the URL when the app answers for the first time.

    Raises:
        WorkspaceBusy: the workspace has a web app already; with its URL.
        PortInUse: another program listens on the port.
        StudioError: the web app is in a crash loop.
    """
    address = Address(host=host, port=port, names=tuple(names), base_path=base_path.strip("/"), access=access)
    with guard_disk(workspace.home), lock_path(workspace).open("a+") as lock:
        if not locks.take_lock(lock):
            raise _already_up(workspace)
        lock.truncate(0)  # what an earlier web app left is not to be shown
        _require_free(host, port)
        stop = threading.Event()
        before = {number: signal.signal(number, _setter(stop)) for number in _ENDING}
        try:
            _supervise(workspace, address, app, lock, stop, on_ready)
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
    return workspace.home / WEB_LOG


def _setter(stop: threading.Event) -> Callable[[int, FrameType | None], None]:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    return handle


def _supervise(
    workspace: Workspace,
    address: Address,
    app: Path,
    lock: IO[str],
    stop: threading.Event,
    on_ready: Callable[[str], None],
) -> None:
    """Restart either process when it dies; on the way out the web app is ended, jobs go on."""
    web, ready = _start_app(workspace, address, app, lock), False
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
                web = _start_app(workspace, address, app, lock)
            if not ready and _answers(address.url):
                ready = True
                on_ready(address.url)
    finally:
        _end(web)


def _start_app(workspace: Workspace, address: Address, app: Path, lock: IO[str]) -> "subprocess.Popen[bytes]":
    options = [
        ("--server.address", address.host),
        ("--server.port", str(address.port)),
        ("--server.baseUrlPath", address.base_path),
        ("--server.headless", "true"),
        ("--browser.gatherUsageStats", "false"),
        # As options, one each: a list in the environment is one long name to Streamlit's WebSocket.
        *(("--server.allowedHosts", name) for name in address.allowed_hosts),
    ]
    command = [sys.executable, "-m", "streamlit", "run", str(app)]
    process = background.spawn(
        [*command, *(word for option in options for word in option)],
        lock=lock,
        log=log_path(workspace),
        # Beside .streamlit/config.toml, which streamlit looks for where it starts.
        cwd=APP.parent.parent,
        environment={
            "STUDIO_HOME": str(workspace.home),
            PARENT_VARIABLE: str(os.getpid()),
            ACCESS_VARIABLE: address.access,
        },
    )
    locks.write_note(lock, json.dumps({"url": address.url, "pid": process.pid, "access": address.access}))
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


def _require_free(host: str, port: int) -> None:
    """Probe the port; raises PortInUse when something listens on it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # Connections of an app that ended a moment ago do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
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
    link = f"{first.url}/?token={access_token(workspace)}" if first.access == "token" else first.url
    return WorkspaceBusy(
        say(
            f"工作区 {workspace.home} 已在 {first.url} 运行（进程 {first.pid}）。",
            f"The workspace {workspace.home} is already running at {first.url} (process {first.pid}).",
        ),
        remedy=say(
            f"请直接打开 {link}，或先停止它，或用 --home 指定另一个工作区。",
            f"Open {link}, or stop it first, or name another workspace with --home.",
        ),
    )
