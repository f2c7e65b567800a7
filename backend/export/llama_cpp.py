"""Ask a GGUF file the proof's questions in a llama.cpp server inside this process.

Chains are asked for as a client without the studio would: the server's own template writes the prompt,
its own tokenizer reads it, and the file's end tokens and decoding settings apply.
"""

import importlib.util
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from numpy.typing import NDArray

from backend.data.encoding import tokenize
from backend.data.templates import THOUGHT, Renderer
from backend.engine.endpoint import EndpointAnswering
from backend.engine.titles import Written
from backend.export.answers import END_TOKENS, Answers, Questions, complete_answers, logit_prompts
from studio.contract import EndpointSpec

_SLOTS = 4
_CONTEXT = 1024
"""Tokens of a slot: title, chain and answer."""
_SECONDS = 600.0


def is_installed() -> bool:
    """Whether there is a llama.cpp to try files in."""
    return importlib.util.find_spec("xllamacpp") is not None


def gguf_answers(file: Path, renderer: Renderer, questions: Questions, *, penalty: float) -> Answers:
    """Answer by a GGUF file; `penalty` is the checkpoint's, 1 where the file need not have any."""
    with _server(file) as url, httpx2.Client(base_url=url, timeout=_SECONDS, trust_env=False) as client:
        prompts = [_prompt(client, questions, title) for title in questions.chain_titles]
        scores = _scores(url, file, renderer, questions)
        return Answers(
            scores=scores,
            logits=_logits(client, renderer, questions),
            prompts=prompts,
            chains=_chains(client, prompts, questions, repeat_penalty=1.0),
            penalized=_chains(client, prompts, questions) if penalty != 1.0 else [],
            ends=[
                _stops(client, tokenize(renderer, text))
                for text in complete_answers(renderer, questions, scores)
            ],
        )


def _scores(url: str, file: Path, renderer: Renderer, questions: Questions) -> list[dict[str, float]]:
    spec = EndpointSpec(
        base_url=f"{url}/v1",
        model=file.stem,
        concurrency=_SLOTS,
        timeout_seconds=_SECONDS,
        # The file has the model's penalty as its default.
        fields={"repeat_penalty": 1.0},
    )
    answering = EndpointAnswering(
        spec, questions.scheme, renderer=renderer, max_new_tokens=questions.chain_tokens
    )
    try:
        scores = dict(answering.score(questions.titles, stop=questions.stop))
    finally:
        answering.close()
    return [scores[index] for index in range(len(scores))]


def _logits(client: httpx2.Client, renderer: Renderer, questions: Questions) -> NDArray[np.float64] | None:
    """Read the log probability of every token of the vocabulary, at each position."""
    rows = []
    width = len(renderer.tokenizer)
    for text in logit_prompts(renderer, questions):
        body = {"prompt": tokenize(renderer, text), "n_predict": 1, "n_probs": width, "temperature": 0.0}
        told = _post(client, "/completion", {**body, "repeat_penalty": 1.0})
        row = np.full(width, np.nan)
        for one in told["completion_probabilities"][0]["top_logprobs"]:
            if one["id"] < width:
                row[one["id"]] = one["logprob"]
        rows.append(row)
    return np.stack(rows) if rows else None


def _chains(
    client: httpx2.Client, prompts: Sequence[str], questions: Questions, **fields: Any
) -> list[Written]:
    def write(prompt: str) -> Written:
        if questions.stop():
            return Written(text="", tokens=0, finished=False)
        body = {"prompt": prompt, "n_predict": questions.chain_tokens, "temperature": 0.0, **fields}
        told = _post(client, "/completion", body)
        ended = told["stop_type"] in ("eos", "word")
        opened = THOUGHT if prompt.endswith(THOUGHT) else ""
        return Written(
            text=opened + told["content"],
            tokens=int(told["tokens_predicted"]),
            finished=ended,
            forced=not ended,
        )

    with ThreadPoolExecutor(_SLOTS) as pool:
        return list(pool.map(write, prompts))


def _stops(client: httpx2.Client, prompt: Sequence[int]) -> bool:
    """Whether the file's own end token comes after a complete answer."""
    body = {"prompt": list(prompt), "n_predict": END_TOKENS, "temperature": 0.0, "repeat_penalty": 1.0}
    return str(_post(client, "/completion", body)["stop_type"]) in ("eos", "word")


def _prompt(client: httpx2.Client, questions: Questions, title: str) -> str:
    return str(_post(client, "/apply-template", {"messages": questions.message(title)})["prompt"])


def _post(client: httpx2.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=body)
    answer.raise_for_status()
    document: dict[str, Any] = answer.json()
    return document


@contextmanager
def _server(file: Path) -> Iterator[str]:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.model_alias = {file.stem}
    parameters.n_parallel, parameters.port = _SLOTS, 0
    parameters.n_ctx = _SLOTS * _CONTEXT
    # Its threads spin while they wait, which starves whatever else the machine does.
    parameters.cpuparams.n_threads = max(1, (os.cpu_count() or 2) // 2)
    parameters.cpuparams_batch.n_threads = parameters.cpuparams.n_threads
    parameters.warmup = False
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    try:
        yield str(server.listening_address)
    finally:
        del server
