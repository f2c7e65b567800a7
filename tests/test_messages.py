"""What is stored is a code with arguments; its reader gets a sentence in their own language."""

import pytest

from studio.language import Sentence, current_language, half, packed, say, unpacked
from studio.messages import MESSAGES, Message, fields_of, message, parsed, shown, stored
from studio.store import open_store


@pytest.mark.parametrize("code", MESSAGES)
def test_both_languages_say_the_same_about_the_same_arguments(code):
    zh, en = MESSAGES[code]
    assert zh and en and fields_of(zh) == fields_of(en)


def test_what_was_stored_under_one_language_is_read_in_the_other():
    text = stored(message("imported_rows_disagree", labels=["经济", "国内"]))
    assert shown(text) == "导入的几行答案不一致：“经济”、“国内”。"
    current_language.set("en")
    assert shown(text) == "Imported rows disagree: “经济”, “国内”."


def test_several_messages_are_read_as_one_text():
    text = stored(message("answer_empty"), message("think_repeated"))
    assert shown(text) == "答案是空的。答案里有不止一个 <think> 块。"


@pytest.mark.parametrize(
    "typed",
    [
        "两类都像，请看",
        '{"code": 1',
        '{"code":"nobody_knows_this"}',
        '{"code":"answers_differ"}',
        "[]",
        '{"code":[]}',
        "",
    ],
)
def test_what_a_person_typed_is_shown_as_it_is(typed):
    assert parsed(typed) is None
    assert shown(typed) == typed


def test_arguments_are_never_templates():
    hostile = "{author.__class__} {0} %s"
    assert hostile in str(Message("near_copy_of", {"title": hostile}))


def test_a_sentence_remembers_its_other_half_through_files_and_other_sentences():
    inner = say("内存不足", "Out of memory")
    outer = say("失败：{why}。", "Failed: {why}.", why=inner)
    kept = unpacked(packed(outer))
    assert kept == "失败：内存不足。"
    current_language.set("en")
    assert half(kept) == "Failed: Out of memory."
    assert unpacked(packed("typed")) == "typed"


def test_a_broken_packed_text_is_refused():
    with pytest.raises(ValueError, match="two languages"):
        unpacked({"zh": "只有一半"})


def test_no_sentence_can_be_written_to_a_store(tmp_path):
    db = open_store(tmp_path / "studio.db")
    with pytest.raises(AssertionError, match=r"studio\.messages"):
        db.execute("insert into batches (source, author) values (?, 'li')", [say("粘贴", "pasted")])
    assert isinstance(say("一", "one"), Sentence)


def test_an_argument_may_be_a_stored_message_itself():
    run = stored(message("label_bundled_base"))
    text = stored(message("run_answered", run=run, label="体育", expected="教育"))
    current_language.set("en")
    assert shown(text) == "bundled small model (not tuned) said “体育”, the dataset says “教育”."
