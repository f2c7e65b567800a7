"""A real llama.cpp server inside the process (xllamacpp), for tests of exports and endpoints."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

needs_llama_cpp = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None,
    reason="xllamacpp is not installed (`pip install xllamacpp`): no llama.cpp to try it with",
)


class LlamaServer:
    """A running server; `url` is its base URL, up to and including /v1."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.url = f"{address}/v1"

    def tokenize(self, text: str) -> list[int]:
        """Tokenize a text as llama.cpp does, special tokens read as such and none added."""
        body = {"content": text, "add_special": False, "parse_special": True}
        return list(self.post("/tokenize", body)["tokens"])

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return the answer, which must be one."""
        answer = httpx2.post(self.address + path, json=body, timeout=60, trust_env=False)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document


@contextmanager
def llama_server(file: Path, *, places: int = 4, context: int = 8192) -> Iterator[LlamaServer]:
    """Serve a GGUF file on a free loopback port, on one thread, until the block ends."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.model_alias = {file.stem}
    parameters.n_ctx, parameters.n_parallel, parameters.port = context, places, 0
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    # By default keys and values are rounded to 16 bits: random models then differ in near ties.
    parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    parameters.warmup = False
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    try:
        yield LlamaServer(server.listening_address)
    finally:
        del server
