"""A cohort in which errors gather is found and named first; where they fall at random, nothing is said."""

import numpy as np
import pytest

from studio.contract import Prediction
from studio.evaluation.cohorts import find_cohorts
from studio.language import current_language

TAGS = ("digits", "latin", "question", "place", "quoted", "long_title", "no_near_row")


def rows_of(wrong, titles=None):
    return [
        Prediction(
            row=number,
            title=titles[number] if titles else f"{number:x}号",
            label="体育",
            label_chain="",
            answer="chain",
            predicted="国际" if is_wrong else "体育",
            chain=None,
            text="",
        )
        for number, is_wrong in enumerate(wrong)
    ]


def random_tags(random, count):
    flags = random.random((count, len(TAGS))) < np.linspace(0.2, 0.6, len(TAGS))
    return {
        row: tuple(tag for tag, has in zip(TAGS, each, strict=True) if has) for row, each in enumerate(flags)
    }


def chance_titles(random, count):
    """Titles of which no two are near copies."""
    return ["".join(chr(0x4E00 + number) for number in random.integers(0, 20000, 20)) for _ in range(count)]


def test_a_planted_cohort_is_found_and_named():
    random = np.random.default_rng(1)
    tags = random_tags(random, 200)
    bad = np.array(["digits" in tags[n] and "question" not in tags[n] for n in range(200)])
    wrong = random.random(200) < np.where(bad, 0.8, 0.15)
    search = find_cohorts(rows_of(wrong, chance_titles(random, 200)), tags)
    best = search.found[0]
    assert set(best.tags) == {"digits", "!question"} and best.rows == bad.sum() and best.p_value < 0.01
    assert best.errors == (wrong & bad).sum()
    assert "没有“问句”" in best.sentence and f"{best.rows} 条错 {best.errors} 条" in best.sentence
    current_language.set("en")
    assert best.sentence.startswith("Titles with digits and without “question”")


def test_random_errors_raise_an_alarm_in_about_one_of_twenty(record_property):
    random = np.random.default_rng(2)
    titles = chance_titles(random, 100)
    alarms = 0
    for number in range(200):
        wrong = random.random(100) < 0.3
        alarms += bool(
            find_cohorts(rows_of(wrong, titles), random_tags(random, 100), seed=number, most=199).found
        )
    record_property("alarms", alarms)
    # 200 trials at 5 %: 3 standard deviations are 9.
    assert alarms <= 19


def test_one_story_told_many_times_is_one_row():
    random = np.random.default_rng(3)
    titles = [*chance_titles(random, 60), *["同一件事被十几家媒体反复转载的标题"] * 20]
    wrong = np.array([*(random.random(60) < 0.2), *[True] * 20])
    tags = {number: ("latin",) if number >= 60 or number < 15 else () for number in range(80)}
    search = find_cohorts(rows_of(wrong, titles), tags)
    assert search.rows == 61 and not search.found


@pytest.mark.parametrize("wrong", [[False] * 40, [True] * 40, [True] * 5, []])
def test_where_nothing_can_be_told_it_is_said(wrong):
    random = np.random.default_rng(4)
    search = find_cohorts(rows_of(wrong, chance_titles(random, len(wrong))), random_tags(random, len(wrong)))
    assert not search.found and search.nothing_sentence


def test_what_could_have_been_overlooked_is_said():
    random = np.random.default_rng(5)
    wrong = random.random(100) < 0.2
    search = find_cohorts(rows_of(wrong, chance_titles(random, 100)), random_tags(random, 100))
    assert search.visible is not None and 8 <= search.visible <= 18
    assert f"要错 {search.visible} 条以上" in search.nothing_sentence


def test_an_outcome_explains_nothing():
    wrong = np.arange(60) < 20
    tags = {number: ("in_top_3",) for number in range(20)}
    search = find_cohorts(rows_of(wrong, chance_titles(np.random.default_rng(6), 60)), tags)
    assert search.compared == 0 and "太少" in search.nothing_sentence
