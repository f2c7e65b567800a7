"""Curves: several runs on one chart, nothing drawn that is no number, smoothing without a bias."""

import math

import pytest

from pages.shared.run_charts import LONGEST, QUANTITIES, curves, smoothed, thinned
from studio.contract import HeldOut, Step


def step(number, loss, **fields):
    return Step(
        step=number,
        total_steps=10_000,
        epoch=number / 10,
        loss=loss,
        learning_rate=1e-3,
        tokens_per_second=100,
        tokens_seen=100,
        elapsed_seconds=1,
        eta_seconds=0,
        memory_gib=0.5,
        **fields,
    )


def held(number, loss, accuracy=None):
    return HeldOut(step=number, epoch=number / 10, loss=loss, accuracy=accuracy)


def drawn(chart):
    return chart.to_dict()["data"]["values"]


def test_training_and_held_out_loss_are_two_quantities():
    events = {"a": [step(1, 2.0), held(1, 2.5), step(2, 1.0)]}
    assert [row["y"] for row in drawn(curves(events, "loss"))] == [2.0, 1.0]
    assert [row["y"] for row in drawn(curves(events, "held_out_loss"))] == [2.5]


def test_several_runs_have_a_colour_each():
    chart = curves({"a": [step(1, 2.0), held(1, 2.5)], "b": [step(1, 3.0)], "c": []}, "loss")
    assert {row["line"] for row in drawn(chart)} == {"a", "b"}
    assert chart.to_dict()["layer"][0]["encoding"]["color"]["scale"]["domain"] == ["a", "b", "c"]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_left_out_and_spoils_no_mean(bad):
    chart = curves({"a": [step(1, 2.0), step(2, bad), step(3, 2.0), held(3, bad)]}, "loss", smoothing=0.9)
    assert [row["y"] for row in drawn(chart)] == pytest.approx([2.0, 2.0])


def test_a_quantity_that_nobody_recorded_draws_nothing():
    assert curves({"a": [step(1, 2.0)]}, "accuracy") is None
    assert curves({"a": [step(1, 2.0)]}, "grad_norm") is None
    assert curves({}, "loss") is None


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("axis", ["step", "epoch"])
def test_every_quantity_has_a_curve(quantity, axis):
    events = [step(10, 2.0, grad_norm=1.5, preferred=0.6, margin=0.4), held(10, 2.2, accuracy=0.5)]
    assert {row["x"] for row in drawn(curves({"a": events}, quantity, axis))} == {
        10 if axis == "step" else 1.0
    }


def test_smoothing_starts_at_the_first_value():
    assert smoothed([3.0, 3.0, 3.0], 0.9) == pytest.approx([3.0, 3.0, 3.0])
    assert smoothed([1.0, 2.0], 0.0) == [1.0, 2.0]
    assert smoothed([0.0, 1.0], 0.5)[1] == pytest.approx(2 / 3)


def test_a_long_run_is_thinned_to_its_last_point():
    points = thinned([step(number, 1.0) for number in range(1, 10_001)])
    assert len(points) <= LONGEST + 1
    assert (points[0].step, points[-1].step) == (1, 10_000)
    assert thinned([]) == []


def test_no_chart_draws_training_and_held_out_numbers_as_one_quantity():
    for name, shown in QUANTITIES.items():
        assert (shown.of_step is None) != (shown.of_held_out is None), name
