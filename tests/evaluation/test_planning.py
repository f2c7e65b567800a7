"""What an evaluation can tell is said before it runs and beside its score, by earlier runs where there are some."""

from dataclasses import replace

import pytest

from studio.evaluation.entries import entries_of
from studio.evaluation.planning import rows_missing, what_it_tells
from studio.evaluation.power import power
from studio.stats import wilson_half_width
from studio.workspace import BUNDLED_DATASET, open_workspace
from tests.support.evaluations import finished, predictions, titles
from tests.support.pages import open_page

TITLES = titles(100)


def entries(place, *counts):
    found = [
        entries_of(finished(place, predictions(TITLES, lambda row, n=n: row < n), label=f"{n}"))[0]
        for n in counts
    ]
    return found[::-1]


def test_the_last_two_evaluations_tell_how_often_models_disagree(tmp_path):
    place = open_workspace(tmp_path / "home")
    alike = what_it_tells(entries(place, 70, 75), BUNDLED_DATASET, 100)
    apart = what_it_tells(entries(place, 30, 80), BUNDLED_DATASET, 100)
    assert alike.is_measured and apart.is_measured and alike.visible < apart.visible
    both = [entry for entry in entries(place, 60, 65) for entry in (entry, replace(entry, answer="direct"))]
    assert what_it_tells(both, BUNDLED_DATASET, 100).is_measured
    assert power(100, max(0.05, alike.visible), alike.visible) >= 0.8
    assumed = what_it_tells([], BUNDLED_DATASET, 100)
    assert not assumed.is_measured and 0.08 < assumed.visible < 0.15
    assert "100 条标题" in assumed.sentence and what_it_tells([], BUNDLED_DATASET, 4).visible == 1


def test_the_category_that_is_known_worst_needs_so_many_rows(tmp_path):
    (entry,) = entries(open_workspace(tmp_path / "home"), 50)
    name, missing = rows_missing(entry.scores[0])
    score = entry.scores[0].per_category[name]
    assert wilson_half_width(score.recall, score.support + missing) <= 0.05
    assert wilson_half_width(score.recall, score.support + missing - 2) > 0.05


@pytest.mark.parametrize(("lang", "words"), [("zh", "通常看不出小于"), ("en", "will usually not be visible")])
def test_the_evaluate_page_says_it_at_the_score_and_at_the_start(workspace, lang, words):
    captions = [caption.value.replace("\\", "") for caption in open_page("evaluate", lang).caption]
    assert sum(words in caption for caption in captions) == 2
