"""A model server is started once, waited for, and talked to; its failures are one message."""

import signal
import threading
import urllib.request
from pathlib import Path

import pytest

from studio.errors import ModelUnusable, ServerUnavailable
from studio.serving import client
from studio.serving import servers as serving
from studio.serving.client import ChatPiece
from studio.system import processes as workers
from studio.workspace import open_workspace
from tests.support.model_folders import WIDTH, make_adapter, make_model
from tests.support.tiny_runs import TINY_SERVER, end_everything, wait_until


@pytest.fixture
def workspace(tmp_path):
    opened = open_workspace(tmp_path / "home")
    yield opened
    end_everything(opened)


def ensure(workspace, name="tiny", model=Path("/model"), **options):
    return serving.ensure_server(workspace, model=model, name=name, command=TINY_SERVER, **options)


def chat(url, words):
    return client.stream_chat(url, [{"role": "user", "content": words}], max_tokens=8, temperature=0.0)


def test_the_same_model_is_served_once_and_another_adapter_apart(workspace, tmp_path):
    model = make_model(tmp_path / "model")
    url = ensure(workspace, model=model)
    assert ensure(workspace, model=model) == url
    assert ensure(workspace, model=model, adapter=make_adapter(tmp_path / "adapter", model)) != url
    assert [server.state for server in serving.servers(workspace)] == ["ready", "ready"]


def test_no_server_is_started_for_an_adapter_that_does_not_fit(workspace, tmp_path):
    model = make_model(tmp_path / "model")
    adapter = make_adapter(tmp_path / "adapter", "/models/wide", width=2 * WIDTH)
    with pytest.raises(ModelUnusable, match="不适用于基座") as raised:
        ensure(workspace, model=model, adapter=adapter)
    assert "/models/wide" in raised.value.remedy
    assert serving.servers(workspace) == []


def test_callers_at_once_get_one_server(workspace):
    urls = []
    callers = [threading.Thread(target=lambda: urls.append(ensure(workspace, "slow"))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(urls) == 4
    assert len(set(urls)) == 1


def test_a_server_is_returned_only_once_it_is_healthy(workspace):
    url = ensure(workspace, "slow")
    with urllib.request.urlopen(f"{url}/health") as answer:
        assert answer.status == 200


def test_a_killed_server_is_started_again(workspace):
    ensure(workspace)
    (server,) = serving.servers(workspace)
    workers.signal_worker(server.folder, signal.SIGKILL)
    wait_until(lambda: not workers.is_alive(server.folder))
    assert serving.servers(workspace)[0].state == "ended"
    assert client.classify(ensure(workspace), ["标题"])


def test_a_server_that_ends_while_it_is_requested_is_started_again(workspace):
    urllib.request.urlopen(f"{ensure(workspace, 'slow')}/die").close()
    assert client.classify(ensure(workspace, "slow"), ["标题"])


@pytest.mark.parametrize("name", ["tiny", "stubborn"])
def test_a_stopped_server_is_gone(workspace, name):
    ensure(workspace, name)
    (server,) = serving.servers(workspace)
    serving.stop_server(server, grace_seconds=0.5)
    assert not workers.is_alive(server.folder)


def test_a_server_that_cannot_load_its_model_reports_why(workspace):
    with pytest.raises(ServerUnavailable, match="没有权重") as raised:
        ensure(workspace, "broken")
    assert raised.value.remedy == "请下载权重。"


def test_a_server_that_dies_shows_the_end_of_its_log(workspace):
    with pytest.raises(ServerUnavailable, match="did not fit into memory"):
        ensure(workspace, "crash")


def test_a_server_program_that_is_missing_is_named(workspace):
    with pytest.raises(ServerUnavailable, match="/no/such/python"):
        serving.ensure_server(workspace, model=Path("m"), name="x", command=["/no/such/python"])


def test_a_server_that_never_gets_ready_is_reported_in_time(workspace):
    with pytest.raises(ServerUnavailable, match="listening"):
        ensure(workspace, "mute", timeout_seconds=3)


def test_titles_are_classified_in_order_with_the_answer_asked_for(workspace):
    found = client.classify(ensure(workspace), ["甲", "乙"], answer="direct")
    assert [(one.title, one.category, one.confidence, one.chain) for one in found] == [
        ("甲", "体育", 0.75, "direct"),
        ("乙", "体育", 0.75, "direct"),
    ]


def test_no_titles_need_no_server():
    assert client.classify("http://127.0.0.1:1", []) == []


def test_the_thought_is_streamed_apart_from_the_answer(workspace):
    pieces = list(chat(ensure(workspace), "你好"))
    assert pieces == [
        ChatPiece(kind="reasoning", text="想"),
        ChatPiece(kind="reasoning", text="一想"),
        ChatPiece(kind="content", text="你好"),
        ChatPiece(kind="end", text="stop"),
    ]


def test_a_chat_can_be_left_in_the_middle(workspace):
    pieces = chat(ensure(workspace), "你好")
    assert next(pieces).text == "想"
    pieces.close()


def test_a_chat_that_breaks_off_keeps_what_came_before(workspace):
    kept, pieces = [], chat(ensure(workspace), "break")
    with pytest.raises(ServerUnavailable, match="out of memory"):
        kept.extend(iter(lambda: next(pieces).text, None))
    assert kept == ["想", "一想", "break"]


@pytest.mark.parametrize("words", ["hang", "hang chunked"])
def test_a_server_killed_in_mid_answer_is_one_message(workspace, words):
    pieces = chat(ensure(workspace), words)
    next(pieces)
    (server,) = serving.servers(workspace)
    workers.signal_worker(server.folder, signal.SIGKILL)
    with pytest.raises(ServerUnavailable):
        list(pieces)


def test_a_refusal_and_a_dead_server_are_distinguished(workspace):
    with pytest.raises(ServerUnavailable, match="question mark"):
        client.classify(ensure(workspace), ["真的?"])
    with pytest.raises(ServerUnavailable, match="没有回答"):
        client.classify("http://127.0.0.1:1", ["标题"])


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(workspace, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert client.classify(ensure(workspace), ["标题"])
