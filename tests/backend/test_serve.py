"""The model server for real: the bundled model, the official client, and the thought told apart."""

import re

import httpx2 as httpx
import openai
import pytest

from backend.serving.thoughts import split_thought
from studio.errors import ServerUnavailable
from studio.samples.scheme import load_scheme
from studio.serving import servers as serving
from studio.serving.client import classify, stream_chat
from studio.workspace import BUNDLED_MODEL, SAMPLE_RUN, open_workspace
from tests.support.tiny_runs import end_everything

SCHEME = load_scheme()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = open_workspace(tmp_path_factory.mktemp("home"))
    yield place
    end_everything(place)


@pytest.fixture(scope="module")
def url(workspace):
    adapter = next((SAMPLE_RUN / "checkpoints").glob("step_*"))
    return serving.ensure_server(workspace, model=BUNDLED_MODEL, adapter=adapter, name="tuned")


@pytest.mark.parametrize("answer", ["chain", "direct"])
def test_titles_are_classified_with_probabilities(url, answer):
    titles = ["主场三比一逆转，年轻门将扑出关键点球", "央行下调存款准备金率"]
    found = classify(url, titles, answer=answer)
    assert [c.title for c in found] == titles
    for one in found:
        assert set(one.probabilities) == set(SCHEME.names)
        assert sum(one.probabilities.values()) == pytest.approx(1)
        assert one.category in SCHEME.names
        assert bool(one.chain) == (answer == "chain")


def test_the_official_client_streams_thought_and_answer_apart(url):
    pieces = list(
        stream_chat(
            url,
            [{"role": "user", "content": "新闻分类：央行下调存款准备金率"}],
            max_tokens=160,
            temperature=0,
        )
    )
    thought = "".join(piece.text for piece in pieces if piece.kind == "reasoning")
    answer = "".join(piece.text for piece in pieces if piece.kind == "content")
    assert len(pieces) > 5 and thought and answer.strip() in SCHEME.names
    assert "<think>" not in thought + answer and "</think>" not in thought + answer


def test_an_answer_at_once_is_the_streamed_one(url):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
    assert [model.id for model in client.models.list()] == ["tuned"]
    messages = [{"role": "user", "content": "新闻分类：央行下调存款准备金率"}]
    whole = client.chat.completions.create(model="tuned", messages=messages, max_tokens=160, temperature=0)
    streamed = stream_chat(url, messages, max_tokens=160, temperature=0)
    content = "".join(piece.text for piece in streamed if piece.kind == "content")
    assert whole.choices[0].message.content == content


def test_a_request_that_cannot_be_honoured_is_refused(url):
    with pytest.raises(ServerUnavailable):
        classify(url, [""] * 1001)


def test_a_client_that_leaves_frees_the_server(url):
    stream = stream_chat(url, [{"role": "user", "content": "说很多"}], max_tokens=2000, temperature=0)
    next(stream)
    stream.close()
    assert classify(url, ["央行下调存款准备金率"], answer="direct")


@pytest.mark.parametrize(
    ("pieces", "thought", "answer"),
    [
        (["想一", "想</think>\n\n体育"], "想一想", "体育"),
        (["想</thi", "nk>", "\n\n体", "育"], "想", "体育"),
        (["想\n</think>\n\n体育"], "想", "体育"),
        (["一直想"], "一直想", ""),
        (["a < b 想</think>体育"], "a < b 想", "体育"),
    ],
)
def test_the_closing_tag_may_arrive_in_parts(pieces, thought, answer):
    told = list(split_thought(iter(pieces)))
    assert "".join(text for kind, text in told if kind == "reasoning_content").strip() == thought
    assert "".join(text for kind, text in told if kind == "content").strip() == answer


def test_the_confidence_is_of_the_category_that_is_answered(url):
    for answer in ("chain", "direct"):
        body = {"titles": ["主场三比一逆转，年轻门将扑出关键点球", "量子芯片公司上市"], "answer": answer}
        for one in httpx.post(f"{url}/v1/classify", json=body, timeout=60).json()["results"]:
            best = max(one["probabilities"], key=one["probabilities"].get)
            assert one["direct_category"] == best
            agree = one["category"] == best
            assert one["ways_agree"] == (agree if one["category"] else None)
            assert one["confidence"] == (one["probabilities"][best] if agree else None)


@pytest.mark.parametrize(
    ("titles", "word"),
    [(["好标题", " \u200b"], "2"), ([""], "1"), (["题"] * 1001, "1000")],
)
def test_titles_that_cannot_be_classified_are_refused_with_the_reason(url, titles, word):
    refused = httpx.post(f"{url}/v1/classify", json={"titles": titles}, timeout=60)
    assert refused.status_code == 400
    assert word in refused.json()["error"]["message"]
    with pytest.raises(ServerUnavailable, match=word):
        classify(url, titles)


def test_a_mark_that_the_model_does_not_have_is_text(url):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
    assert client.completions.create(model="tuned", prompt="标题<|endoftext|>", max_tokens=4).choices
    assert classify(url, ["标题<|endoftext|>"], answer="direct")


def test_what_a_chain_quotes_is_in_its_title_unless_the_request_lets_it_quote_freely(url):
    titles = ["央行下调存款准备金率", "主场三比一逆转，年轻门将扑出关键点球", "高考志愿填报今日开始"]

    def foreign(**fields):
        document = httpx.post(f"{url}/v1/classify", json={"titles": titles, **fields}, timeout=60).json()
        found = [
            (one["title"], quote)
            for one in document["results"]
            for quote in re.findall("“(.+?)”", one["chain"])
        ]
        return [quote for title, quote in found if quote not in title]

    assert foreign() == []
    assert foreign(quotes_from_title=False) != []
