"""Label errors: planted ones are found, near copies do not vouch for each other, evidence is true."""

import json
import random

import pytest

from studio.quality._label_errors import LEAST_MARGIN, SMALLEST, find_suspects
from studio.quality.coverage import coverage, rows_for_interval, wilson_half_width
from studio.quality.findings import CLEAR_MARGIN
from studio.samples.canonical import read_answer
from studio.workspace import BUNDLED_DATASET


def bundled():
    texts, categories = [], []
    for split in ("train", "eval"):
        for row in json.loads((BUNDLED_DATASET / f"{split}.json").read_text(encoding="utf-8")):
            question, answer = (turn["value"] for turn in row["conversations"])
            texts.append(question.partition("：")[2])
            categories.append(read_answer(answer).label)
    return texts, categories


@pytest.fixture(scope="module")
def planted():
    """Replace every twentieth label of the bundled samples, and find the suspects."""
    texts, categories = bundled()
    names = sorted(set(categories))
    draw = random.Random(3)
    wrong = set(range(0, len(texts), 20))
    given = [
        draw.choice([name for name in names if name != category]) if index in wrong else category
        for index, category in enumerate(categories)
    ]
    return texts, given, wrong, find_suspects(texts, given, [], limit=400)


def test_most_planted_mistakes_are_doubted_and_rank_high(planted):
    texts, _, wrong, found = planted
    doubted = {suspect.index for suspect in found.ranked}
    assert len(wrong & doubted) >= 0.7 * len(wrong)
    first = {suspect.index for suspect in found.ranked[: 2 * len(wrong)]}
    assert len(wrong & first) / len(first) > 3 * len(wrong) / len(texts)


def test_the_evidence_is_about_the_title(planted):
    texts, given, _, found = planted
    for suspect in found.ranked[:20]:
        assert suspect.given == given[suspect.index] != suspect.suggested
        assert suspect.probabilities[suspect.suggested] == max(suspect.probabilities.values())
        assert suspect.given in suspect.probabilities
        assert all(word in texts[suspect.index].lower() for word in suspect.for_suggested + suspect.for_given)
        assert all(index != suspect.index and 0 < likeness <= 1 for index, likeness in suspect.nearest)


def test_few_labels_of_a_clean_set_are_clearly_contradicted_and_said_to_be_right():
    texts, categories = bundled()
    found = find_suspects(texts, categories, [], limit=400)
    clear = [suspect for suspect in found.ranked if suspect.margin >= CLEAR_MARGIN]
    assert 0 < len(clear) < 0.1 * len(texts)
    assert sum(suspect.right for suspect in clear) > 0.85 * len(clear)
    assert [each.margin for each in found.ranked] == sorted((s.margin for s in found.ranked), reverse=True)
    assert min(each.margin for each in found.ranked) >= LEAST_MARGIN


def test_the_estimate_follows_the_planted_mistakes(planted):
    _, _, wrong, found = planted
    clear = [suspect for suspect in found.ranked if suspect.margin >= CLEAR_MARGIN]
    right = sum(suspect.index not in wrong for suspect in clear)
    assert abs(sum(suspect.right for suspect in clear) - right) < 0.4 * len(clear)
    on_wrong = [suspect.right for suspect in found.ranked if suspect.index in wrong]
    on_right = [suspect.right for suspect in found.ranked if suspect.index not in wrong]
    assert sum(on_wrong) / len(on_wrong) < sum(on_right) / len(on_right)


def test_the_same_titles_are_doubted_every_time(planted):
    texts, given, _, found = planted
    assert find_suspects(texts, given, [], limit=400) == found


def test_copies_of_a_mistake_do_not_vouch_for_it():
    texts, categories = bundled()
    victims = [index for index, category in enumerate(categories) if category == "体育"][:8]
    near_groups = []
    for victim in victims:
        copies = [f"{texts[victim]}{mark}" for mark in ("！", "？", "……")]
        near_groups.append([victim, *range(len(texts), len(texts) + len(copies))])
        categories[victim] = "教育"
        texts, categories = texts + copies, categories + ["教育"] * len(copies)
    planted = {index for near_group in near_groups for index in near_group}
    together = {suspect.index for suspect in find_suspects(texts, categories, near_groups, limit=500).ranked}
    apart = {suspect.index for suspect in find_suspects(texts, categories, [], limit=500).ranked}
    assert len(together & planted) > 2 * len(apart & planted)


def test_a_category_with_a_handful_of_titles_is_left_out_and_named():
    texts, categories = bundled()
    few = [index for index, category in enumerate(categories) if category == "社会"][SMALLEST - 1 :]
    kept = [index for index in range(len(texts)) if index not in few]
    found = find_suspects([texts[p] for p in kept], [categories[p] for p in kept], [], limit=400)
    assert found.left_out == ("社会",)
    assert all(categories[kept[suspect.index]] != "社会" for suspect in found.ranked)


@pytest.mark.parametrize("count", [0, 1, 15])
def test_too_little_to_judge_is_no_suspect(count):
    found = find_suspects([f"标题{n}" for n in range(count)], ["体育"] * count, [], limit=9)
    assert found.ranked == ()


def test_two_categories_are_enough():
    texts, categories = bundled()
    indices = [index for index, category in enumerate(categories) if category in ("体育", "健康")]
    found = find_suspects([texts[i] for i in indices], [categories[i] for i in indices], [], limit=9)
    assert found.left_out == ()


@pytest.mark.parametrize("half", [0.02, 0.05, 0.1, 0.4])
@pytest.mark.parametrize("rate", [0.01, 0.5, 0.8, 0.99])
def test_the_target_is_the_smallest_that_is_narrow_enough(half, rate):
    wanted = rows_for_interval(half, rate)
    assert wilson_half_width(rate, wanted) <= half
    assert wanted == 1 or wilson_half_width(rate, wanted - 1) > half


def test_coverage_names_what_is_missing():
    rows = coverage(("体育", "健康"), {"体育": 80}, {"体育": 60}, {"体育": 20}, 59)
    assert [(row.category, row.decided, row.missing) for row in rows] == [("体育", 80, 39), ("健康", 0, 59)]
