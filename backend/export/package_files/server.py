"""Serve the model: `python server.py [--host 127.0.0.1] [--port 8000]`.

    POST /v1/classify          {"titles": ["..."]}: category, confidence and probabilities of each title
    POST /v1/chat/completions  and the rest of the OpenAI protocol, by llama.cpp
    GET  /health

Beyond this machine it needs a key: set NEWS_CLASSIFIER_KEY, and send it as `Authorization: Bearer KEY`.
"""

import argparse
import hmac
import http.server
import json
import os
import sys
import threading
import urllib.error
import urllib.request
from typing import Any

from news_classifier import Classifier

MOST_BYTES = 4 * 2**20
MOST_TITLES = 1000
FORWARDED = ("/v1/chat/completions", "/v1/completions", "/v1/models")


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request; `classifier`, `key` and `lock` are set by `main`."""

    classifier: Classifier
    key: str
    lock: threading.Lock

    def do_GET(self) -> None:
        """Tell that the server is there, or forward to llama.cpp."""
        if self.path == "/health":
            self._send(200, {"status": "ok"})
        elif self._is_allowed():
            self._forward(None)

    def do_POST(self) -> None:
        """Classify, or forward to llama.cpp."""
        if not self._is_allowed():
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self._send(413, {"error": f"send a body of at most {MOST_BYTES} bytes, with its Content-Length"})
            return
        body = self.rfile.read(int(length))
        if self.path == "/v1/classify":
            self._classify(body)
        else:
            self._forward(body)

    def _classify(self, body: bytes) -> None:
        try:
            asked = json.loads(body)
            titles, threshold = asked["titles"], asked.get("threshold")
            if not _are_titles(titles):
                raise ValueError(f"titles must be a list of 1 to {MOST_TITLES} texts that are not blank")
            if threshold is not None and not 0 <= threshold <= 1:
                raise ValueError("threshold must be between 0 and 1")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._send(400, {"error": f"the body is no usable request: {error}"})
            return
        with self.lock:
            results = self.classifier.classify(titles, threshold)
        self._send(200, {"model": self.classifier.name, "results": results})

    def _forward(self, body: bytes | None) -> None:
        if self.path not in FORWARDED:
            self._send(404, {"error": f"there is no {self.path}"})
            return
        request = urllib.request.Request(
            self.classifier.address + self.path, body, {"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=600) as answer:
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
                self.end_headers()
                # As it comes: an answer may be streamed.
                while piece := answer.read1(65536):
                    self.wfile.write(piece)
        except urllib.error.HTTPError as error:
            self._send(error.code, json.loads(error.read() or b"{}"))

    def _is_allowed(self) -> bool:
        sent = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not self.key or hmac.compare_digest(sent.encode(), self.key.encode()):
            return True
        self._send(401, {"error": "send the key as Authorization: Bearer KEY"})
        return False

    def _send(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _are_titles(titles: Any) -> bool:
    return (
        isinstance(titles, list)
        and 0 < len(titles) <= MOST_TITLES
        and all(isinstance(title, str) and title.strip() for title in titles)
    )


def main() -> int:
    """Serve until interrupted; exit code 2 where another machine could ask without a key."""
    parser = argparse.ArgumentParser(description="Serve the classifier.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    Handler.key = os.environ.get("NEWS_CLASSIFIER_KEY", "")
    if arguments.host not in ("127.0.0.1", "localhost", "::1") and not Handler.key:
        print("set NEWS_CLASSIFIER_KEY to serve other machines", file=sys.stderr)
        return 2
    Handler.lock = threading.Lock()
    with Classifier() as classifier:
        Handler.classifier = classifier
        server = http.server.ThreadingHTTPServer((arguments.host, arguments.port), Handler)
        print(f"http://{arguments.host}:{server.server_port}/v1/classify", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
