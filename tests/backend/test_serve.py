"""The model server for real: the bundled model, the official client, and the thought told apart."""

import re
from datetime import UTC, datetime

import httpx2 as httpx
import openai
import pytest

from backend.serving.calibration import StoredCalibration
from backend.serving.thoughts import split_thought
from studio.contract import CALIBRATION, AnswerCalibration, CalibrationFile, ChosenThreshold
from studio.errors import ServerUnavailable, UnreadableFile
from studio.evaluation.calibration import calibrated_probabilities, confidence_of
from studio.samples.occlusion import MOST_EVIDENCE, without
from studio.samples.scheme import load_scheme
from studio.samples.words import Span
from studio.serving import servers as serving
from studio.serving.client import apply_template, classify, stream_chat
from studio.workspace import BUNDLED_MODEL, SAMPLE_RUN, open_workspace
from tests.support.tiny_runs import end_everything

SCHEME = load_scheme()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = open_workspace(tmp_path_factory.mktemp("home"))
    yield place
    end_everything(place)


@pytest.fixture(scope="module")
def calibration(tmp_path_factory):
    """Where the served run's calibration is once somebody chose a threshold; nobody did so far."""
    return tmp_path_factory.mktemp("run") / CALIBRATION


@pytest.fixture(scope="module")
def url(workspace, calibration):
    adapter = next((SAMPLE_RUN / "checkpoints").glob("step_*"))
    return serving.ensure_server(
        workspace, model=BUNDLED_MODEL, adapter=adapter, name="tuned", calibration_file=calibration
    )


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


# --- evidence ---------------------------------------------------------------------------------------------

TITLES = ["央行下调存款准备金率", "主场三比一逆转，年轻门将扑出关键点球", "量子芯片公司上市", "高考"]


@pytest.mark.parametrize("answer", ["direct", "chain"])
def test_evidence_is_what_the_same_scores_say_without_the_words(url, answer):
    found = classify(url, TITLES, answer=answer, evidence=True)
    assert any(one.evidence for one in found)
    for one in found:
        category = one.category or one.direct_category
        assert len(one.evidence) <= MOST_EVIDENCE
        sizes = [abs(word.effect) for word in one.evidence]
        assert sizes == sorted(sizes, reverse=True)
        assert all(word.text == one.title[word.start : word.end] for word in one.evidence)
        rests = {word: without(one.title, Span(word.start, word.end)) for word in one.evidence}
        words = [word for word in one.evidence if rests[word]]  # the API takes no empty title
        for word, again in zip(words, classify(url, [rests[w] for w in words], answer="direct"), strict=True):
            fall = one.probabilities[category] - again.probabilities[category]
            assert word.effect == pytest.approx(fall, abs=2e-4)


def test_evidence_is_the_same_alone_and_in_a_list_and_absent_unless_asked_for(url):
    together = classify(url, TITLES, answer="direct", evidence=True)
    alone = [classify(url, [title], answer="direct", evidence=True)[0] for title in TITLES]
    assert [one.evidence for one in together] == [one.evidence for one in alone]
    assert classify(url, TITLES[:1], answer="direct")[0].evidence is None


# --- calibration and refusal ------------------------------------------------------------------------------


def fitted(answer, threshold, agreement=None):
    """Build a calibration as Evaluate stores it, with its threshold."""
    chosen = ChosenThreshold(
        confidence=threshold,
        answered=80,
        right=72,
        rows=100,
        accuracy_interval=(0.82, 0.95),
        evaluation="run",
        author="ann",
        at=datetime.now(UTC),
    )
    return AnswerCalibration(
        answer=answer,
        signal="agreement" if agreement else "probability",
        temperature=2.5,
        bias={name: 0.1 * number for number, name in enumerate(SCHEME.names)},
        agreement=agreement,
        fitted_on="crosswise",
        rows=100,
        threshold=chosen,
    )


def ask_for(url, answer, **fields):
    document = httpx.post(
        f"{url}/v1/classify", json={"titles": TITLES, "answer": answer, **fields}, timeout=60
    ).json()
    return (document["threshold"], document["threshold_from"]), document["results"]


def test_a_stored_threshold_is_abided_by_while_the_server_runs(url, calibration):
    in_force, before = ask_for(url, "direct")
    assert in_force == (None, None)
    assert all("decision" not in one and not one["calibrated"] for one in before)
    sure = [confidence_of(fitted("direct", 0), one["category"], one["probabilities"]) for one in before]
    between = (min(sure) + max(sure)) / 2
    direct, chain = fitted("direct", between), fitted("chain", 0.3, agreement=(-0.5, 0.8, 1.2))
    stored = CalibrationFile(answers={"direct": direct, "chain": chain})
    calibration.write_text(stored.model_dump_json(), encoding="utf-8")
    try:
        for rule in (direct, chain):
            in_force, results = ask_for(url, rule.answer)
            assert in_force == (rule.threshold.confidence, "run")
            for one in results:
                assert one["calibrated"] and one["confidence"] == pytest.approx(
                    confidence_of(rule, one["category"], one["probabilities"])
                )
                sure = one["confidence"] >= rule.threshold.confidence
                assert one["decision"] == ("answer" if sure else "abstain")
                best = calibrated_probabilities(rule, one["probabilities"])
                assert [each["category"] for each in one["top3"]] == sorted(best, key=lambda n: -best[n])[:3]
        decisions = {one["decision"] for one in ask_for(url, "direct")[1]}
        assert decisions == {"answer", "abstain"}  # or the test would show nothing
        in_force, results = ask_for(url, "direct", threshold=0)
        assert in_force == (0, "request") and {one["decision"] for one in results} == {"answer"}
        assert {one["decision"] for one in ask_for(url, "direct", threshold=1)[1]} == {"abstain"}
        # half a file, as a full disk leaves it: the last good one counts on
        calibration.write_text("{", encoding="utf-8")
        assert ask_for(url, "direct")[0] == (between, "run")
    finally:
        calibration.unlink()
    assert ask_for(url, "direct")[0] == (None, None)


def test_the_client_reads_decision_confidence_and_top_3(url, calibration):
    calibration.write_text(
        CalibrationFile(answers={"direct": fitted("direct", 1.0)}).model_dump_json(), encoding="utf-8"
    )
    try:
        found = classify(url, TITLES, answer="direct")
        assert all(one.abstains and one.calibrated and len(one.top3) == 3 for one in found)
        assert not any(one.abstains for one in classify(url, TITLES, answer="direct", threshold=0.0))
    finally:
        calibration.unlink()


def test_a_calibration_that_cannot_be_read_keeps_a_server_from_starting(tmp_path):
    (tmp_path / CALIBRATION).write_text("{", encoding="utf-8")
    with pytest.raises(UnreadableFile, match=CALIBRATION):
        StoredCalibration(tmp_path / CALIBRATION)
    assert StoredCalibration(tmp_path / "none").of("direct") is None


# --- chat -------------------------------------------------------------------------------------------------


def test_the_prompt_is_shown_mark_for_mark_as_it_is_read(url):
    messages = [
        {"role": "system", "content": "只回答类别。"},
        {"role": "user", "content": "新闻分类：央行降准"},
    ]
    shown = apply_template(url, messages)
    assert "只回答类别。" in shown.prompt and "新闻分类：央行降准" in shown.prompt
    assert shown.prompt.endswith("<think>\n")
    # The same text, continued as it is, is answered as the chat is: nothing of the prompt is left out.
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
    plain = client.completions.create(model="tuned", prompt=shown.prompt, max_tokens=8)
    assert plain.usage.prompt_tokens == shown.tokens
    closed = apply_template(url, messages, thinks=False)
    assert "</think>" in closed.prompt and closed.tokens > shown.tokens


def test_a_seed_repeats_a_sampled_chat_and_no_chain_is_written_unless_wanted(url):
    question = [{"role": "user", "content": "新闻分类：央行下调存款准备金率"}]

    def said(**options):
        sampling = {"max_tokens": 16, "temperature": 1.5, "top_p": 0.95}
        return [piece.text for piece in stream_chat(url, question, **{**sampling, **options})]

    answers = ["".join(said(seed=seed)) for seed in (7, 7, 8, 9)]
    assert answers[0] == answers[1] and len(set(answers)) > 1
    direct = list(stream_chat(url, question, max_tokens=8, temperature=0, thinks=False))
    assert {piece.kind for piece in direct} == {"content", "end"}
    (last,) = [
        piece for piece in stream_chat(url, question, max_tokens=4, temperature=0) if piece.kind == "end"
    ]
    assert last.text == "length"
