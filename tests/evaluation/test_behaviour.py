"""Behavioural tests change titles deterministically and harmlessly, and count the answers that flip."""

import pytest

from studio.contract import Prediction, VariantAnswer
from studio.evaluation.behaviour import ORIGINAL, TESTS, change_name, compare_answers, variant, variants
from studio.evaluation.homophones import _GROUPS, HOMOPHONES
from studio.evaluation.names import NAMES


def row(number, title, label="体育"):
    return Prediction(
        row=number,
        title=title,
        label=label,
        label_chain="",
        answer="direct",
        predicted=label,
        chain=None,
        text="",
    )


@pytest.mark.parametrize(
    ("test", "title", "changed"),
    [
        ("width", "央行：2024年GDP增5%", "央行:２０２４年ＧＤＰ增５％"),
        ("no_punctuation", "“三连胜”！国足，晋级", "三连胜国足晋级"),
        ("other_punctuation", "“三连胜”，国足", "「三连胜」 国足"),
        ("traditional", "农村改厕", "農村改廁"),
        ("traditional", "農村改廁", "农村改厕"),
        ("prefix", "国足晋级", "【快讯】国足晋级"),
        ("suffix", "国足晋级", "国足晋级——新华网"),
        ("numerals", "3比0", "三比零"),
        ("numerals", "2024年10月15日", "二〇二四年十月十五日"),
        ("numerals", "涨5.3%，120人", "涨百分之五点三，一百二十人"),
        ("numerals", "1005名、3000元、12345份", "一千零五名、三千元、一二三四五份"),
    ],
)
def test_a_title_is_changed_like_this(test, title, changed):
    assert variant(title, test) == changed


@pytest.mark.parametrize(
    ("test", "title"),
    [
        ("width", "国足晋级"),
        ("no_punctuation", "国足晋级"),
        ("numerals", "国产C919与5G、iPhone15、3·15晚会"),
        ("other_name", "国足晋级"),
        ("typo", "鑫鑫鑫"),
        ("no_punctuation", "！？"),
    ],
)
def test_what_a_change_does_not_apply_to_gets_no_variant(test, title):
    assert variant(title, test) is None


def test_a_typo_is_one_character_of_the_same_sound():
    title = "央行下调存款准备金率"
    changed = variant(title, "typo")
    (pair,) = [(a, b) for a, b in zip(title, changed, strict=True) if a != b]
    assert pair[1] in HOMOPHONES[pair[0]]


def test_a_name_stays_within_its_type_and_is_swapped_everywhere():
    changed = variant("法国总统访法国南部", "other_name")
    name = changed[: changed.index("总统")]
    assert name in NAMES["country"] and name != "法国" and changed == f"{name}总统访{name}南部"


def test_every_change_is_deterministic_and_named():
    rows = [row(number, f"{number}日法国队，在广州3比{number}“获胜”") for number in range(20)]
    assert variants(rows) == variants(rows)
    made = variants(rows)
    assert {each.test for each in made} == {ORIGINAL, *TESTS}
    assert all(change_name(test) for test in TESTS)
    assert [each.title for each in made if each.test == "same"] == [each.title for each in rows]


def test_no_character_is_in_two_groups_of_one_sound():
    signs = _GROUPS.replace(" ", "")
    assert len(signs) == len(set(signs))


def test_flips_are_counted_by_test_and_category_with_intervals():
    rows = [row(0, "甲队3比0"), row(1, "乙队2比1"), row(2, "法案通过", "政治")]
    made = variants(rows, ["same", "numerals", "prefix"])
    before = {0: "体育", 1: "国际", 2: "政治"}
    after = {(0, "numerals"): "经济", (1, "numerals"): "体育", (2, "prefix"): "国内"}
    answers = [
        VariantAnswer(
            row=each.row,
            test=each.test,
            predicted=after.get((each.row, each.test), before[each.row]),
            probability=1,
        )
        for each in made
    ]
    result = compare_answers(rows, made, answers)
    rates = {each.test: each for each in result.rates}
    assert (rates["same"].titles, rates["same"].flips) == (3, 0)
    assert (rates["numerals"].titles, rates["numerals"].flips) == (2, 2)
    assert (rates["numerals"].broken, rates["numerals"].fixed) == (1, 1)
    low, high = rates["prefix"].interval
    assert rates["prefix"].rate == pytest.approx(1 / 3) and low < 1 / 3 < high
    by_category = {(each.test, each.category): each.flips for each in result.by_category}
    assert by_category == {
        ("same", "体育"): 0, ("same", "政治"): 0, ("numerals", "体育"): 2,
        ("prefix", "体育"): 0, ("prefix", "政治"): 1,
    }  # fmt: skip
    assert [flip.changed for flip in result.flips["prefix"]] == ["【快讯】法案通过"]


def test_answers_that_are_missing_count_nowhere():
    rows = [row(0, "甲队3比0")]
    made = variants(rows, ["prefix"])
    result = compare_answers(rows, made, [VariantAnswer(row=0, test="", predicted="体育", probability=1)])
    assert result.rates == () and result.flips == {}
