"""The one form that is written, and the forms that are read."""

import pytest

from studio.samples.canonical import (
    exact_category,
    proposed_category,
    read_answer,
    read_question,
    split_thought,
    write_answer,
    write_question,
)
from tests.support.samples import SCHEME


def test_what_is_written_is_read_back_as_canonical():
    answer = read_answer(write_answer("看“绝杀”，归体育。", "体育"))
    assert (answer.chain, answer.label, answer.form) == ("看“绝杀”，归体育。", "体育", "canonical")


def test_an_empty_chain_is_an_empty_block():
    assert write_answer("", "体育") == "<think>\n\n</think>\n\n体育"
    assert read_answer(write_answer("", "体育")).chain == ""


@pytest.mark.parametrize(
    ("text", "chain", "label", "form"),
    [
        ("<think>a</think>体育", "a", "体育", "inline"),
        ("a\n</think>\n\n体育", "a", "体育", "opened_before"),
        ("<think>\na", "a", "", "unclosed"),
        ("体育", None, "体育", "none"),
        ("<think>a</think><think>b</think>体育", None, "体育", "repeated"),
        ("话<think>a</think>体育", None, "体育", "repeated"),
        ("a</think>b<think>体育", None, "", "repeated"),
    ],
)
def test_other_forms_are_read_and_named(text, chain, label, form):
    answer = read_answer(text)
    assert (answer.chain, answer.label, answer.form) == (chain, label, form)


def test_a_question_loses_its_prefix_and_reports_whether_it_had_one():
    assert read_question(write_question("新闻分类：", "标题"), "新闻分类：") == ("标题", True)
    assert read_question(" 标题 ", "新闻分类：") == ("标题", False)


@pytest.mark.parametrize(
    ("label", "category"), [(" 体育\n", "体育"), ("体育。", None), ("商业", None), ("", None)]
)
def test_only_white_space_is_forgiven_in_a_category(label, category):
    assert exact_category(label, SCHEME.names) == category


@pytest.mark.parametrize(
    ("label", "proposal"),
    [
        ("“社会”", "社会"),
        ("经济\n\n经济", "经济"),
        ("体育类。", "体育"),
        ("国际体育", None),
        ("经济 体育", None),
        ("商业", None),
        ("", None),
    ],
)
def test_a_proposal_is_made_only_where_one_category_is_meant(label, proposal):
    assert proposed_category(label, SCHEME.names) == proposal


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("<think>\n想\n</think>\n\n体育", "想", "体育"),
        ("想一想\n</think>\n\n体育", "想一想", "体育"),  # the template opened it
        ("\n<think>想到一半", "想到一半", ""),
        ("只有回答，a < b", "", "只有回答，a < b"),
        ("<think></think>体育", "", "体育"),
        ("想</think>甲</think>乙", "想", "甲</think>乙"),
        ("", "", ""),
    ],
)
def test_a_thought_is_split_off_whatever_tag_is_missing(text, thought, answer):
    assert split_thought(text) == (thought, answer)
