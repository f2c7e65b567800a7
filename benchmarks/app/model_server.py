"""Measure the model server under load: chats at once against one alone, and a thousand requests at once.

    python -m benchmarks.app.model_server [--at-once 8] [--tokens 150] [--rounds 5] [--flood 1000]

The real server over the bundled model with the recorded run's adapter, on this machine. Ratios are to one
chat alone in the same run; times alone say little on a busy machine. Exit code 1 when all chats at once take
more than 2.5 times one, or the first text of any of them more than 3 times that of one.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2 as httpx

from studio.contract import ServeSpec
from studio.workspace import BUNDLED_MODEL, SAMPLE_RUN
from tests.support.model_server import model_server

TITLES = (
    "央行下调存款准备金率",
    "主场三比一逆转",
    "量子芯片公司上市",
    "高考志愿填报开始",
    "台风登陆沿海三省",
    "新剧收视率创新高",
    "流感疫苗接种开始",
    "联合国安理会开会",
)


def body(index: int, tokens: int, **others: Any) -> dict[str, Any]:
    """Build a chat of a fixed length: sampled hot, so that no end token comes early."""
    question = {"role": "user", "content": f"新闻分类：{TITLES[index % len(TITLES)]}"}
    return {"messages": [question], "max_tokens": tokens, "temperature": 2, "seed": index, **others}


async def streamed(client: httpx.AsyncClient, index: int, tokens: int) -> tuple[float, float]:
    """Stream one chat: seconds to its first text and to its end."""
    began, first = time.monotonic(), 0.0
    async with client.stream("POST", "/v1/chat/completions", json=body(index, tokens, stream=True)) as stream:
        async for line in stream.aiter_lines():
            if not first and "reasoning_content" in line:
                first = time.monotonic() - began
    return first, time.monotonic() - began


async def measure(url: str, at_once: int, tokens: int, rounds: int) -> tuple[float, float]:
    """Print the times; returns the ratios of the end and of the slowest first text."""
    ones, manies = [], []
    async with httpx.AsyncClient(base_url=url, timeout=600) as client:
        await asyncio.gather(*(streamed(client, index, 20) for index in range(at_once)))
        for number in range(rounds):
            ones.append(await streamed(client, number, tokens))
            found = await asyncio.gather(*(streamed(client, index, tokens) for index in range(at_once)))
            manies.append((max(first for first, _ in found), max(end for _, end in found)))
    one_first, one_end = (statistics.median(column) for column in zip(*ones, strict=True))
    first, end = (statistics.median(column) for column in zip(*manies, strict=True))
    print(f"one alone     first text {one_first * 1000:6.0f} ms   whole {one_end:6.2f} s")
    print(f"{at_once} at once     first text {first * 1000:6.0f} ms   whole {end:6.2f} s  (slowest)")
    print(f"ratio         first text {first / one_first:6.2f}      whole {end / one_end:6.2f}")
    return end / one_end, first / one_first


async def flood(url: str, count: int) -> None:
    """Send so many requests at once, and print what came."""
    limits = httpx.Limits(max_connections=count)
    began = time.monotonic()
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits) as client:

        async def one(index: int) -> str:
            try:
                answer = await client.post("/v1/chat/completions", json=body(index, 16))
            except httpx.HTTPError as error:
                return type(error).__name__
            return str(answer.status_code)

        statuses = Counter(await asyncio.gather(*(one(index) for index in range(count))))
    print(f"{count} at once: {dict(statuses)} in {time.monotonic() - began:.1f} s")


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--flood", type=int, default=1000)
    options = parser.parse_args()
    adapter = next((SAMPLE_RUN / "checkpoints").glob("step_*"))
    spec = ServeSpec(model_name_or_path=BUNDLED_MODEL, adapter_name_or_path=adapter, name="tuned")
    with tempfile.TemporaryDirectory() as parent, model_server(Path(parent), spec) as server:
        end, first = asyncio.run(measure(server.url, options.at_once, options.tokens, options.rounds))
        asyncio.run(flood(server.url, options.flood))
    return int(end > 2.5 or first > 3)


if __name__ == "__main__":
    sys.exit(main())
