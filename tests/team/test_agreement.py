"""The measures of agreement are those of the libraries, computed on the right answers."""

import csv
import io
import json
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from studio.annotation import annotations, bulk_edits
from studio.annotation.leases import reopen
from studio.corpus.titles import get_title
from studio.team.agreement import SharedTitle, measure_agreement
from studio.team.agreement_data import load_shared, to_csv, to_json
from tests.support.team import TWO, dispute, label, share, team

NAMES = ("经济", "社会", "体育", "健康")
START = datetime(2026, 11, 2, 4, tzinfo=UTC)


def shared(*titles, at=START):
    return [
        SharedTitle(
            title_id=number,
            answers=[(f"p{person}", answer) for person, answer in enumerate(answers)],
            at=(at + timedelta(hours=number)).isoformat(),
        )
        for number, answers in enumerate(titles)
    ]


def drawn(people, count, seed=1, agree=0.6):
    """Generate titles whose answers are the truth, or any category."""
    draw = random.Random(seed)
    titles = []
    for _ in range(count):
        truth = draw.choice(NAMES)
        titles.append([truth if draw.random() < agree else draw.choice(NAMES) for _ in range(people)])
    return titles


def test_two_people_are_measured_by_cohen():
    titles = drawn(2, 200)
    found = measure_agreement(shared(*titles), NAMES)
    assert found.kappa == "cohen"
    assert found.overall.kappa == pytest.approx(cohen_kappa_score(*zip(*titles, strict=True)))
    assert found.overall.percent == pytest.approx(np.mean([one == other for one, other in titles]))


def test_more_people_are_measured_by_fleiss():
    titles = drawn(3, 200)
    found = measure_agreement(shared(*titles), NAMES)
    assert found.kappa == "fleiss"
    assert found.overall.kappa == pytest.approx(fleiss_kappa(aggregate_raters(np.array(titles))[0]))


def test_each_pair_of_people_is_measured_on_what_both_answered():
    titles = drawn(3, 120)
    found = measure_agreement(shared(*titles), NAMES)
    columns = list(zip(*titles, strict=True))
    assert [(pair.one, pair.other) for pair in found.people_pairs] == [
        ("p0", "p1"),
        ("p0", "p2"),
        ("p1", "p2"),
    ]
    for pair in found.people_pairs:
        one, other = int(pair.one[1]), int(pair.other[1])
        assert pair.measure.kappa == pytest.approx(cohen_kappa_score(columns[one], columns[other]))
        assert pair.measure.n == 120


def test_a_category_is_measured_against_all_others():
    titles = drawn(3, 200)
    measure = measure_agreement(shared(*titles), NAMES).per_category["社会"]
    yes_no = np.array([[int(answer == "社会") for answer in title] for title in titles])
    assert measure.kappa == pytest.approx(fleiss_kappa(aggregate_raters(yes_no)[0]))
    chosen = yes_no.sum(axis=1)
    assert measure.percent == pytest.approx((chosen * (chosen - 1)).sum() / (chosen * 2).sum())
    assert measure.n == (chosen > 0).sum()


def test_confused_pairs_come_with_their_counts():
    titles = [("经济", "社会")] * 3 + [("社会", "经济")] * 2 + [("体育", "社会")] + [("经济", "经济")] * 4
    found = measure_agreement(shared(*titles), NAMES)
    assert [(pair.one, pair.other, pair.confused) for pair in found.category_pairs] == [
        ("经济", "社会", 5),
        ("社会", "体育", 1),
    ]
    assert found.category_pairs[0].measure.percent == pytest.approx(4 / 9)
    assert found.matrix[0][:3] == [4, 5, 0] and found.matrix[1][:3] == [5, 0, 1]


def test_a_title_weighs_the_same_however_many_answered():
    found = measure_agreement(shared(("经济", "经济"), ("经济", "社会", "体育", "健康")), NAMES)
    assert found.overall.percent == pytest.approx(0.5)


def test_the_interval_is_that_of_resampled_titles():
    """Compare with a bootstrap that really resamples the titles."""
    titles = drawn(2, 150, seed=3)
    low, high = measure_agreement(shared(*titles), NAMES).overall.kappa_interval
    rng = np.random.default_rng(0)
    plain = [
        cohen_kappa_score(*zip(*[titles[index] for index in rng.integers(0, 150, 150)], strict=True))
        for _ in range(400)
    ]
    assert (low, high) == pytest.approx(tuple(np.percentile(plain, [2.5, 97.5])), abs=0.03)


def test_the_same_answers_give_the_same_intervals():
    titles = shared(*drawn(3, 90))
    assert measure_agreement(titles, NAMES) == measure_agreement(list(titles), NAMES)


def test_more_titles_narrow_the_interval():
    def width(count):
        low, high = measure_agreement(shared(*drawn(2, count)), NAMES).overall.kappa_interval
        return high - low

    assert width(1600) < width(100) / 2


def test_kappa_is_undefined_where_all_answers_are_one_category():
    overall = measure_agreement(shared(("经济", "经济"), ("经济", "经济")), NAMES).overall
    assert (overall.percent, overall.kappa, overall.kappa_interval) == (1.0, None, None)


def test_nothing_shared_is_nothing_measured():
    assert measure_agreement([], NAMES) is None
    assert measure_agreement(shared(("经济",)), NAMES) is None


def test_a_category_outside_the_scheme_is_appended():
    found = measure_agreement(shared(("经济", "旅游"), ("经济", "经济")), NAMES)
    assert found.categories[-1] == "旅游"


@pytest.mark.parametrize(("days", "periods", "by_week"), [(3, 3, False), (42, 7, True)])
def test_over_time_by_day_or_by_week(days, periods, by_week):
    titles = [
        SharedTitle(
            title_id=day,
            answers=(("p0", "经济"), ("p1", "经济" if day % 2 else "社会")),
            at=(START + timedelta(days=day)).isoformat(),
        )
        for day in range(days)
    ]
    found = measure_agreement(titles, NAMES)
    assert (found.by_week, sum(measure.n for measure in found.over_time.values())) == (by_week, days)
    assert abs(len(found.over_time) - periods) <= 1
    assert list(found.over_time) == sorted(found.over_time)


@pytest.fixture
def db(tmp_path):
    return share(team(tmp_path / "home"))


def test_answers_of_two_people_about_one_decision_are_shared(db):
    dispute(db)
    label(db, "wang", settings=TWO)
    [title] = load_shared(db)
    assert (title.title_id, sorted(title.answers)) == (1, [("chen", "社会"), ("wang", "经济")])


def test_answers_that_are_retracted_or_about_a_later_decision_are_not_shared(db):
    dispute(db)
    annotations.undo(db, author="chen")
    assert load_shared(db) == []
    reopen(db, 1, author="chen", settings=TWO)
    label(db, "chen", "经济", settings=TWO)
    assert load_shared(db)[0].answers == (("wang", "经济"), ("chen", "经济"))
    title = get_title(db, 1)
    annotations.annotate(db, 1, category="体育", author="li", seen_revision=title.revision)
    assert len(load_shared(db)[0].answers) == 2


def test_gold_answers_are_no_sample(db):
    for name in ("wang", "chen"):
        label(db, name, settings=TWO)
    for name in ("li", "zhao"):
        db.execute(
            "insert into annotations (title_id, decision_id, author, kind, category, is_gold)"
            " values (1, ?, ?, 'category', '社会', 1)",
            [get_title(db, 1).decision_id, name],
        )
    assert [sorted(title.answers) for title in load_shared(db)] == [[("chen", "经济"), ("wang", "经济")]]


def test_the_latest_titles_are_measured_first(db):
    dispute(db)
    dispute(db)
    assert [title.title_id for title in load_shared(db, at_most=1)] == [2]


def test_a_relabelled_title_is_still_an_agreement_or_none(db):
    title = dispute(db)
    bulk_edits.relabel(db, {title.id: title.revision}, category="体育", author="zhao")
    assert len(load_shared(db)) == 1


def test_the_exports_hold_every_measure():
    found = measure_agreement(shared(*drawn(3, 60)), NAMES)
    rows = list(csv.DictReader(io.StringIO(to_csv(found).decode("utf-8-sig"))))
    assert {row["measure"] for row in rows} == {"overall", "category", "category_pair", "people_pair", "day"}
    assert float(rows[0]["kappa"]) == pytest.approx(found.overall.kappa)
    assert json.loads(to_json(found))["overall"]["n"] == 60


def test_a_name_in_the_export_is_no_formula():
    titles = [
        SharedTitle(title_id=1, answers=(("=cmd|'/c calc'!A1", "经济"), ("b", "社会")), at=START.isoformat())
    ]
    text = to_csv(measure_agreement(titles, NAMES)).decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert "'=cmd|'/c calc'!A1" in cells
    assert not [cell for cell in cells if cell.startswith("=")]
