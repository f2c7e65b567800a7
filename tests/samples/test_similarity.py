"""Near duplicates are found, only those, and without comparing every two titles."""

import gzip
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from studio.samples.similarity import (
    LENGTH,
    SIMILAR,
    _in_company,
    connected_groups,
    group_near,
    key_signatures,
    near_pairs,
    pairs_among,
    signatures,
    similarity,
)
from studio.samples.title_text import title_key

REAL = Path(__file__).resolve().parent.parent.parent.parent / "shared" / "data" / "pretrain" / "titles.txt.gz"


def invented_titles(count: int) -> list[str]:
    """Generate titles of 6 to 34 characters, of words as unevenly distributed as real ones."""
    draw = random.Random(11)
    words = [
        "".join(chr(draw.randint(0x4E00, 0x6500)) for _ in range(draw.choice((1, 2, 2, 3))))
        for _ in range(9000)
    ]
    weights = [1 / (rank + 10) for rank in range(len(words))]
    return ["".join(draw.choices(words, weights, k=draw.randint(4, 17))) for _ in range(count)]


def real_titles(count: int) -> list[str]:
    if not REAL.is_file():
        pytest.skip("the real titles are not shipped; they lie beside the repository where they are")
    with gzip.open(REAL, "rt", encoding="utf-8") as lines:
        titles = list(dict.fromkeys(line.strip() for line in lines))
    return random.Random(2).sample(titles, count)


def scattered_edits(title: str, count: int, draw: random.Random, letters: str) -> str:
    characters = list(title)
    for _ in range(count):
        position = draw.randrange(len(characters))
        characters[position : position + draw.randint(0, 1)] = draw.choice(["", draw.choice(letters)])
    return "".join(characters)


def contiguous_edit(title: str, count: int, draw: random.Random, letters: str) -> str:
    position = draw.randrange(len(title))
    return (
        title[:position]
        + "".join(draw.choices(letters, k=draw.randint(0, count)))
        + title[position + count :]
    )


def edited_pairs(
    titles: list[str], edit: Callable[[str, int, random.Random, str], str]
) -> Iterator[tuple[str, str]]:
    """Generate titles and copies that are edited as far as they stay near duplicates."""
    draw, letters = random.Random(7), "".join(titles[:2000])
    for title in titles:
        for count in (4, 3, 2, 1):
            copy = edit(title, count, draw, letters)
            if copy and SIMILAR <= similarity(title, copy) < 90:
                yield title, copy
                break


@pytest.mark.parametrize("edit", [scattered_edits, contiguous_edit])
@pytest.mark.parametrize("make", [invented_titles, real_titles])
def test_of_the_hardest_near_pairs_at_least_19_in_20_are_found(make, edit):
    pairs = list(edited_pairs(make(6000), edit))
    texts = [text for pair in pairs for text in pair]
    found = {(one, other) for one, other, _ in near_pairs(texts)}
    assert len(pairs) > 2000
    assert sum((position, position + 1) in found for position in range(0, len(texts), 2)) >= 0.95 * len(pairs)


def test_no_pair_is_below_the_threshold_and_each_score_is_its_similarity():
    titles = invented_titles(1500)
    texts = titles + [copy for _, copy in edited_pairs(titles, scattered_edits)]
    pairs = list(near_pairs(texts))
    assert pairs == sorted(pairs)
    assert len({(one, other) for one, other, _ in pairs}) == len(pairs) > 500
    for one, other, score in pairs:
        assert one < other
        assert score == pytest.approx(similarity(texts[one], texts[other]))
        assert score >= SIMILAR


def test_a_lower_threshold_finds_more_and_a_higher_one_fewer():
    texts = [
        "主队主场绝杀对手终场前三秒投进三分",
        "主队客场绝杀对手终场前五秒投进三分",
        "主队主场绝杀对手终场前三秒投进三分球",
    ]
    assert [(one, other) for one, other, _ in near_pairs(texts, 95)] == [(0, 2)]
    assert len(list(near_pairs(texts, 70))) == 3


def test_case_width_and_punctuation_are_no_difference():
    assert similarity("ＡＩ：来了！", "ai来了") == 100
    assert group_near(["ＡＩ：芯片来了！", "别的新闻", "ai芯片来了"]) == [[0, 2]]


def test_a_chain_of_near_titles_is_one_group_and_the_first_member_orders_them():
    base = "一二三四五六七八九十甲乙丙丁戊己庚辛壬癸"
    texts = [
        "完全不同的另一条新闻标题",
        base,
        base[:17] + "子丑寅",
        "完全不同的另一条新闻题目",
        base[3:17] + "子丑寅",
    ]
    assert similarity(texts[1], texts[4]) < SIMILAR
    assert group_near(texts) == [[0, 3], [1, 2, 4]]


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["", "新闻", " "], ["甲", "乙"], ["甲"]])
def test_empty_and_one_character_titles_are_near_nothing_else(texts):
    assert list(near_pairs(texts)) == []
    assert group_near(texts) == []
    assert similarity("", "") == 0


def test_equal_short_titles_are_found():
    assert list(near_pairs(["甲", "乙", "甲", "！！！", "？"])) == [(0, 2, 100.0)]


def test_a_formula_that_thousands_share_does_not_compare_every_two():
    read = 0

    def keys(positions: np.ndarray) -> list[str]:
        nonlocal read
        read += len(positions)
        return [f"第{position}条新闻标题" for position in positions.tolist()]

    count = 20_000
    pairs = pairs_among(signatures([f"第{position}条新闻标题" for position in range(count)]), keys)
    assert connected_groups(count, *pairs[:2]) == [list(range(count))]
    assert read < 40 * count  # against 20,000 a title


def test_new_titles_are_compared_with_all_but_stored_pairs_are_not_searched_again():
    stored = ["今年高考报名人数创下历史新高", "今年高考报名人数创下历史新低", "另外一条没有关系的新闻"]
    new = ["今年高考报名人数又创历史新高", "突发大雪致多条高速公路封闭", "突发大雪致多条高速公路关闭"]
    keys = [title_key(text) for text in stored + new]
    signed = np.concatenate([key_signatures(keys[:3]), key_signatures(keys[3:])])
    left, right, _ = pairs_among(
        signed, lambda positions: [keys[position] for position in positions], since=3
    )
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == [(0, 3), (1, 3), (4, 5)]


def test_a_signature_stays_what_it_was_when_it_was_stored():
    (signed,) = signatures(["主队主场绝杀对手，终场前三秒投进三分"])
    assert signed[:3].tolist() == [1365480395, 366012191, 3293332819]
    assert signed[LENGTH] == 17


def test_a_value_that_two_titles_share_is_never_left_out():
    random = np.random.default_rng(3)
    for count in (1, 2, 50, 5000):
        values = random.integers(0, 2**32, count, dtype=np.uint32)
        values[random.integers(0, count, count // 3)] = values[0]
        _, first, counts = np.unique(values, return_inverse=True, return_counts=True)
        assert set(np.flatnonzero(counts[first] > 1)) <= set(_in_company(values).tolist())
