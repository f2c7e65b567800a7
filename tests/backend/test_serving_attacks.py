"""The model server under clients that vanish, flood and overfeed it, and under signals; the real process."""

import asyncio
import signal
import socket
import threading
import time
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.support.model_server import model_server, open_chat, require_end_by, tiny_serve_spec
from tests.support.tiny_runs import wait_until

USER = [{"role": "user", "content": "标题"}]
LONG = {"messages": USER, "max_tokens": 900, "temperature": 1.2}


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    return tmp_path_factory.mktemp("attacked")


@pytest.fixture(scope="module")
def spec(parent):
    return tiny_serve_spec(parent, also=(), slots=16, queue_limit=20, max_body_bytes=100_000)


@pytest.fixture(scope="module")
def server(parent, spec):
    with model_server(parent / "server", spec) as running:
        yield running


@pytest.fixture(scope="module")
def raw(server):
    with httpx.Client(base_url=server.url, timeout=60) as made:
        yield made


def load(raw):
    state = raw.get("/health").json()
    return state["running"] + state["waiting"]


def test_sixty_clients_that_leave_in_the_middle_cost_nothing_afterwards(server, raw):
    began = time.monotonic()
    for stream in (True, False):
        gone = [open_chat(server.url, {**LONG, "stream": stream}) for _ in range(30)]
        wait_until(lambda: load(raw) >= 16)
        for connection in gone:
            connection.close()
        wait_until(lambda: load(raw) == 0, seconds=5)
    alone = raw.post("/v1/chat/completions", json={"messages": USER, "max_tokens": 2})
    assert alone.status_code == 200
    assert time.monotonic() - began < 30


def test_health_answers_while_everything_is_busy(server, raw):
    busy = [open_chat(server.url, LONG) for _ in range(60)]
    try:
        wait_until(lambda: load(raw) >= 16)
        for _ in range(20):
            assert raw.get("/health").status_code == 200
        assert "news_studio_running 16.0" in raw.get("/metrics").text
    finally:
        for connection in busy:
            connection.close()
    wait_until(lambda: load(raw) == 0, seconds=5)


def test_a_thousand_requests_at_once_are_answered_or_turned_away(server, raw):
    async def one(client, index):
        if index % 10 == 0:
            body = {"titles": ["标题", "又一个"], "answer": "direct" if index % 20 else "chain"}
            return await client.post("/v1/classify", json=body)
        return await client.post("/v1/chat/completions", json={"messages": USER, "max_tokens": 4})

    async def all_at_once():
        limits = httpx.Limits(max_connections=1000)
        async with httpx.AsyncClient(base_url=server.url, timeout=120, limits=limits) as client:
            return await asyncio.gather(*(one(client, index) for index in range(1000)))

    answers = asyncio.run(all_at_once())
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 429} and 200 in statuses and 429 in statuses
    turned = next(answer for answer in answers if answer.status_code == 429)
    assert int(turned.headers["retry-after"]) >= 1 and turned.json()["error"]["code"] == "rate_limit_exceeded"
    assert all(
        answer.json()["choices"][0]["finish_reason"]
        for answer in answers
        if "choices" in answer.text and answer.status_code == 200
    )
    wait_until(lambda: load(raw) == 0, seconds=5)
    assert raw.post("/v1/chat/completions", json={"messages": USER, "max_tokens": 2}).status_code == 200


@pytest.mark.parametrize("told", [True, False], ids=["length told", "chunked"])
def test_a_body_of_ten_megabytes_is_413_and_never_kept(server, raw, told):
    before = resident(server)
    size, piece = 10 * 2**20, b"x" * 65536
    content = b"x" * size if told else (piece for _ in range(size // len(piece)))
    for _ in range(3):
        answer = raw.post(
            "/v1/chat/completions", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413 and "100,000 bytes" in answer.json()["error"]["message"]
        content = b"x" * size if told else (piece for _ in range(size // len(piece)))
    assert resident(server) - before < 8 * 2**20
    assert raw.get("/health").status_code == 200


def test_who_waits_to_be_asked_for_a_large_body_is_not_asked(server):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"POST /v1/classify HTTP/1.1\r\nHost: {host}\r\nContent-Length: 999999999\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")


def resident(server):
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096


def test_long_texts_of_many_clients_do_not_stop_the_others(raw):
    huge = {"messages": [{"role": "user", "content": "长" * 30_000}], "max_tokens": 8}
    threads = [
        threading.Thread(target=lambda: raw.post("/v1/chat/completions", json=huge)) for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    assert raw.post("/v1/chat/completions", json={"messages": USER, "max_tokens": 1}).status_code == 200
    assert time.monotonic() - began < 10
    for thread in threads:
        thread.join()
    assert raw.post("/v1/chat/completions", json=huge).json()["error"]["code"] == "context_length_exceeded"


def test_a_server_stops_when_idle_but_not_while_it_answers(parent, spec):
    with model_server(parent / "idle", spec.model_copy(update={"idle_seconds": 1.0})) as mine:
        answer = httpx.post(f"{mine.url}/v1/chat/completions", json={**LONG, "n": 16}, timeout=60)
        assert answer.status_code == 200
        mine.process.wait(20)
        assert "no request for" in mine.log


def test_a_signal_ends_the_server_and_tells_who_waits(server):
    require_end_by(server, signal.SIGHUP)
