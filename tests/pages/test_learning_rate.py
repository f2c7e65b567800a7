"""The Train page's answer to "which learning rate?": range test and sweep, drawn and taken over."""

import pytest

from pages.sections.train import rate_charts
from pages.sections.train.learning_rate import SWEPT
from studio import runs
from studio.contract import HeldOut, RangeTestSpec, Result, Step, TrainSpec
from studio.training import learning_rate, sweeps
from studio.training.presets import sound_default
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL
from tests.support.pages import open_page


@pytest.fixture
def base():
    return sound_default(BUNDLED_MODEL, BUNDLED_DATASET)


def finish(job, events):
    """What a worker leaves behind."""
    lines = "".join(event.model_dump_json() + "\n" for event in events)
    (job.folder / "metrics.jsonl").write_text(lines)
    (job.folder / "alive").touch()
    result = Result(status="done", seconds=1, peak_memory_gib=1)
    (job.folder / "result.json").write_text(result.model_dump_json())


def rising(count=40):
    """A range test whose loss turns in the middle."""
    return [
        Step(step=i + 1, total_steps=count, epoch=0, loss=4 + abs(i - count / 2) / 10, learning_rate=1e-6 * 1.3**i,
             tokens_per_second=1, tokens_seen=1, elapsed_seconds=1, eta_seconds=0, memory_gib=1)
        for i in range(count)
    ]  # fmt: skip


def done_sweep(workspace, base):
    members = [(f"r{rate}", base.model_copy(update={"learning_rate": rate})) for rate in (1e-4, 1e-3, 1e-2)]
    job, found = runs.prepare_sweep(workspace, members)
    for run, loss, accuracy in zip(found, (5.0, 4.0, 4.02), (0.4, 0.7, 0.72), strict=True):
        finish(run, [HeldOut(step=9, epoch=1, loss=loss, loss_error=0.05, accuracy=accuracy, rows=100)])
    finish(job, [])
    return job


def test_every_swept_field_is_a_setting_that_may_be_swept():
    assert set(SWEPT) <= set(TrainSpec.model_fields) - set(sweeps.NOT_SWEPT)


def test_a_range_test_is_drawn_and_its_start_taken_over(workspace, base):
    finish(runs.prepare_job(workspace, RangeTestSpec(train=base)), rising())
    app = open_page("train")
    assert not app.exception
    (take,) = [button for button in app.button if str(button.key).startswith("range-take-")]
    take.click().run()
    advice = learning_rate.range_advice(rising())
    assert app.number_input(key="spec-sound_default-learning_rate").value == advice.start


def test_the_range_goes_into_the_sweeps_form(workspace, base):
    finish(runs.prepare_job(workspace, RangeTestSpec(train=base)), rising())
    app = open_page("train")
    (button,) = [button for button in app.button if str(button.key).startswith("range-sweep-")]
    button.click().run()
    values = app.text_input(key="sweep-values-learning_rate").value.split(", ")
    advice = learning_rate.range_advice(rising())
    assert len(values) == 5 and float(values[0]) == advice.low and float(values[-1]) == advice.high


def test_a_sweep_is_recommended_in_a_sentence_and_taken_over(workspace, base):
    done_sweep(workspace, base)
    app = open_page("train")
    assert not app.exception
    assert any("宁大勿小" in markdown.value for markdown in app.markdown)
    (take,) = [button for button in app.button if str(button.key).startswith("sweep-take-")]
    take.click().run()
    assert app.number_input(key="spec-sound_default-learning_rate").value == 1e-2


def test_a_sweep_starts_from_the_page_with_the_values_typed(workspace):
    app = open_page("train")
    app.text_input(key="sweep-values-learning_rate").set_value("1e-4，2e-4").run()
    app.button(key="sweep-start").click().run()
    (job,) = sweeps.list_sweeps(workspace)
    view = sweeps.view_sweep(workspace, job)
    assert [run.spec.learning_rate for run in view.members] == [1e-4, 2e-4]


def test_a_value_that_does_not_fit_is_told_as_a_sentence(workspace):
    app = open_page("train")
    app.text_input(key="sweep-values-learning_rate").set_value("1e-4, schnell").run()
    app.button(key="sweep-start").click().run()
    assert any(
        "learning_rate" in error.value.replace("\\", "") for error in app.error
    ) and not sweeps.list_sweeps(workspace)


def test_words_and_numbers_get_a_chart_each(base):
    points = [HeldOut(step=1, epoch=1, loss=4.0, rows=10, accuracy=0.5)]
    for values in ((1e-4, 2e-4), ("cosine", "linear"), (True, False)):
        found = [learning_rate.tried(str(value), value, points, best=False) for value in values]
        assert (
            len(
                rate_charts.sweep_chart(found, learning_rate.recommend(found, field="x"), "x").to_dict()[
                    "hconcat"
                ]
            )
            == 2
        )
