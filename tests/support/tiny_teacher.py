"""A tiny teacher on a real socket that speaks the OpenAI protocol, and injects faults on request.

`behave` gets the number of the request, from 1, and its body, and returns the fault to
inject, a name of `Teacher.FAULTS`, any other text, which is the answer, or the whole document to reply.
Every request is recorded.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.samples import CHAIN


def well(number: int, body: dict[str, Any]) -> str:
    """Answer every title with a chain without a lint remark, for the title of the samples."""
    return CHAIN


class Teacher:
    """The server; `url` is its base URL, `requests` what it received, with the headers."""

    FAULTS = (
        "stall", "429", "500", "401", "404", "302", "drop", "garbage", "endless", "drip", "empty",
        "thinking", "quota", "400",
    )  # fmt: skip

    def __init__(self, behave: Callable[[int, dict[str, Any]], str | dict[str, Any]] = well) -> None:
        self.behave = behave
        self.requests: list[dict[str, Any]] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop listening and release stalled answers."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def note(self, request: dict[str, Any]) -> int:
        """Record a request and return its number."""
        with self._lock:
            self.requests.append(request)
            return len(self.requests)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, teacher: Teacher) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.teacher = teacher


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = self.server.teacher.note(
            {
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body,
            }
        )
        fault = self.server.teacher.behave(number, body)
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if isinstance(fault, dict):
            self.reply(200, fault)
        elif fault in self.server.teacher.FAULTS:
            getattr(self, f"do_{fault}")(key)
        else:
            self.reply(200, completion(fault))

    def do_stall(self, key: str) -> None:
        self.server.teacher.closing.wait(60)
        self.close_connection = True

    def do_429(self, key: str) -> None:
        self.reply(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.3"})

    def do_500(self, key: str) -> None:
        self.reply(500, {"error": {"message": "out of memory"}})

    def do_400(self, key: str) -> None:
        self.reply(400, {"error": {"message": "this title is not answered"}})

    def do_401(self, key: str) -> None:
        self.reply(401, {"error": {"message": f"Incorrect API key provided: {key}"}})

    def do_404(self, key: str) -> None:
        self.reply(404, {"error": {"message": "model not found"}})

    def do_quota(self, key: str) -> None:
        self.reply(429, {"error": {"message": "pay first", "code": "insufficient_quota"}})

    def do_302(self, key: str) -> None:
        self.reply(302, {}, {"Location": "http://elsewhere.example/v1?token=secret-in-url"})

    def do_drop(self, key: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
        self.close_connection = True

    def do_garbage(self, key: str) -> None:
        self.reply_text(200, "<html>Welcome to the hotel network</html>")

    def do_empty(self, key: str) -> None:
        self.reply(200, completion(""))

    def do_thinking(self, key: str) -> None:
        message = {"role": "assistant", "content": f"{CHAIN}", "reasoning_content": "The user wants"}
        self.reply(200, {**completion(""), "choices": [{"index": 0, "message": message}]})

    def do_endless(self, key: str) -> None:
        self.stream(b" " * 65536, pause=0)

    def do_drip(self, key: str) -> None:
        self.stream(b" ", pause=0.05)

    def stream(self, piece: bytes, pause: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.close_connection = True
        try:
            while not self.server.teacher.closing.wait(pause):
                self.wfile.write(piece)
        except OSError:
            return

    def reply(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        self.reply_text(status, json.dumps(document), headers, "application/json")

    def reply_text(
        self, status: int, text: str, headers: dict[str, str] | None = None, kind: str = "text/html"
    ) -> None:
        data = text.encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words: Any) -> None:
        """Suppress the access log: tests read none."""


def completion(text: str) -> dict[str, Any]:
    """Build a chat completion as OpenAI does."""
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "tiny",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 700, "completion_tokens": 90, "total_tokens": 790},
    }
