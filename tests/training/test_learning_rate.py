"""Advice on the learning rate from a range test and from a sweep."""

import math

import pytest

from studio.contract import HeldOut, Step
from studio.language import current_language
from studio.training.learning_rate import Smoothed, has_turned, range_advice, recommend, spaced, tried


@pytest.fixture(autouse=True)
def english():
    current_language.set("en")


def curve(loss_of, *, lowest=1e-6, highest=1e-1, steps=60):
    rates = [lowest * (highest / lowest) ** (i / (steps - 1)) for i in range(steps)]
    return [
        Step(
            step=i + 1,
            total_steps=steps,
            epoch=0,
            loss=loss_of(rate),
            learning_rate=rate,
            tokens_per_second=1,
            tokens_seen=1,
            elapsed_seconds=1,
            eta_seconds=1,
            memory_gib=1,
        )
        for i, rate in enumerate(rates)
    ]


def valley(at):
    """Build a loss that falls from 6 to 3 until `at`, and rises after."""
    return lambda rate: 3 + min(3, abs(math.log10(rate / at)))


def point(loss, accuracy=None, *, error=0.05, rows=100, best=False):
    return HeldOut(step=1, epoch=1, loss=loss, loss_error=error, accuracy=accuracy, rows=rows, best=best)


def sweep(*measured):
    return [tried(f"run{value}", value, [point(*numbers)], best=False) for value, numbers in measured]


def test_the_smoothed_loss_has_no_bias_towards_its_start():
    average = Smoothed()
    assert [average.add(5.0) for _ in range(3)] == [pytest.approx(5.0)] * 3


def test_a_clear_rise_has_turned_and_noise_has_not():
    assert has_turned([5.0] * 9 + [4.0, 5.0])
    assert not has_turned([5.0, 4.9, 5.1] * 4)
    assert not has_turned([4.0, 6.0])


def test_the_range_is_bounded_by_the_rate_where_the_loss_turns():
    advice = range_advice(curve(valley(1e-3)))
    assert advice.turned_at == pytest.approx(1e-3, rel=2)
    assert advice.low < advice.start < advice.high and advice.start == pytest.approx(
        advice.high / 10, rel=0.1
    )
    assert "rises again after" in advice.sentence


def test_a_loss_that_still_falls_asks_for_a_higher_end():
    advice = range_advice(curve(valley(1e-3), highest=1e-4))
    assert "raise the highest rate" in advice.sentence


def test_a_flat_loss_is_reported():
    assert "hardly fell" in range_advice(curve(lambda rate: 5.0)).sentence


def test_a_few_points_give_no_advice():
    assert range_advice(curve(valley(1e-3))[:5]) is None


def test_rates_are_spaced_by_a_factor():
    assert spaced(1e-4, 1e-2, 3) == [1e-4, 1e-3, 1e-2]


def test_the_largest_rate_within_one_standard_error_is_recommended():
    found = sweep((1e-4, (2.5,)), (2e-4, (2.0,)), (4e-4, (2.04,)), (8e-4, (2.2,)))
    recommendation = recommend(found)
    assert recommendation.tried.value == 4e-4
    assert "within one standard error of the lowest, 2.000 at 0.0002" in recommendation.sentence


def test_a_clear_winner_is_reported():
    recommendation = recommend(sweep((1e-4, (2.5,)), (2e-4, (2.0,)), (4e-4, (2.3,))))
    assert recommendation.tried.value == 2e-4 and "all others are more than" in recommendation.sentence


def test_a_choice_at_the_end_of_the_range_asks_to_go_on():
    assert "try 0.0008 and above" in recommend(sweep((1e-4, (2.5,)), (4e-4, (2.0,)))).sentence
    assert "try 5e-05 and below" in recommend(sweep((1e-4, (2.0,)), (4e-4, (2.5,)))).sentence


def test_a_clearly_better_accuracy_is_not_kept_back():
    found = sweep((1e-4, (2.0, 0.4)), (2e-4, (2.2, 0.9)), (4e-4, (2.3, 0.5)))
    assert "0.0002 is clearly better (90.0% against 40.0%)" in recommend(found).sentence


def test_accuracies_that_do_not_differ_are_reported_as_such():
    assert (
        "no other value is clearly better"
        in recommend(sweep((1e-4, (2.0, 0.50)), (2e-4, (2.5, 0.52)))).sentence
    )


def test_without_a_standard_error_none_is_mentioned():
    points = {rate: [point(loss, error=None)] for rate, loss in ((1e-4, 2.0), (2e-4, 2.1))}
    found = [tried(str(rate), rate, held_out, best=False) for rate, held_out in points.items()]
    assert "standard error" not in recommend(found).sentence


def test_of_another_field_the_lowest_loss_is_recommended():
    found = sweep((8, (2.0,)), (16, (2.01,)))
    assert recommend(found, field="lora_rank").tried.value == 8


def test_a_diverged_member_is_no_candidate():
    assert recommend(sweep((1e-4, (2.5,)), (1e-1, (math.inf,)))).tried.value == 1e-4
    assert recommend([]) is None


def test_the_best_point_counts_where_the_run_ends_with_it():
    points = [point(2.0, best=True), point(3.0)]
    assert tried("r", 1e-4, points, best=True).loss == 2.0
    assert tried("r", 1e-4, points, best=False).loss == 3.0
