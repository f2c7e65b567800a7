"""The OpenAI protocol, by the clients that people use, against the real server over a tiny model."""

import json
import re
import signal
import threading
import time
from pathlib import Path

import httpx2 as httpx
import openai
import pytest

from backend.serve import serve
from backend.serving.protocol import NO_EFFECT, REFUSED, ChatRequest, ClassifyRequest, CompletionRequest
from backend.worker import RunFolder, work_in
from studio.contract import ServeSpec
from tests.support.model_server import model_server, require_end_by, tiny_serve_spec
from tests.support.tiny_models import result_of, write_run

KEY = "sk-test-1234"
USER = [{"role": "user", "content": "新闻分类：央行下调存款准备金率"}]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    parent = tmp_path_factory.mktemp("served")
    (parent / "keys").write_text(f"\n{KEY}\nsk-other\n", encoding="ascii")
    spec = tiny_serve_spec(
        parent,
        key_file=parent / "keys",
        cors_origins=("http://shop.example",),
        threshold=0.9,
        max_context=600,
    )
    with model_server(parent / "server", spec) as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def raw(server):
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as made:
        yield made


def ask(client, **fields):
    return client.chat.completions.create(**{"model": "tiny", "messages": USER, "max_tokens": 30, **fields})


def error_of(response, status):
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"]
    return error


def refusal(raw, **fields):
    body = {"model": "tiny", "messages": USER, "max_tokens": 8, **fields}
    return error_of(raw.post("/v1/chat/completions", json=body), 400)


# --- models -----------------------------------------------------------------------------------------------


def test_every_model_is_listed_and_retrieved_by_its_name(client):
    assert [model.id for model in client.models.list()] == ["tiny", "other", "org/base"]
    assert client.models.retrieve("org/base").id == "org/base"
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("gpt-4")
    assert raised.value.code == "model_not_found" and raised.value.param == "model"


def test_each_name_answers_by_its_own_adapter(client):
    def answers():
        return [
            ask(client, model=name).choices[0].message.reasoning_content
            for name in ("tiny", "other", "org/base")
        ]

    first = answers()
    assert len(set(first)) == 3 and answers() == first


def test_adapters_that_answer_at_once_do_not_mix(client):
    names = ["tiny", "other", "org/base"] * 3
    alone = {name: ask(client, model=name).choices[0].message for name in names[:3]}
    found = [None] * len(names)

    def one(index):
        found[index] = ask(client, model=names[index]).choices[0].message

    threads = [threading.Thread(target=one, args=(index,)) for index in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone[name] for name in names]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/classify"])
def test_an_unknown_model_is_404(raw, path):
    body = {"model": "gpt-4", "messages": USER, "prompt": "x", "titles": ["x"]}
    keep = {"/v1/chat/completions": "messages", "/v1/completions": "prompt", "/v1/classify": "titles"}[path]
    error = error_of(raw.post(path, json={"model": "gpt-4", keep: body[keep]}), 404)
    assert error["code"] == "model_not_found" and "tiny" in error["message"]


# --- chat -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": [{"type": "text", "text": "新闻分类："}, {"type": "text", "text": "降息"}]}],
        [{"role": "developer", "content": "短"}, *USER],
        [{"role": "system", "content": "甲"}, {"role": "system", "content": "乙"}, *USER],
        [
            *USER,
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "晴"}]},
        ],
        [*USER, {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}, {"role": "function", "name": "f", "content": "晴"}],
        [*USER, {"role": "assistant", "content": "经济", "refusal": None, "reasoning_content": "想"}, *USER],
        [{"role": "system", "content": "只有这一句"}],
        [{"role": "user", "content": "a", "name": "ann"}, {"role": "user", "content": "b"}],
    ],
)  # fmt: skip
def test_all_shapes_of_messages_are_answered(client, messages):
    answer = ask(client, messages=messages)
    assert answer.choices[0].message.role == "assistant" and answer.usage.completion_tokens > 0


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([{"role": "user", "content": None}], "messages[0].content"),
        ([*USER, {"role": "wizard", "content": "x"}], "messages[1].role"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}], "messages[0].content[0]"),
        ([{"role": "user", "content": 7}], "messages[0].content"),
        (["hello"], "messages[0]"),
        ([], "messages"),
        ("hello", "messages"),
    ],
)  # fmt: skip
def test_a_faulty_message_is_named(raw, messages, param):
    assert refusal(raw, messages=messages)["param"] == param


def test_parameters_that_are_null_or_ask_for_nothing_are_accepted(client, raw):
    absent = ("stop", "seed", "n", "top_p", "temperature", "max_tokens", "tools", "tool_choice", "response_format",
              "logit_bias", "logprobs", "top_logprobs", "stream", "stream_options", "frequency_penalty", "user",
              "functions", "max_completion_tokens", "presence_penalty", "metadata", "unheard_of")  # fmt: skip
    body = {"model": "tiny", "messages": USER, **dict.fromkeys(absent)}
    assert raw.post("/v1/chat/completions", json=body).status_code == 200
    neutral = {
        "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "tools": [], "tool_choice": "none",
        "response_format": {"type": "text"}, "n": 1, "stop": [], "top_logprobs": 0, "user": "u", "metadata": {"a": "b"},
        "store": False, "service_tier": "auto", "parallel_tool_calls": True, "max_tokens": -1, "top_k": -1,
    }  # fmt: skip
    assert raw.post("/v1/chat/completions", json={**body, **neutral}).status_code == 200
    with_tools = {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"}
    assert raw.post("/v1/chat/completions", json={**body, **with_tools}).status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frequency_penalty", 0.5),
        ("presence_penalty", -1),
        ("logit_bias", {"12": 5}),
        ("response_format", {"type": "json_object"}),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}),
        ("tools", [{"type": "function", "function": {"name": "f"}}]),
        ("tool_choice", "required"),
        ("functions", [{"name": "f"}]),
        ("modalities", ["text", "audio"]),
        ("reasoning_effort", "high"),
        ("repetition_penalty", 1.3),
        ("min_p", 0.1),
        ("unheard_of", 1),
        ("temperature", 3),
        ("temperature", "0"),
        ("top_p", 1.5),
        ("n", 0),
        ("n", 1000),
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("stop", [""]),
        ("stop", ["x"] * 17),
        ("top_logprobs", 21),
        ("seed", "one"),
        ("stream", "yes"),
        ("stream_options", {"include_usage": True}),
        ("chat_template_kwargs", {"x": 1}),
    ],
)
def test_what_is_not_done_is_refused_by_its_name(raw, name, value):
    assert refusal(raw, **{name: value})["param"].startswith(name)


def test_top_logprobs_without_logprobs_is_refused(raw):
    assert refusal(raw, top_logprobs=2)["param"] == "top_logprobs"


def test_the_finish_reason_is_true(client):
    whole = ask(client, max_tokens=40).choices[0]
    assert whole.finish_reason == "length"
    text = whole.message.reasoning_content
    assert len(text) > 4
    stopped = ask(client, max_tokens=40, stop=text[3:5]).choices[0]
    assert stopped.finish_reason == "stop"
    told = stopped.message.reasoning_content or ""
    assert text.startswith(told) and len(told) <= text.index(text[3:5])
    assert ask(client, max_tokens=40, stop=["never comes", text[3:5]]).choices[0].finish_reason == "stop"


def test_usage_counts_tokens_also_in_a_stream(client):
    whole = ask(client, max_tokens=20)
    usage = whole.usage
    assert usage.completion_tokens == 20 and usage.prompt_tokens > 10
    assert usage.total_tokens == usage.prompt_tokens + 20
    chunks = list(ask(client, max_tokens=20, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == [] and chunks[-1].usage == usage
    assert all(chunk.usage is None for chunk in chunks[:-1])
    without = list(ask(client, max_tokens=20, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in without)


def test_a_stream_is_the_same_answer_in_pieces(client):
    whole = ask(client, max_tokens=30).choices[0]
    chunks = list(ask(client, max_tokens=30, stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    deltas = [chunk.choices[0].delta for chunk in chunks]
    told = {
        name: "".join(getattr(delta, name, None) or "" for delta in deltas)
        for name in ("reasoning_content", "content")
    }
    assert told == {"reasoning_content": whole.message.reasoning_content, "content": whole.message.content}
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == [
        whole.finish_reason
    ]
    assert len({chunk.id for chunk in chunks}) == 1 and len(chunks) > 5


def test_choices_of_one_request_differ_and_a_seed_repeats_them(client):
    def sampled(seed, **more):
        answer = ask(client, n=3, temperature=1.5, seed=seed, **more)
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        return [choice.message.reasoning_content for choice in answer.choices]

    first = sampled(7)
    assert len(set(first)) == 3 and sampled(7) == first and sampled(8) != first and sampled(-(2**63)) != first
    greedy = ask(client, n=2, temperature=0)
    assert greedy.choices[0].message == greedy.choices[1].message
    assert sampled(7, top_p=0) == [greedy.choices[0].message.reasoning_content] * 3
    assert sampled(7, extra_body={"top_k": 1}) == [greedy.choices[0].message.reasoning_content] * 3


def test_a_stream_of_several_choices_tells_them_apart(client):
    whole = ask(client, n=2, temperature=1.0, seed=3)
    texts = ["", ""]
    for chunk in ask(client, n=2, temperature=1.0, seed=3, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += getattr(choice.delta, "reasoning_content", None) or ""
    assert texts == [choice.message.reasoning_content for choice in whole.choices]


def test_log_probabilities_are_of_the_tokens(client):
    answer = ask(client, max_tokens=20, logprobs=True, top_logprobs=2)
    entries = answer.choices[0].logprobs.model_dump()
    thought = entries["reasoning_content"]
    assert answer.usage.completion_tokens >= len(thought) + len(entries["content"]) > 0
    assert (
        bytes(byte for entry in thought for byte in entry["bytes"])
        .decode(errors="replace")
        .startswith(answer.choices[0].message.reasoning_content[:2])
    )
    for entry in [*thought, *entries["content"]]:
        assert entry["logprob"] <= 0 and len(entry["top_logprobs"]) == 2
        assert entry["top_logprobs"][0]["logprob"] >= entry["top_logprobs"][1]["logprob"]
    streamed = [
        chunk.choices[0].logprobs
        for chunk in ask(client, max_tokens=20, logprobs=True, top_logprobs=2, stream=True)
    ]
    told = [entry for one in streamed if one for entry in one.model_dump().get("reasoning_content") or ()]
    assert told == thought


def test_an_answer_without_a_think_chain_can_be_asked_for(client):
    for fields in (
        {"reasoning_effort": "none"},
        {"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}},
    ):
        answer = ask(client, max_tokens=12, **fields)
        assert answer.choices[0].message.reasoning_content is None
        assert answer.usage.completion_tokens_details.reasoning_tokens == 0


def test_a_prompt_that_does_not_fit_is_refused_and_one_token_less_is_answered(client, raw):
    error = refusal(raw, messages=[{"role": "user", "content": "长" * 10_000}])
    assert (
        error["code"] == "context_length_exceeded"
        and error["param"] == "messages"
        and "600" in error["message"]
    )
    error = refusal(raw, messages=[{"role": "user", "content": "a" * 595}])
    assert error["code"] == "context_length_exceeded"
    fits = ask(client, messages=[{"role": "user", "content": "a" * 594}], max_tokens=500)
    assert fits.choices[0].finish_reason == "length" and fits.usage.total_tokens == 600


# --- completions ------------------------------------------------------------------------------------------


def test_plain_completions_continue_the_text_itself(client):
    answer = client.completions.create(model="tiny", prompt="今天", max_tokens=5, logprobs=1)
    assert answer.choices[0].text and answer.usage.prompt_tokens == 6 and answer.usage.completion_tokens == 5
    assert len(answer.choices[0].logprobs.tokens) == 5
    several = client.completions.create(model="tiny", prompt=["今天", "明天"], n=2, max_tokens=3)
    assert [choice.index for choice in several.choices] == [0, 1, 2, 3]
    assert (
        several.choices[0].text
        == several.choices[1].text
        == answer.choices[0].text[:0] + several.choices[0].text
    )
    streamed = client.completions.create(model="tiny", prompt="今天", max_tokens=5, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == answer.choices[0].text
    assert client.completions.create(model="tiny", prompt=[5, 6, 7], max_tokens=2).usage.prompt_tokens == 3
    with pytest.raises(openai.BadRequestError):
        client.completions.create(model="tiny", prompt=[10**6], max_tokens=2)
    with pytest.raises(openai.BadRequestError, match="echo"):
        client.completions.create(model="tiny", prompt="x", echo=True)


# --- classify ---------------------------------------------------------------------------------------------


def test_a_classification_has_one_confidence_and_a_word_where_the_ways_disagree(raw):
    for answer in ("direct", "chain"):
        body = {"titles": ["央行下调存款准备金率", "主场逆转"], "answer": answer, "model": "other"}
        document = raw.post("/v1/classify", json=body).json()
        assert document["model"] == "other" and len(document["results"]) == 2
        for one in document["results"]:
            best = max(one["probabilities"], key=one["probabilities"].get)
            assert one["direct_category"] == best
            assert one["ways_agree"] == ((one["category"] == best) if one["category"] else None)
            assert one["confidence"] == (one["probabilities"][best] if one["ways_agree"] else None)
            assert (one["note"] is None) == bool(one["ways_agree"])
            # a model of random weights is sure of nothing
            assert one["decision"] == "abstain"
    body["answer"] = "direct"
    (one,) = raw.post("/v1/classify", json={**body, "titles": ["降息"], "threshold": 0}).json()["results"]
    assert one["decision"] == "answer" and one["category"] == one["direct_category"]


@pytest.mark.parametrize(
    ("fields", "param", "word"),
    [
        ({"titles": ["好", " \u200b", ""]}, "titles[1]", "2, 3"),
        ({"titles": ["题"] * 1001}, "titles", "1000"),
        ({"titles": []}, "titles", "at least 1"),
        ({"titles": ["好", 7]}, "titles[1]", "string"),
        ({"titles": "好"}, "titles", "list"),
        ({"titles": ["好", "长" * 700]}, "titles[1]", "maximum context length is 600"),
        ({"titles": ["好"], "answer": "both"}, "answer", "chain"),
        ({"titles": ["好"], "top": 3}, "top", "Unrecognized"),
        ({}, "titles", "Missing"),
    ],
)
def test_titles_that_cannot_be_classified_are_refused_with_the_reason(raw, fields, param, word):
    error = error_of(raw.post("/v1/classify", json=fields), 400)
    assert error["param"] == param and word in error["message"]


# --- errors, key, hosts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "tiny", "messages": [{"role": "user", "content": "\\ud83d"}]}',
        b'{"model": "tiny", "temperature": NaN, "messages": []}',
        b'{"model": "tiny", "temperature": 1e999, "messages": []}',
        b'{"messages": "\xff"}',
        b"[1]",
        b"{",
        b"",
        b"[" * 100_000,
        b'{"seed": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_no_json_is_400(raw, body):
    for path in ("/v1/chat/completions", "/v1/classify"):
        error_of(raw.post(path, content=body, headers={"Content-Type": "application/json"}), 400)


def test_other_content_types_unknown_addresses_and_methods_are_answered_in_the_same_form(raw):
    error_of(raw.post("/v1/chat/completions", content=b"{}", headers={"Content-Type": "text/plain"}), 415)
    error_of(raw.get("/v2/anything"), 404)
    error_of(raw.get("/v1/chat/completions"), 405)


def test_without_the_key_nothing_but_health_answers(server):
    with httpx.Client(base_url=server.url, timeout=10) as stranger:
        assert stranger.get("/health").json()["status"] == "ok"
        assert stranger.head("/health").status_code == 200
        for path in ("/v1/models", "/v1/models/tiny", "/metrics", "/", "/openapi.json", "/docs"):
            assert stranger.get(path).status_code == 401
        for given in ("Bearer wrong", f"Basic {KEY}", KEY, "Bearer", f"Bearer {KEY}x"):
            answer = stranger.post("/v1/classify", json={"titles": ["x"]}, headers={"Authorization": given})
            assert error_of(answer, 401)["code"] == "invalid_api_key"
        assert stranger.get("/v1/models", headers={"Authorization": "Bearer sk-other"}).status_code == 200


def test_the_key_is_in_no_log_and_no_file_of_the_server(server):
    kept = b"".join(path.read_bytes() for path in server.folder.iterdir() if path.is_file())
    assert KEY.encode() not in kept
    assert KEY.encode() not in Path(f"/proc/{server.process.pid}/cmdline").read_bytes()


def test_a_foreign_name_is_refused_and_only_named_origins_may_call(raw):
    for host in ("evil.example", "127.0.0.1.evil.example", "192.168.0.7", "[::2]:80"):
        error_of(raw.get("/v1/models", headers={"Host": host}), 421)
    for host in ("localhost:9", "127.0.0.1", "LOCALHOST", "[::1]:80"):
        assert raw.get("/v1/models", headers={"Host": host}).status_code == 200
    asks = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    shop = raw.options("/v1/classify", headers={"Origin": "http://shop.example", **asks})
    assert shop.headers["access-control-allow-origin"] == "http://shop.example"
    evil = raw.options("/v1/classify", headers={"Origin": "http://evil.example", **asks})
    assert "access-control-allow-origin" not in evil.headers


def test_metrics_count_what_was_done(client, raw):
    def numbers():
        lines = [
            line.rpartition(" ") for line in raw.get("/metrics").text.splitlines() if not line.startswith("#")
        ]
        return {name: float(value) for name, _, value in lines}

    before = numbers()
    ask(client, max_tokens=9)
    raw.get("/wp-login.php")
    after = numbers()

    def grown(name):
        return after[name] - before.get(name, 0)

    assert grown('news_studio_completion_tokens_total{model="tiny"}') == 9
    assert grown('news_studio_answers_total{finish_reason="length",model="tiny"}') == 1
    assert grown('news_studio_requests_total{path="/v1/chat/completions",status="200"}') == 1
    assert grown('news_studio_requests_total{path="other",status="404"}') == 1
    assert grown('news_studio_first_piece_seconds_count{model="tiny"}') == 1
    assert after["news_studio_running"] == after["news_studio_waiting"] == 0
    assert "wp-login" not in raw.get("/metrics").text


# --- at once ----------------------------------------------------------------------------------------------


def test_eight_requests_at_once_run_together(client):
    def first_piece(stream):
        next(chunk for chunk in stream if getattr(chunk.choices[0].delta, "reasoning_content", None))

    streams = [ask(client, max_tokens=200, stream=True) for _ in range(8)]
    for stream in streams:
        first_piece(stream)  # all eight have begun before any has ended
    for stream in streams:
        assert list(stream)[-1].choices[0].finish_reason == "length"


def test_a_client_that_is_gone_gives_its_place_back_also_without_a_stream(server, raw):
    def load():
        state = raw.get("/health").json()
        return state["running"] + state["waiting"]

    def settled(seconds=10):
        deadline = time.monotonic() + seconds
        while load():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    settled()
    body = {"model": "tiny", "messages": USER, "max_tokens": 500, "temperature": 1}
    chain = {"titles": ["标题"] * 200, "answer": "chain"}
    for path, document in (
        ("/v1/chat/completions", body),
        ("/v1/chat/completions", {**body, "n": 8}),
        ("/v1/classify", chain),
    ):
        gone = httpx.Client(
            base_url=server.url, headers=dict(raw.headers), timeout=httpx.Timeout(10, read=0.3)
        )
        with gone, pytest.raises(httpx.ReadTimeout):
            gone.post(path, json=document)
        settled(2)
    with raw.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as stream:
        next(stream.iter_lines())
    settled(2)


# --- other clients ----------------------------------------------------------------------------------------


def test_the_llm_command_line_chats(server, tmp_path, monkeypatch):
    llm = pytest.importorskip("llm")
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    entry = [
        {"model_id": "studio", "model_name": "tiny", "api_base": f"{server.url}/v1", "api_key_name": "studio"}
    ]
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(entry))
    (tmp_path / "keys.json").write_text(json.dumps({"studio": KEY}))
    model = llm.get_model("studio")
    model.key = KEY
    streamed = model.prompt("新闻分类：降息", system="短", max_tokens=30, stream=True)
    text = streamed.text()
    whole = model.prompt("新闻分类：降息", system="短", max_tokens=30, stream=False)
    assert whole.text() == text
    assert whole.usage().output == 30 or whole.usage().output > 0


def test_the_page_about_the_server_names_every_parameter():
    page = (Path(__file__).resolve().parents[2] / "docs/serving.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)", page))
    parameters = {*ChatRequest.model_fields, *CompletionRequest.model_fields, *ClassifyRequest.model_fields}
    assert {*parameters, *REFUSED, *NO_EFFECT} - named == {"prompt", "titles"}


# --- beginning and end ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"host": "0.0.0.0"}, "127.0.0.1"),
        ({"host": "::"}, "127.0.0.1"),
        ({"key_env": "NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE"),
        ({"key_file": "missing"}, "missing"),
    ],
)
def test_it_does_not_start_open_to_others_or_without_the_key_it_was_promised(tmp_path, changes, word):
    folder = write_run(tmp_path, ServeSpec(model_name_or_path="/none", name="x", **changes))
    assert work_in(RunFolder(folder), serve) == 1
    result = result_of(folder)
    assert result.status == "failed" and word in result.text("message") + result.text("remedy")
    assert not (folder / "address.json").exists()


def test_a_signal_ends_the_server_and_tells_who_waits(server):
    require_end_by(server, signal.SIGTERM, KEY)
