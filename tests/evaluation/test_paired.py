"""Paired tests against scipy and statsmodels; the bootstrap against its plain form; honest under clusters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from studio.evaluation import power as powers
from studio.evaluation.paired import PairedRows, flip_signs, group_sums, holm, interval, mcnemar, resample


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_that_of_statsmodels(fixed, broken):
    reference = reference_mcnemar([[10, fixed], [broken, 10]], exact=True).pvalue
    assert mcnemar(fixed, broken) == pytest.approx(float(np.nan_to_num(reference, nan=1.0)), abs=1e-9)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_the_sign_flip_test_counts_every_way_to_flip(sums):
    values = np.array(sums)
    flips = np.array(np.meshgrid(*[[-1, 1]] * len(sums))).reshape(len(sums), -1).T
    expected = float(np.mean(np.abs(flips @ values) >= abs(values.sum())))
    assert flip_signs(values) == pytest.approx(expected, abs=1e-9)


def test_a_very_large_table_has_the_p_value_of_the_exact_one():
    expected = stats.binomtest(12_700, 25_000).pvalue
    assert mcnemar(12_700, 12_300) == pytest.approx(expected, rel=0.02)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_that_of_statsmodels(p_values):
    if p_values:
        assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())
    else:
        assert holm(p_values) == []


def some_rows(seed, n=240, size=3, k=4):
    """Rows in groups of up to `size`, whose answers agree within a group more often than between."""
    rng = np.random.default_rng(seed)
    group = np.sort(rng.integers(0, n // size, n))
    _, group = np.unique(group, return_inverse=True)
    hard = rng.random((2, group.max() + 1))
    label = rng.integers(0, k, n)
    said = []
    for model in range(2):
        right = 0.6 * hard[model][group] + 0.4 * rng.random(n) < 0.55
        said.append(np.where(right, label, rng.integers(0, k + 1, n)))
    return PairedRows(label=label, a=said[0], b=said[1], group=group, unparsed=k)


def plain_resample(rows, replicates, seed):
    """The cluster bootstrap as the textbook has it: draw groups, gather their rows, score them."""
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(rows.group == each) for each in range(rows.group.max() + 1)]
    found = []
    for _ in range(replicates):
        drawn = np.concatenate([members[each] for each in rng.integers(0, len(members), len(members))])
        label, a, b = rows.label[drawn], rows.a[drawn], rows.b[drawn]
        f1 = [
            f1_score(label, said, labels=np.unique(label), average="macro", zero_division=0)
            for said in (a, b)
        ]
        found.append((np.mean(b == label) - np.mean(a == label), f1[1] - f1[0]))
    return np.array(found)


def test_the_bootstrap_is_that_of_the_textbook():
    rows = some_rows(3)
    ours, plain = resample(rows, replicates=2000), plain_resample(rows, 600, 1)
    for mine, theirs in ((ours.accuracy, plain[:, 0]), (ours.macro_f1, plain[:, 1])):
        assert mine.mean() == pytest.approx(theirs.mean(), abs=0.01)
        assert mine.std() == pytest.approx(theirs.std(), rel=0.12)


def test_the_same_seed_gives_the_same_interval_and_copies_of_rows_do_not_narrow_it():
    rows = some_rows(5, n=100, size=1)
    once = interval(resample(rows).accuracy)
    assert once == interval(resample(rows).accuracy)
    parts = {name: np.repeat(getattr(rows, name), 5) for name in ("label", "a", "b", "group")}
    copied = PairedRows(**parts, unparsed=rows.unparsed)
    assert interval(resample(copied).accuracy) == pytest.approx(once, abs=0.02)
    as_if_apart = PairedRows(**{**parts, "group": np.arange(500)}, unparsed=rows.unparsed)
    low, high = interval(resample(as_if_apart).accuracy)
    assert high - low < 0.6 * (once[1] - once[0])
    assert flip_signs(group_sums(copied.group, copied.difference)) == pytest.approx(
        flip_signs(group_sums(rows.group, rows.difference))
    )


def test_the_interval_stays_open_where_nothing_differs():
    same = np.zeros(50, dtype=np.int64)
    low, high = interval(
        resample(PairedRows(label=same, a=same, b=same, group=np.arange(50), unparsed=2)).accuracy
    )
    assert low < -0.02 and high > 0.02


def test_clustered_rows_raise_few_false_alarms_where_a_row_wise_test_raises_many():
    rng = np.random.default_rng(11)
    by_group, by_row = 0, 0
    for _ in range(300):
        label = np.zeros(400, dtype=np.int64)
        group = np.repeat(np.arange(100), 4)
        said = [
            (0.85 * rng.random(100)[group] + 0.15 * rng.random(400) > 0.5).astype(np.int64) for _ in range(2)
        ]
        rows = PairedRows(label=label, a=said[0], b=said[1], group=group, unparsed=2)
        by_group += flip_signs(group_sums(group, rows.difference)) < 0.05
        by_row += mcnemar(int((rows.difference > 0).sum()), int((rows.difference < 0).sum())) < 0.05
    assert by_group / 300 < 0.08
    assert by_row / 300 > 0.10


@pytest.mark.parametrize(
    ("n", "discordance", "difference"), [(100, 0.2, 0.1), (300, 0.15, 0.06), (60, 0.4, 0.2)]
)
def test_power_is_that_of_simulated_tables(n, discordance, difference):
    rng = np.random.default_rng(2)
    tables = rng.multinomial(
        n, [(discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance], size=20_000
    )
    found = np.mean(
        [stats.binomtest(b, b + c).pvalue < 0.05 if b + c else False for b, c, _ in tables[:4000]]
    )
    assert powers.power(n, discordance, difference) == pytest.approx(found, abs=0.025)


@settings(max_examples=25, deadline=None)
@given(st.integers(10, 2000), st.floats(0.05, 0.6))
def test_the_visible_difference_is_the_least_with_that_power(n, discordance):
    least = powers.visible_difference(n, discordance)
    if least < 1:
        assert powers.power(n, discordance, least) >= 0.8
        assert powers.power(n, discordance, least - 0.002) < 0.81


def test_the_critical_count_is_the_first_significant_one():
    for count in (1, 5, 6, 7, 30, 101):
        least = powers.critical_count(count)
        assert least > count or stats.binomtest(least, count).pvalue <= 0.05
        assert stats.binomtest(least - 1, count).pvalue > 0.05


def test_power_goes_on_smoothly_above_the_exact_rows():
    exact = powers.power(powers.MOST_EXACT, 0.2, 0.015)
    assert powers.power(powers.MOST_EXACT + 1, 0.2, 0.015) == pytest.approx(exact, abs=0.015)
    assert powers.rows_to_see(0.05, 0.2) == pytest.approx(640, rel=0.1)


def test_rows_of_one_story_count_as_one_until_they_are_known_to_differ():
    group = np.repeat(np.arange(50), 4)
    assert powers.effective_rows(group) == 50
    assert powers.effective_rows(np.arange(50)) == 50
    rng = np.random.default_rng(1)
    assert powers.effective_rows(group, rng.integers(-1, 2, 200)) > 150
    assert powers.effective_rows(group, np.repeat(rng.integers(-1, 2, 50), 4)) == 50
