"""A tiny server of /v1/completions over a real model, in the forms of engines that cannot be installed here.

It takes prompts of tokens, writes one token greedily, and tells probabilities as asked for by its `form`:

echo    as vLLM does: of the prompt's own tokens too, with `echo`
biased  by token number, of the likeliest tokens, after `logit_bias`: a bias is in what it tells
texts   by the text of the tokens, as the first OpenAI models did
none    not at all
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch


class Completions:
    """The server; `url` is its base URL, `requests` counts what it received."""

    def __init__(self, model: Any, tokenizer: Any, form: str, *, tops: int = 20) -> None:
        self.model, self.tokenizer, self.form, self.tops = model.eval(), tokenizer, form, tops
        self.requests = 0
        self.lock = threading.Lock()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Write the next token of a prompt of tokens."""
        ids = body["prompt"]
        with self.lock, torch.inference_mode():
            self.requests += 1
            logits = self.model(torch.tensor([ids])).logits[0].float()
        logits = logits.clone()  # beyond inference mode nothing of it is changed
        if self.form == "biased":
            for token, bias in body.get("logit_bias", {}).items():
                logits[-1, int(token)] += bias
        log_p = logits.log_softmax(dim=-1)
        chosen = int(log_p[-1].argmax())
        return {
            "id": "1",
            "object": "text_completion",
            "created": 0,
            "model": "tiny",
            "choices": [
                {
                    "index": 0,
                    "text": self.tokenizer.decode([chosen]),
                    "finish_reason": "length",
                    "logprobs": self._told(ids, log_p, chosen, echo=bool(body.get("echo"))),
                }
            ],
            "usage": {"prompt_tokens": len(ids), "completion_tokens": 1, "total_tokens": len(ids) + 1},
        }

    def _told(self, ids: list[int], log_p: torch.Tensor, chosen: int, *, echo: bool) -> dict[str, Any] | None:
        if self.form == "none":
            return None
        places = [(chosen, len(ids) - 1)]
        if echo and self.form == "echo":
            places = [(token, place - 1) for place, token in enumerate(ids)] + places
        return {
            "tokens": [self._name(token) for token, _ in places],
            "token_logprobs": [None if at < 0 else float(log_p[at, token]) for token, at in places],
            "top_logprobs": [None if at < 0 else self._likeliest(log_p[at]) for _, at in places],
        }

    def _likeliest(self, log_p: torch.Tensor) -> dict[str, float]:
        values, tokens = log_p.topk(self.tops)
        return {self._name(int(t)): float(v) for t, v in zip(tokens, values, strict=True)}

    def _name(self, token: int) -> str:
        return self.tokenizer.decode([token]) if self.form == "texts" else f"token_id:{token}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, completions: Completions) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.completions = completions


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        entry = {"id": "tiny", "object": "model", "owned_by": "vllm"}
        known = {"/v1/models": {"data": [entry]}, "/version": {"version": "0.33.0"}}
        self.reply(known.get(self.path, {}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.reply(self.server.completions.complete(body))

    def reply(self, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words: Any) -> None:
        """Suppress the access log: tests read none."""
