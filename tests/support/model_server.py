"""The real model server as a process of its own, over a tiny model with two adapters."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import peft
import torch
from transformers import AutoModelForCausalLM

from studio.contract import ServedModel, ServerAddress, ServeSpec
from tests.support.tiny_models import save_tiny_model, write_run
from tests.support.tiny_runs import wait_until


def save_random_adapter(folder: Path, model: Path, seed: int) -> Path:
    """Write an adapter with random weights, which answers unlike its base."""
    torch.manual_seed(seed)
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear", init_lora_weights=False)
    peft.get_peft_model(AutoModelForCausalLM.from_pretrained(model), config).save_pretrained(str(folder))
    return folder


def tiny_serve_spec(parent: Path, **changes: Any) -> ServeSpec:
    """Build the spec of a server: a tiny model with two adapters and the base alone, each with its name."""
    model = save_tiny_model(parent / "model")
    first, second = (save_random_adapter(parent / name, model, seed) for seed, name in ((1, "a"), (2, "b")))
    fields: dict[str, Any] = {
        "name": "tiny",
        "adapter_name_or_path": first,
        "also": (ServedModel(name="other", adapter_name_or_path=second), ServedModel(name="org/base")),
        "max_new_tokens": 40,
    }
    return ServeSpec(model_name_or_path=model, **{**fields, **changes})


class ServerProcess:
    """A running server: its process, its URL and its folder."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self.folder = folder
        self.process = process

    @property
    def url(self) -> str:
        """Where it listens."""
        text = (self.folder / "address.json").read_text(encoding="utf-8")
        return ServerAddress.model_validate_json(text).url

    @property
    def log(self) -> str:
        """Everything it logged."""
        return (self.folder / "log.txt").read_text(encoding="utf-8")


@contextmanager
def model_server(
    folder: Path, spec: ServeSpec, environment: dict[str, str] | None = None
) -> Iterator[ServerProcess]:
    """Run a server as long as the block; it speaks English."""
    write_run(folder, spec)
    variables = {**os.environ, "STUDIO_LANG": "en", "TOKENIZERS_PARALLELISM": "false", **(environment or {})}
    with (folder / "log.txt").open("wb") as log:
        command = [sys.executable, "-m", "backend.serve", str(folder)]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=variables)
    try:
        server = ServerProcess(folder, process)
        wait_until(lambda: (folder / "address.json").exists() or process.poll() is not None, seconds=120)
        assert process.poll() is None, server.log
        yield server
    finally:
        process.kill()
        process.wait()


def open_chat(url: str, body: dict[str, Any], key: str = "none") -> socket.socket:
    """Send a chat by hand; returns the socket, from which nobody need read."""
    host, port = url.removeprefix("http://").split(":")
    data = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(head.encode() + data)
    return connection


def require_end_by(server: ServerProcess, number: signal.Signals, key: str = "none") -> None:
    """End a busy server by a signal: streams are told, nobody hangs, the result is written."""
    endless = {
        "messages": [{"role": "user", "content": "标题"}],
        "max_tokens": 900,
        "temperature": 1.2,
        "n": 8,
    }
    request = httpx.stream(
        "POST",
        f"{server.url}/v1/chat/completions",
        json={**endless, "stream": True},
        headers={"Authorization": f"Bearer {key}"},
        timeout=30,
    )
    with request as stream:
        lines = stream.iter_lines()
        next(lines)
        waiting = [open_chat(server.url, endless, key) for _ in range(20)]
        time.sleep(0.3)
        server.process.send_signal(number)
        rest = [line for line in lines if line]
    server.process.wait(15)
    assert rest[-1] == "data: [DONE]" or "server_stopped" in rest[-1], rest[-1]
    heard = [connection.recv(65536) for connection in waiting]
    statuses = {answer[9:12] for answer in heard if answer}
    assert statuses <= {b"200", b"429", b"503"}, statuses
    assert json.loads((server.folder / "result.json").read_text(encoding="utf-8"))["status"] == "done"
    assert server.process.returncode == 0 and "Traceback" not in server.log, server.log
