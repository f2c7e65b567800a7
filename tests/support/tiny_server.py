"""A tiny model server that keeps the contract of a serving folder and loads no model.

    python tiny_server.py KIND FOLDER

Words in the served name change its behaviour: `broken` ends with an error result,
`crash` dies with a message on stderr, `slow` is healthy only after a while, `mute` never,
`stubborn` ignores SIGTERM. It answers `<title>?` with a status of 400; a chat about
`break` breaks off, one about `hang` never ends. It abstains from titles about `拿不准` unless the threshold
is 0, and the first two characters of a title are its evidence, where that is asked for.
"""

import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from studio.system.ownership import watch_owner

folder = Path(sys.argv[2])
name = json.loads((folder / "spec.json").read_text())["name"]
began = time.monotonic()
dying = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """The part of the OpenAI protocol that the client uses, and /v1/classify."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep requests out of the log: what the tests look for is its end."""

    def do_GET(self) -> None:
        """Answer /health and /v1/models; /die shuts down as an idle server would."""
        if self.path == "/die":
            dying.set()
            threading.Timer(0.2, server.shutdown).start()
        loading = "mute" in name or dying.is_set() or ("slow" in name and time.monotonic() - began < 0.5)
        if self.path == "/health":
            return self.answer(503 if loading else 200, {"status": "loading" if loading else "ok"})
        return self.answer(
            200, {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "x"}]}
        )

    def do_POST(self) -> None:
        """Classify, or stream a chat."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/chat/completions":
            return self.chat(body)
        if self.path == "/v1/apply-template":
            said = [f"<{each['role']}>{each['content']}" for each in body["messages"]]
            return self.answer(200, {"prompt": "".join(said) + "<think>", "tokens": 7})
        if any(title.endswith("?") for title in body["titles"]):
            return self.answer(400, {"error": {"message": "a title ends in a question mark"}})
        results = [
            {
                "title": title,
                "category": "经济" if "分歧" in title else "体育",
                "probabilities": {"体育": 0.75},
                "chain": body["answer"],
                "text": "",
                "new": 1,
                **self.judged(title, body),
            }
            for title in body["titles"]
        ]
        return self.answer(200, {"results": results})

    def judged(self, title: str, body: dict) -> dict:
        """Answer as a server with a calibration does, where the title is about being unsure."""
        fields = {}
        if body.get("evidence"):
            fields["evidence"] = (
                [{"text": title[:2], "start": 0, "end": 2, "effect": 0.4}] if title[2:] else []
            )
        if "拿不准" in title:
            top = [("体育", 0.41), ("社会", 0.3), ("国内", 0.12)]
            fields["confidence"] = 0.41
            fields["top3"] = [{"category": name, "probability": p} for name, p in top]
            fields["decision"] = "answer" if body.get("threshold") == 0 else "abstain"
        return fields

    def chat(self, body: dict) -> None:
        """Stream two deltas of reasoning, then echo the question."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        question = body["messages"][-1]["content"]
        self.chunked = "chunked" in question
        if self.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.close_connection = True
        self.end_headers()
        deltas = [
            {"role": "assistant"},
            {"reasoning_content": "想"},
            {"reasoning_content": "一想"},
            {"content": question},
        ]
        for delta in deltas:
            self.send({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        if "hang" in question:
            time.sleep(60)
        elif question != "break":
            self.send({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            self.wfile.write(b"data: [DONE]\n\n")
        else:
            self.send({"error": {"message": "out of memory"}})

    def send(self, chunk: dict) -> None:
        """Send one server-sent event."""
        known = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": name}
        text = f"data: {json.dumps({**known, **chunk})}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text) if self.chunked else text)

    def answer(self, status: int, document: dict) -> None:
        """Send a JSON document."""
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if "broken" in name:
    result = {
        "status": "failed",
        "message": "没有权重",
        "remedy": "请下载权重。",
        "seconds": 1,
        "peak_memory_gib": 1,
    }
    (folder / "result.json").write_text(json.dumps(result))
    sys.exit(1)
if "crash" in name:
    sys.exit("the model did not fit into memory")
watch_owner(lambda: None, grace_seconds=0.1)
if "stubborn" in name:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
port = server.server_address[1]
print("listening", port, file=sys.stderr, flush=True)
(folder / "address.json").write_text(
    json.dumps({"host": "127.0.0.1", "port": port, "url": f"http://127.0.0.1:{port}"})
)
server.serve_forever()
