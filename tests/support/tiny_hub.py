"""A hub on a real socket that speaks ModelScope's protocol, well or badly, as it is told.

It serves folders as repositories: the file list with sizes and hashes, files with HTTP
ranges. `behave` gets the number of the file request, from 1, the file's name and the
first byte that was asked for, and says what to do: "" is well, see `_Handler.file`.
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
    """The server; `requests` are the files that it was asked for: name, first byte, headers."""

    def __init__(self, repositories: dict[str, Path]) -> None:
        self.repositories = repositories
        self.behave: Callable[[int, str, int], str] = lambda number, name, start: ""
        self.listing: Callable[[list[dict[str, Any]]], Any] = lambda entries: {"Files": entries}
        self.requests: list[tuple[str, int, dict[str, str]]] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening and let stalled answers go."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def note(self, name: str, start: int, headers: dict[str, str]) -> int:
        """Keep a request and give it its number."""
        with self._lock:
            self.requests.append((name, start, headers))
            return len(self.requests)

    def asked(self, name: str) -> list[int]:
        """First bytes of the requests for that file, in their order."""
        return [start for asked, start, _ in self.requests if asked == name]


def entries(folder: Path) -> list[dict[str, Any]]:
    """A repository as ModelScope lists it."""
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


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
            listing, file = FILES.fullmatch(parts.path), FILE.fullmatch(parts.path)
            match = listing or file
            if match is None or match[1] not in hub.repositories or asked.get("Revision") != "master":
                self.reply(404, {"Code": 10010205001, "Message": "not found", "Success": False})
            elif listing:
                self.list(hub.repositories[match[1]])
            else:
                self.file(hub.repositories[match[1]], asked["FilePath"])

        def list(self, folder: Path) -> None:
            document = hub.listing(entries(folder))
            if isinstance(document, int):
                self.reply(document, {"Code": document, "Message": "no", "Success": False})
            elif isinstance(document, str):
                self.send(200, document.encode(), {"Content-Type": "text/html"})
            else:
                self.reply(200, {"Code": 200, "Data": document, "Success": True})

        def file(self, folder: Path, name: str) -> None:
            """Ways: stall, 500, drop:N (after N bytes), corrupt, short (less than listed), slow, no-range."""
            data = (folder / name).read_bytes()
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            way, _, amount = hub.behave(
                hub.note(name, start, {key.lower(): value for key, value in self.headers.items()}),
                name,
                start,
            ).partition(":")
            if way == "stall":
                hub.closing.wait(60)
                self.close_connection = True
                return
            if way == "500":
                self.reply(500, {"Code": 500, "Message": "busy", "Success": False})
                return
            if way == "corrupt":
                data = data[:-1] + bytes([data[-1] ^ 1])
            if way == "short":
                data = data[: len(data) // 2]
            whole, data = len(data), data if way == "no-range" else data[start:]
            ranged = start > 0 and way != "no-range"
            self.send_response(206 if ranged else 200)
            self.send_header("Content-Length", str(len(data)))
            if ranged:
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            self.end_headers()
            self.body(data[: int(amount)] if way == "drop" else data, slowly=way == "slow")
            self.close_connection = way == "drop"

        def body(self, data: bytes, *, slowly: bool) -> None:
            try:
                if not slowly:
                    self.wfile.write(data)
                    return
                for place in range(0, len(data), 4096):
                    self.wfile.write(data[place : place + 4096])
                    self.wfile.flush()
                    if hub.closing.wait(0.02):
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
            """Tests read no access log."""

    return Handler
