"""Wilson's interval, written out, is the library's and the published table's."""

import pytest
from statsmodels.stats.proportion import proportion_confint

from studio.stats import wilson_half_width, wilson_interval


@pytest.mark.parametrize(("right", "n"), [(0, 5), (5, 5), (17, 20), (1, 400), (81, 263)])
def test_the_interval_is_that_of_statsmodels(right, n):
    assert wilson_interval(right, n) == pytest.approx(proportion_confint(right, n, method="wilson"))


def test_the_interval_is_that_of_the_published_table():
    # Newcombe 1998, table I: 81 of 263.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


@pytest.mark.parametrize(("rate", "n"), [(0.8, 10), (0.8, 59), (0.5, 96), (0.95, 7), (0.99, 300)])
def test_the_half_width_is_that_of_statsmodels(rate, n):
    low, high = proportion_confint(rate * n, n, alpha=0.05, method="wilson")
    assert wilson_half_width(rate, n) == pytest.approx((high - low) / 2)


def test_nothing_counted_bounds_nothing():
    assert wilson_interval(0, 0) == (0.0, 1.0)
