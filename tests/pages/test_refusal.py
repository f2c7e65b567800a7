"""The Evaluate page shows calibrated confidence, and stores the threshold that somebody chose."""

import pytest

from studio import runs
from studio.store import open_store
from tests.support.pages import open_page
from tests.support.workspaces import fill


@pytest.fixture
def run(workspace):
    """A run of one's own with the recorded run's answers, which have probabilities."""
    run = fill(open_store(workspace.database), workspace)
    recorded = next(each for each in runs.list_runs(workspace) if each.recorded)
    for name in ("predictions.jsonl", "scores.json"):
        (run.folder / name).write_bytes((recorded.folder / name).read_bytes())
    return run


def shown(app):
    return "\n".join(each.value for each in [*app.markdown, *app.caption])


@pytest.mark.parametrize("answer", ["chain", "direct"])
def test_a_threshold_is_chosen_stored_and_taken_away(workspace, run, answer):
    app = open_page("evaluate", evaluation=run.id, view="refusal", threshold="70")
    app.segmented_control(key=f"choose-evaluate-answer-{run.id}").set_value(answer).run()
    slider = app.slider(key=f"threshold-{run.id}-{answer}")
    slider.set_value(90).run()
    assert "条请人判断" in shown(app) and app.query_params["threshold"] in ("90", ["90"])
    assert ("直接打分是否同意" in shown(app)) == (answer == "chain")
    assert len(app.get("vega_lite_chart")) == 3  # with the baselines above
    app.button(key="threshold-save").click().run()
    assert not app.exception
    assert runs.load_calibration(run).answers[answer].threshold.confidence == 0.9
    assert "现在的门槛：90%" in shown(app)
    app.button(key="threshold-forget").click().run()
    assert runs.load_calibration(run).answers == {} and "现在的门槛" not in shown(app)


def test_without_probabilities_it_says_what_to_do(workspace):
    run = fill(open_store(workspace.database), workspace)
    app = open_page("evaluate", evaluation=run.id, view="refusal")
    assert any("直接打分" in each.value for each in app.info) and not app.exception


def test_the_recorded_run_says_that_it_keeps_none(workspace):
    app = open_page("evaluate", evaluation="sample_run", view="refusal", threshold="x9")
    assert "不能保存门槛" in shown(app) and not app.exception


def test_a_right_row_under_the_threshold_has_a_tag(workspace, run):
    app = open_page("evaluate", evaluation=run.id, view="refusal", threshold="95")
    app.button(key="threshold-save").click().run()
    app = open_page("evaluate", evaluation=run.id, view="rows", tags="right_refused")
    assert [box for box in app.checkbox if str(box.key).startswith("pick-rows-")]
