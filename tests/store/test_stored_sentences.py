"""m016 turns the sentences that earlier studios stored into codes, and leaves what people typed."""

import json
import sqlite3

import pytest
from sqlite_utils import Database

from studio.language import current_language
from studio.messages import MESSAGES, fields_of, parsed, shown
from studio.store import open_store
from studio.store._migrations import migrations
from studio.store._migrations.m016_messages import SENTENCES, code_of

ARGUMENTS = {
    "count": 10, "most": 500, "turn": 2, "label": "财经", "category": "经济", "near": ["经济", "社会"],
    "labels": ["经济", "国内"], "votes": {"体育": 2, "社会": 1}, "keys": ["标题", "类别"], "key": "gpt",
    "found": "['x']", "role": "narrator", "user": "human", "assistant": "gpt", "order": "human → human",
    "expected": "human → gpt", "author": "王 芳", "title": "主队“绝杀”对手", "run": "lora-7b",
}  # fmt: skip


def as_it_was_written(code, language):
    """The sentence of an earlier studio, whose lists were joined with 、 in both languages."""
    template = SENTENCES[code][language == "en"]
    written = {
        "labels": "、".join(f"“{label}”" for label in ARGUMENTS["labels"]),
        "votes": "、".join(f"{name} {count}" for name, count in ARGUMENTS["votes"].items()),
        "near": ("、" if language == "zh" else ", ").join(ARGUMENTS["near"]),
        "keys": ("、" if language == "zh" else ", ").join(ARGUMENTS["keys"]),
    }
    return template.format(**{**ARGUMENTS, **written})


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("code", SENTENCES)
def test_a_known_sentence_becomes_its_code_with_its_arguments(code, language):
    entry = json.loads(code_of(as_it_was_written(code, language)))
    assert entry.pop("code") == code
    assert entry == {name: ARGUMENTS[name] for name in fields_of(SENTENCES[code][0])}


@pytest.mark.parametrize("code", SENTENCES)
def test_every_code_is_still_in_the_table_with_the_same_arguments(code):
    assert fields_of(MESSAGES[code][0]) == fields_of(SENTENCES[code][0])


def test_sentences_in_a_row_become_a_list():
    text = as_it_was_written("unknown_category_near", "zh") + as_it_was_written("think_repeated", "zh")
    assert [each.code for each in parsed(code_of(text))] == ["unknown_category_near", "think_repeated"]


@pytest.mark.parametrize(
    "typed", ["我觉得两类都像", "请看第 3 条规则。", "", '{"code":"answer_empty"}', "“”"]
)
def test_what_a_person_typed_is_no_sentence_of_ours(typed):
    assert code_of(typed) is None


@pytest.fixture
def old(tmp_path):
    """A store before m016, with notes of an earlier studio in it."""
    db = Database(tmp_path / "studio.db")
    migrations.apply(db, stop_before="m016_messages")
    db.execute("insert into batches (id, source, author) values (1, '粘贴', 'li')")
    db.execute(
        "insert into titles (id, text, key, source, batch_id)"
        " values (1, '甲', '甲', '粘贴', 1), (2, '乙', '乙', 'wrong', 1)"
    )
    db.execute("insert into review_leases (author, queue, place) values ('zhao', 'sample', 4)")
    rows = [(1, "体育", "标注不一致：体育 2、社会 1。"), (2, None, "他自己打的字")]
    for title_id, category, note in rows:
        db.execute(
            "insert into decisions (title_id, author, action, status, category, note)"
            " values (?, 'li', 'import', ?, ?, ?)",
            [title_id, "decided" if category else "waiting", category, note],
        )
    db.conn.commit()
    db.close()
    return tmp_path / "studio.db"


def test_an_earlier_store_is_read_in_the_language_of_its_reader(old):
    db = open_store(old)
    current_language.set("en")
    notes = [note for (note,) in db.execute("select note from decisions order by id")]
    assert [shown(note) for note in notes] == ["Answers differ: 体育 2, 社会 1.", "他自己打的字"]
    sources = [shown(source) for (source,) in db.execute("select source from titles order by id")]
    assert sources == ["pasted", "reported as wrong"]
    assert db.execute("select queue, place from review_leases").fetchall() == [("spot_check", 4)]


def test_history_is_append_only_again_and_counts_nothing_twice(old):
    db = open_store(old)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute("update decisions set note = 'x'")
    assert db.execute("select status, titles from counts where titles > 0 order by status").fetchall() == [
        ("decided", 1),
        ("waiting", 1),
    ]


def test_long_texts_of_one_repeated_mark_are_looked_at_in_linear_time():
    for mark in ("“", "答案“", "、", "{"):
        assert code_of(mark * 20_000) is None
