"""Conversations, endpoints and votes in the store: each person's own, stale windows refused, votes for good."""

import csv
import io
import json
import sqlite3

import pytest

from studio.chats import blind, endpoints, records
from studio.chats.conversation import ChatMessage, ChatSettings, Conversation
from studio.chats.export import conversation_json, conversation_markdown, rounds_csv, rounds_jsonl
from studio.errors import InputError, NotAllowed, StalePress
from studio.language import current_language
from studio.store import open_store
from studio.teacher.key import write_key
from studio.team import people
from tests.support.chats import answer, talked


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


def test_a_conversation_is_kept_renamed_and_deleted_and_is_its_owners(db):
    kept = records.new_conversation(db, talked("新闻分类：央行  降准"), owner="ann")
    assert kept.label == "新闻分类：央行 降准"
    records.rename_conversation(db, kept, "  降准\n试试 ")
    assert [each.label for each in records.list_conversations(db, "ann")] == ["降准 试试"]
    assert records.list_conversations(db, "li") == []
    with pytest.raises(InputError):
        records.get_conversation(db, kept.id, "li")
    records.delete_conversation(db, kept)
    assert db.execute("select count(*) from conversations").fetchone() == (0,)


def test_a_second_window_does_not_overwrite_the_first(db):
    here = there = records.new_conversation(db, talked("一"), owner="ann")
    here = records.save_conversation(db, here, here.conversation.asked("二"))
    with pytest.raises(StalePress):
        records.save_conversation(db, there, there.conversation.asked("别的"))
    assert records.get_conversation(db, here.id, "ann").conversation.turns == 2


def test_a_conversation_that_cannot_be_read_hides_no_other(db):
    records.new_conversation(db, talked("好的"), owner="ann")
    db.execute("insert into conversations (owner, document) values ('ann', '{\"panes\": 3}')")
    assert [each.label for each in records.list_conversations(db, "ann")] == ["好的"]


def test_an_endpoint_is_kept_once_without_its_key(db, workspace):
    first = endpoints.add_endpoint(db, " http://127.0.0.1:9/v1/ ", "qwen3", author="ann")
    assert endpoints.add_endpoint(db, "http://127.0.0.1:9/v1", "qwen3", author="ann") == first
    write_key(workspace.teacher_key, "sk-secret", "http://127.0.0.1:9/v1")
    opened = endpoints.open_endpoint(workspace, first)
    assert opened.api_key == "sk-secret" and "sk-secret" not in repr(opened)
    assert "sk-secret" not in "".join(db.iterdump() if hasattr(db, "iterdump") else db.conn.iterdump())
    other = endpoints.add_endpoint(db, "http://localhost:8/v1", "x", author="ann")
    assert endpoints.open_endpoint(workspace, other).api_key == ""
    endpoints.remove_endpoint(db, first.id, author="ann")
    assert endpoints.list_endpoints(db) == [other]


@pytest.mark.parametrize(
    ("url", "model"), [("ftp://x/v1", "m"), ("http://u:p@x/v1", "m"), ("", "m"), ("http://x/v1", " ")]
)
def test_an_endpoint_that_cannot_be_used_is_refused_with_the_reason(db, url, model):
    with pytest.raises(InputError) as refused:
        endpoints.add_endpoint(db, url, model, author="ann")
    assert refused.value.remedy and "p@" not in str(refused.value)


def asked_blindly(db, models, texts=None, question="新闻分类：央行降准"):
    """Ask models blindly; each answers with the text that is its own. Returns the round's number."""
    conversation = blind.blind_conversation(models, question, ChatSettings(temperature=0.5))
    for number, pane in enumerate(conversation.panes):
        conversation = conversation.answered(number, answer(0, (texts or {}).get(pane.model, pane.model)))
    return blind.record_round(db, conversation, author="ann")


def choose(db, round_id, model):
    blind.vote(db, round_id, blind.find_round(db, round_id).models.index(model), author="ann")


def test_the_order_is_drawn_anew_and_the_vote_is_on_the_model_not_on_the_place(db):
    first_places = set()
    for _ in range(24):
        number = asked_blindly(db, ["tuned", "base"])
        first_places.add(blind.find_round(db, number).models[0])
        choose(db, number, "tuned")
    assert first_places == {"tuned", "base"}  # never the same 24 times but once in eight million
    (pair,) = blind.tally(blind.list_rounds(db))
    assert (pair.model_a, pair.model_b, pair.votes.a, pair.votes.b) == ("base", "tuned", 0, 24)
    assert pair.verdict == "b_better" and pair.votes.holds_when_watched


def test_ties_and_all_bad_are_counted_apart_and_an_open_round_not_at_all(db):
    for choice in ("tie", "bad", "bad"):
        blind.vote(db, asked_blindly(db, ["a", "b"]), choice, author="ann")
    asked_blindly(db, ["a", "b"])
    (pair,) = blind.tally(blind.list_rounds(db))
    assert (pair.votes.a, pair.votes.b, pair.votes.ties, pair.votes.bad) == (0, 0, 1, 2)
    assert pair.verdict == "no_votes"


def test_the_best_of_three_wins_two_pairs_and_says_nothing_about_the_others(db):
    for _ in range(7):
        choose(db, asked_blindly(db, ["a", "b", "c"]), "b")
    pairs = {(p.model_a, p.model_b): p for p in blind.tally(blind.list_rounds(db))}
    assert (pairs["a", "b"].votes.b, pairs["b", "c"].votes.a, pairs["a", "c"].votes.decided) == (7, 7, 0)
    assert pairs["a", "b"].p_value == pytest.approx(3 * 2 / 2**7)  # corrected for three pairs
    assert [p.p_value for p in blind.tally(blind.list_rounds(db), ["a", "b"])] == pytest.approx([2 / 2**7])


def test_a_vote_is_final_and_stored_for_good(db):
    number = asked_blindly(db, ["a", "b"])
    blind.vote(db, number, "tie", author="ann")
    with pytest.raises(StalePress):
        blind.vote(db, number, 0, author="li")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute("update blind_votes set choice = '0'")


@pytest.mark.parametrize("models", [["a"], ["a", "a"], ["a", "b", "c", "d"]])
def test_a_blind_comparison_takes_two_or_three_models(models):
    with pytest.raises(InputError):
        blind.blind_conversation(models, "问", ChatSettings())


def test_annotators_cast_no_votes(db):
    people.sign_in(db, "ann")
    people.sign_in(db, "newcomer")
    number = asked_blindly(db, ["a", "b"])
    with pytest.raises(NotAllowed):
        blind.vote(db, number, 0, author="newcomer")


def test_the_same_answer_of_all_is_seen(db):
    same = asked_blindly(db, ["a", "b"], {"a": "经济", "b": " 经济\n"})
    assert blind.find_round(db, same).all_alike
    assert not blind.find_round(db, asked_blindly(db, ["a", "b"])).all_alike


def test_votes_are_exported_with_the_names(db):
    choose(db, asked_blindly(db, ["a", "b"], question="=1+1"), "b")
    rounds = blind.list_rounds(db)
    (row,) = csv.DictReader(io.StringIO(rounds_csv(rounds, {"b": "微调"}).decode("utf-8-sig")))
    assert row["better"] == "微调" and row["question"].lstrip("'") == "=1+1" and row["question"] != "=1+1"
    document = json.loads(rounds_jsonl(rounds))
    assert document["better"] == "b" and document["settings"]["temperature"] == 0.5


def test_a_conversation_is_exported_to_be_read_and_to_be_used():
    thought = ChatMessage(
        role="assistant", turn=1, content="体育", reasoning="# 不是标题\n第二行", ended="stop"
    )
    conversation = talked("一", models=("a",)).asked("二").answered(0, thought)
    conversation = conversation.model_copy(update={"settings": ChatSettings(system="短些")})
    document = json.loads(conversation_json(conversation, "名"))
    (only,) = document["conversations"]
    assert [each["role"] for each in only["messages"]] == ["user", "assistant"] * 2
    assert only["messages"][-1]["reasoning_content"] == "# 不是标题\n第二行"
    current_language.set("en")
    text = conversation_markdown(conversation, "名", {"a": "tuned"}).decode()
    assert text.startswith("# 名\n\n## System prompt\n\n短些\n\n## Me\n\n一\n\n## tuned")
    assert "> # 不是标题\n> 第二行" in text
    assert isinstance(conversation, Conversation)
