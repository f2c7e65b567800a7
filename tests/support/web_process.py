"""The studio's web process on a free port, to be killed and started again; for benchmarks and tests."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PORTS = range(10_000, 30_000)
"""Below those that the system lends to outgoing connections, which could take a port while its server is away."""


class WebProcess:
    """The web process of one workspace; it keeps its port through a restart."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Id of the process; it must have been started."""
        assert self.process is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Return whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    @property
    def url(self) -> str:
        """Base URL of the web process."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, seconds: float = 120) -> None:
        """Start the web process and wait until it answers.

        Raises:
            TimeoutError: it ended, or did not answer in time.
        """
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "streamlit",
                "run",
                "studio/web_server.py",
                "--server.port",
                str(self.port),
            ],
            cwd=ROOT,
            env={**os.environ, "STUDIO_HOME": str(self.home), "STUDIO_LANG": "zh"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + seconds
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(self.url)
            time.sleep(0.1)

    def answers(self) -> bool:
        """Return whether the web process is healthy."""
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def kill(self) -> None:
        """Kill it with SIGKILL, as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    """A port on which nothing listens, drawn at random: other tests draw theirs at the same time."""
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise OSError("no free port among a hundred")


@contextmanager
def running(home: Path) -> Iterator[WebProcess]:
    """Run a web process for as long as the block runs."""
    web = WebProcess(home)
    web.start()
    try:
        yield web
    finally:
        web.kill()
