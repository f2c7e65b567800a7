"""A tiny model hub on a real socket that speaks ModelScope's protocol, and injects faults on request.

It serves folders as repositories: the file list with sizes and hashes, files with HTTP
ranges. `behave` gets the number of the file request, from 1, the file's name and the
first byte requested, and returns the fault to inject: "" is none, see `_Handler.file`.
"""

import hashlib
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

FILES = re.compile(r"/api/v1/models/([^/]+/[^/]+)/repo/files")
FILE = re.compile(r"/api/v1/models/([^/]+/[^/]+)/repo")


class Hub:
    """The server; `requests` are the file requests it received: name, first byte, headers."""

    def __init__(self, repositories: dict[str, Path]) -> None:
        self.repositories = repositories
        self.behave: Callable[[int, str, int], str] = lambda number, name, start: ""
        self.listing: Callable[[list[dict[str, Any]]], Any] = lambda entries: {"Files": entries}
        self.requests: list[tuple[str, int, dict[str, str]]] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening and release stalled answers."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def note(self, name: str, start: int, headers: dict[str, str]) -> int:
        """Record a request and return its number."""
        with self._lock:
            self.requests.append((name, start, headers))
            return len(self.requests)

    def asked(self, name: str) -> list[int]:
        """List the first bytes of the requests for a file, in their order."""
        return [start for requested, start, _ in self.requests if requested == name]


def entries(folder: Path) -> list[dict[str, Any]]:
    """List a repository as ModelScope does."""
    listed = []
    for path in sorted(folder.rglob("*")):
        entry = {"Path": str(path.relative_to(folder)), "Name": path.name, "Revision": "abc", "Mode": "33188"}
        if path.is_dir():
            listed.append({**entry, "Type": "tree", "Size": 0, "Sha256": ""})
        else:
            data = path.read_bytes()
            listed.append(
                {**entry, "Type": "blob", "Size": len(data), "Sha256": hashlib.sha256(data).hexdigest()}
            )
    return listed


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: Hub) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        listing, file = FILES.fullmatch(parts.path), FILE.fullmatch(parts.path)
        match = listing or file
        if match is None or match[1] not in self.server.hub.repositories or query.get("Revision") != "master":
            self.reply(404, {"Code": 10010205001, "Message": "not found", "Success": False})
        elif listing:
            self.list(self.server.hub.repositories[match[1]])
        else:
            self.file(self.server.hub.repositories[match[1]], query["FilePath"])

    def list(self, folder: Path) -> None:
        document = self.server.hub.listing(entries(folder))
        if isinstance(document, int):
            self.reply(document, {"Code": document, "Message": "no", "Success": False})
        elif isinstance(document, str):
            self.send(200, document.encode(), {"Content-Type": "text/html"})
        else:
            self.reply(200, {"Code": 200, "Data": document, "Success": True})

    def file(self, folder: Path, name: str) -> None:
        """Send a file.

        Faults: stall, 500, drop:N (after N bytes), corrupt, short (less than listed), slow, no-range.
        """
        data = (folder / name).read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        fault, _, amount = self.server.hub.behave(
            self.server.hub.note(name, start, {key.lower(): value for key, value in self.headers.items()}),
            name,
            start,
        ).partition(":")
        if fault == "stall":
            self.server.hub.closing.wait(60)
            self.close_connection = True
            return
        if fault == "500":
            self.reply(500, {"Code": 500, "Message": "busy", "Success": False})
            return
        if fault == "corrupt":
            data = data[:-1] + bytes([data[-1] ^ 1])
        if fault == "short":
            data = data[: len(data) // 2]
        whole, data = len(data), data if fault == "no-range" else data[start:]
        ranged = start > 0 and fault != "no-range"
        self.send_response(206 if ranged else 200)
        self.send_header("Content-Length", str(len(data)))
        if ranged:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.end_headers()
        self.body(data[: int(amount)] if fault == "drop" else data, slowly=fault == "slow")
        self.close_connection = fault == "drop"

    def body(self, data: bytes, *, slowly: bool) -> None:
        try:
            if not slowly:
                self.wfile.write(data)
                return
            for offset in range(0, len(data), 4096):
                self.wfile.write(data[offset : offset + 4096])
                self.wfile.flush()
                if self.server.hub.closing.wait(0.02):
                    return
        except OSError:
            self.close_connection = True

    def reply(self, status: int, document: Any) -> None:
        self.send(status, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words: Any) -> None:
        """Suppress the access log: tests read none."""
