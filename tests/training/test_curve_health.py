"""Warnings during a training: on recorded curves, and on synthetic ones with a single fault."""

import math
from pathlib import Path

import pytest

from studio.contract import HeldOut, Step, TrainSpec, event
from studio.system.jsonl import read_lines
from studio.training.curve_health import concerns
from studio.workspace import SAMPLE_RUN

CURVES = Path(__file__).parent / "curves"
SPEC = TrainSpec(model_name_or_path=Path("m"), dataset_dir=Path("d"))


def recorded(file):
    return list(read_lines(file, event))


def ever(events):
    """Collect the code of every concern at any time, with the first step of each."""
    found = {}
    for end in range(1, len(events) + 1):
        for concern in concerns(events[:end], SPEC):
            found.setdefault(concern.code, concern.step)
    return found


def point(step, loss, *, total=100, norm=0.5, rate=1e-4, **more):
    return Step(
        step=step,
        total_steps=total,
        epoch=step / total,
        loss=loss,
        learning_rate=rate,
        grad_norm=norm,
        tokens_per_second=1,
        tokens_seen=step,
        elapsed_seconds=step,
        eta_seconds=0,
        memory_gib=1,
        **more,
    )


def falling(count=30, **more):
    return [point(step, 2 + 4 * 0.9**step, **more) for step in range(1, count + 1)]


@pytest.mark.parametrize("file", [SAMPLE_RUN / "metrics.jsonl", CURVES / "good_small.jsonl"])
def test_a_good_run_is_never_called_bad(file):
    assert ever(recorded(file)) == {}


@pytest.mark.parametrize(
    ("name", "code", "by_step"),
    [
        ("too_low", "flat", 40),
        ("too_high", "diverging", 10),
        ("full_too_high", "diverging", 10),
        ("full_too_high", "clipping", 30),
        ("overfit", "overfitting", 75),
    ],
)
def test_a_bad_run_is_called_bad_in_time(name, code, by_step):
    assert ever(recorded(CURVES / f"{name}.jsonl"))[code] <= by_step


def test_every_recorded_curve_has_only_the_fault_it_was_made_for():
    assert set(ever(recorded(CURVES / "too_low.jsonl"))) == {"flat"}
    assert set(ever(recorded(CURVES / "too_high.jsonl"))) == {"diverging"}
    assert set(ever(recorded(CURVES / "overfit.jsonl"))) == {"overfitting"}


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_reported_alone_with_its_step(broken):
    [concern] = concerns([*falling(8), point(9, broken), point(10, broken)], SPEC)
    assert (concern.code, concern.step) == ("not_finite", 9)
    held_out = HeldOut(step=9, epoch=0.1, loss=broken)
    assert [c.code for c in concerns([*falling(8), held_out], SPEC)] == ["not_finite"]


def test_nan_and_infinity_survive_the_file():
    written = point(1, math.nan, norm=math.inf).model_dump_json()
    read = event.validate_json(written)
    assert math.isnan(read.loss) and read.grad_norm == math.inf


def test_a_slow_rise_is_seen_against_the_lowest_stretch():
    rising = [*falling(30), *(point(30 + n, 2 + 0.25 * n) for n in range(1, 20))]
    assert [c.code for c in concerns(rising, SPEC)] == ["diverging"]


def test_flat_waits_for_a_third_of_the_steps_and_spares_a_loss_that_is_low_already():
    flat = [point(step, 4.0) for step in range(1, 41)]
    assert concerns(flat[:25], SPEC) == []
    assert [c.code for c in concerns(flat, SPEC)] == ["flat"]
    assert "0.0001" in concerns(flat, SPEC)[0].remedy
    assert concerns([point(step, 0.3) for step in range(1, 41)], SPEC) == []


def test_clipping_counts_every_step_where_it_was_counted():
    often = falling(40, norm=8.0, clipped=0.5)
    assert [c.code for c in concerns(often, SPEC)] == ["clipping"]
    assert concerns(falling(40, norm=8.0, clipped=0.2), SPEC) == []


def test_gradients_a_little_over_the_limit_are_no_concern():
    assert concerns(falling(40, norm=3.0), SPEC) == []


def test_one_worse_held_out_point_is_no_overfitting():
    held_out = [HeldOut(step=10 * n, epoch=n, loss=loss) for n, loss in ((1, 2.0), (2, 1.5), (3, 1.6))]
    assert concerns([*falling(30), *held_out], SPEC) == []
    again = HeldOut(step=40, epoch=4, loss=1.7)
    assert [c.code for c in concerns([*falling(40), *held_out, again], SPEC)] == ["overfitting"]


def test_nothing_is_reported_before_the_first_step():
    assert concerns([], SPEC) == []
