"""Several answers at once over real sockets: none waits for another, closing ends all, thoughts are told apart."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from studio.chats.conversation import ChatSettings, Conversation
from studio.chats.streaming import Transcript, open_answer, stream_together
from studio.errors import ServerUnavailable
from studio.serving import servers
from studio.serving.client import ChatEndpoint, ChatPiece
from tests.support.tiny_runs import TINY_SERVER


@pytest.fixture
def url(workspace):
    return servers.ensure_server(workspace, model=Path("model"), name="tiny", command=TINY_SERVER)


def streams(url, *questions):
    """Prepare the answers to several questions, one a pane."""
    return [open_answer(url, Conversation().with_models(("m",)).asked(question), 0) for question in questions]


def read_all(opened):
    transcripts, errors = [Transcript() for _ in opened], {}
    for arrival in stream_together(opened):
        if arrival and arrival.piece:
            transcripts[arrival.index].feed(arrival.piece)
        elif arrival and arrival.error:
            errors[arrival.index] = arrival.error
    return transcripts, errors


def test_answers_come_side_by_side_and_an_error_is_its_own(url):
    transcripts, errors = read_all(streams(url, "甲", "break", "丙"))
    assert [each.answer for each in transcripts] == ["甲", "break", "丙"]
    assert [each.thought for each in transcripts] == ["想一想"] * 3
    assert [each.ended for each in transcripts] == ["stop", None, "stop"]
    assert list(errors) == [1] and isinstance(errors[1], ServerUnavailable)


def test_a_silent_model_holds_up_nobody_and_closing_ends_at_once(url):
    began, seen = time.monotonic(), []
    with closing(stream_together(streams(url, "hang", "乙"), beat_seconds=0.05)) as arrivals:
        for arrival in arrivals:
            seen.append(arrival)
            if arrival is None and any(each and each.index == 1 and not each.piece for each in seen):
                break
    assert [each.piece.text for each in seen if each and each.index == 1 and each.piece] == [
        "想",
        "一想",
        "乙",
        "stop",
    ]
    assert time.monotonic() - began < 20  # the silent one would take a minute


def test_an_endpoint_that_is_not_there_says_what_to_do_about_it():
    opened = open_answer(
        ChatEndpoint(base_url="http://127.0.0.1:9/v1", model="x"),
        Conversation().with_models(("m",)).asked("问"),
        0,
    )
    _, errors = read_all([opened])
    assert "127.0.0.1:9" in errors[0].problem and "接口" in errors[0].remedy


@pytest.mark.parametrize(
    ("pieces", "thought", "answer"),
    [
        (["<think>想", "一想</th", "ink>体育"], "想一想", "体育"),
        (["想一想\n", "</think>\n\n体育"], "想一想", "体育"),
        (["只是", "回答"], "", "只是回答"),
    ],
)
def test_a_thought_in_the_text_is_split_off_as_soon_as_its_end_comes(pieces, thought, answer):
    transcript = Transcript()
    for piece in pieces:
        transcript.feed(ChatPiece(kind="content", text=piece))
    message = transcript.message(0, ChatSettings())
    assert (message.reasoning, message.content, message.ended) == (thought, answer, None)
