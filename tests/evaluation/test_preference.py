"""What votes show: the exact sign test, its interval, what watching costs, and how many are missing."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from studio.evaluation.paired import ALPHA
from studio.evaluation.power import USUAL_POWER, power
from studio.evaluation.preference import MOST_NEEDED, Preference

VOTES = st.integers(0, 60)


@given(VOTES, VOTES)
def test_the_p_value_is_scipys_exact_one_and_the_sides_are_alike(a, b):
    votes = Preference(a=a, b=b)
    assert votes.p_value == pytest.approx(binomtest(a, a + b).pvalue if a + b else 1.0)
    assert votes.p_value == pytest.approx(Preference(a=b, b=a).p_value)
    assert votes.watched_p_value >= votes.p_value - 1e-12
    low, high = votes.interval
    assert low - 1e-9 <= (0.5 if votes.share is None else votes.share) <= high + 1e-9


@given(VOTES, VOTES, VOTES, VOTES)
def test_ties_and_both_bad_decide_nothing(a, b, ties, bad):
    with_ties = Preference(a=a, b=b, ties=ties, bad=bad)
    without = Preference(a=a, b=b)
    assert (with_ties.p_value, with_ties.needed) == (without.p_value, without.needed)
    assert with_ties.decided == a + b


@pytest.mark.parametrize(
    ("a", "b", "code"),
    [
        (0, 0, "no_votes"),
        (5, 0, "no_difference"),
        (6, 0, "a_better"),
        (1, 9, "b_better"),
        (8, 8, "no_difference"),
    ],
)
def test_the_verdict_is_that_of_the_sign_test(a, b, code):
    assert Preference(a=a, b=b).verdict() == code


def test_a_corrected_p_value_can_take_a_verdict_back():
    assert Preference(a=6, b=0).verdict(3 * Preference(a=6, b=0).p_value) == "no_difference"


@given(VOTES, VOTES)
def test_with_the_votes_that_are_needed_the_difference_is_usually_shown(a, b):
    votes = Preference(a=a, b=b)
    if votes.p_value < ALPHA:
        assert votes.needed == 0
    elif votes.needed is not None:
        assert 0 < votes.needed <= MOST_NEEDED
        share = (a + 1) / (a + b + 2)
        whole = a + b + votes.needed
        # exact power goes up and down by a step of one vote
        assert power(whole, 1.0, abs(2 * share - 1)) >= USUAL_POWER - 0.06 or whole == a + b + 1
    else:
        assert abs(a - b) <= 0.1 * (a + b + 2)


def test_an_even_split_needs_no_number_of_votes():
    assert Preference(a=10, b=10).needed is None and Preference(a=0, b=0).needed is None


def test_who_watches_every_vote_is_warned_by_the_second_test():
    """Of 400 comparisons of equals, watched for 60 votes, many look decided once; few pass what may be watched."""
    draw, known = random.Random(5), {}
    looked_decided = held = 0
    for _ in range(400):
        a, flags = 0, [False, False]
        for n in range(1, 61):
            a += draw.random() < 0.5
            if (a, n) not in known:
                votes = Preference(a=a, b=n - a)
                known[a, n] = votes.p_value < ALPHA, votes.holds_when_watched
            flags = [flag or new for flag, new in zip(flags, known[a, n], strict=True)]
        looked_decided += flags[0]
        held += flags[1]
    assert looked_decided / 400 > 0.12 and held / 400 < 0.05
