"""A chain that argues badly gets a remark; a good one gets none."""

import json

import pytest

from studio.samples.canonical import read_answer, read_question
from studio.samples.chain_lint import lint_chain
from studio.workspace import BUNDLED_DATASET
from tests.support.samples import CHAIN, SCHEME, TITLE

LONG = "这是一句没有内容的话" * 30


def codes(chain, title=TITLE, category="体育"):
    return [finding.code for finding in lint_chain(title, chain, category, SCHEME)]


def bundled():
    for split in ("train", "eval"):
        rows = json.loads((BUNDLED_DATASET / f"{split}.json").read_text(encoding="utf-8"))
        for row in rows:
            question, answer = (turn["value"] for turn in row["conversations"])
            yield read_question(question, SCHEME.prompt)[0], read_answer(answer)


def test_the_bundled_chains_get_no_remark():
    remarks = [lint_chain(title, answer.chain, answer.label, SCHEME) for title, answer in bundled()]
    assert not any(remarks)


def test_a_bundled_chain_under_another_label_contradicts_it():
    others = {name: SCHEME.names[index - 1] for index, name in enumerate(SCHEME.names)}
    noticed = [
        "chain_contradicts" in codes(answer.chain, title, others[answer.label]) for title, answer in bundled()
    ]
    assert sum(noticed) / len(noticed) > 0.9


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (CHAIN.replace("所以归体育", "所以归经济"), "chain_contradicts"),
        (CHAIN.replace("先看体育", "先看赛事").replace("所以归体育", "到此为止"), "chain_undecided"),
        (CHAIN.replace("先看体育", "不是军事类"), "chain_foreign_category"),
        (CHAIN.replace("先看体育", "有人归为“财经”"), "chain_foreign_category"),
        (CHAIN.replace("先看体育", "This is about sports"), "chain_foreign_language"),
        (CHAIN.replace("先看体育", "スポーツ"), "chain_foreign_language"),
        (CHAIN.replace("“绝杀”和“主场”都", "它们"), "chain_no_quote"),
        ("“绝杀”是赛场上的词，归体育。", "chain_short"),
        (f"“绝杀”。{LONG}归体育。", "chain_long"),
    ],
)
def test_each_weakness_is_named_alone(change, code):
    assert codes(change) == [code]


def test_a_rival_that_is_excluded_last_is_no_contradiction():
    assert codes(CHAIN.replace("所以归体育。", "所以归体育，没有涉及经济。")) == []


def test_a_category_inside_a_quoted_word_of_the_title_is_no_conclusion():
    title = "国内社会保障卡全国通用，异地就医更方便"
    chain = "落脚点是各地的公共服务，往国内想。“社会保障卡”全国通用，讲的是民生工程铺开到各地，谁都能用；" * 2
    assert "chain_contradicts" not in codes(chain, title, "国内")


@pytest.mark.parametrize("word", ["NBA", "iPhone", "GDP"])
def test_names_in_latin_letters_are_no_drift(word):
    assert codes(CHAIN.replace("先看体育", f"先看体育，{word}也是")) == []


def test_english_words_of_the_title_may_be_repeated():
    assert codes(CHAIN.replace("先看体育", "先看体育，Final Four"), f"Final Four：{TITLE}") == []


def test_a_category_of_another_scheme_is_not_foreign():
    from dataclasses import replace

    military = replace(SCHEME.categories[0], name="军事")
    scheme = replace(SCHEME, categories=(military, *SCHEME.categories[1:]), rules={})
    chain = CHAIN.replace("先看体育", "不是军事类")
    assert lint_chain(TITLE, chain, "体育", scheme) == []
