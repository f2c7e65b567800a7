"""A run offers what can be done to it in its state, the queue is shown, and the buttons do it."""

import pytest
from streamlit.testing.v1 import AppTest

from studio import runs
from studio.jobs import queue
from studio.runs import DeviceChoice
from tests.support.tiny_runs import tiny_run, wait_until


def page():
    """What the Train page draws of these parts."""
    import streamlit as st

    from pages.shared import run_controls, session
    from pages.shared.feedback import show_notices
    from pages.shared.text import state_name
    from studio import runs

    session.use_language()
    show_notices()
    st.session_state["place"] = run_controls.choose_place("choose-train")
    run_controls.queue_view()
    if watched := st.session_state.get("choose-watched-run"):
        run = runs.get_run(session.workspace(), watched)
        st.markdown(state_name(run.state))
        run_controls.run_controls(run)


def open_page(watched=None, lang="zh"):
    app = AppTest.from_function(page, default_timeout=120)
    app.session_state["lang"] = lang
    if watched:
        app.session_state["choose-watched-run"] = watched if isinstance(watched, str) else watched.id
    app.run()
    assert not app.exception
    return app


def keys(app):
    return {button.key for button in app.button if button.key}


def press(app, key):
    app.button(key=key).click().run()
    assert not app.exception
    return app


def checkpoint(run):
    (run.folder / "checkpoints/step_000002/resume").mkdir(parents=True)
    (run.folder / "checkpoints/step_000002/resume/loop.json").touch()


def state(workspace, run):
    return runs.get_run(workspace, run.id).state


def test_a_running_run_is_paused_and_goes_on_by_its_buttons(workspace):
    run = tiny_run(workspace, steps=200)
    queue.submit(workspace, run)
    wait_until(lambda: runs.read_events(run))
    app = open_page(run)
    assert {f"pause-{run.id}", f"cancel-{run.id}", f"discard-sure-{run.id}"} <= keys(app)
    press(app, f"pause-{run.id}")
    assert queue.wait(workspace, run.id).state == "paused"
    app = open_page(run, lang="en")
    assert "paused" in " ".join(text.value for text in app.markdown)
    press(app, f"resume-{run.id}")
    wait_until(lambda: state(workspace, run) == "running")
    press(open_page(run), f"discard-sure-{run.id}")
    assert queue.wait(workspace, run.id).state == "cancelled"


@pytest.mark.parametrize(
    ("files", "offered", "missing"),
    [
        (["alive"], {"retry"}, {"resume", "discard-sure", "cancel", "pause"}),
        (["alive", "checkpoint"], {"retry", "resume", "discard-sure"}, {"cancel", "pause"}),
        (["cancel"], {"retry"}, {"resume", "cancel"}),
        (["pause"], {"resume", "cancel", "retry"}, {"pause"}),
        (["done", "checkpoint"], {"retry"}, {"resume", "discard-sure", "cancel", "pause"}),
    ],
)
def test_a_run_that_stopped_offers_what_can_be_done_to_it(workspace, files, offered, missing):
    run = tiny_run(workspace)
    for name in files:
        if name == "checkpoint":
            checkpoint(run)
        elif name == "done":
            (run.folder / "result.json").write_text('{"status":"done","seconds":1,"peak_memory_gib":1}')
        else:
            (run.folder / name).touch()
    shown = {key.removesuffix(f"-{run.id}") for key in keys(open_page(run))}
    assert offered <= shown
    assert not missing & shown


def test_the_recorded_sample_has_no_buttons(workspace):
    assert keys(open_page("sample_run")) == set()


def test_a_repeated_run_is_the_one_that_is_watched(workspace):
    run = tiny_run(workspace, steps=1)
    (run.folder / "alive").touch()
    app = press(open_page(run), f"retry-{run.id}")
    again = next(found for found in runs.list_runs(workspace) if found.record.retry_of)
    assert again.record.retry_of == run.id
    assert app.session_state["choose-watched-run"] == again.id


def test_the_queue_is_shown_and_changed_by_its_buttons(workspace):
    going = tiny_run(workspace, steps=400)
    queue.submit(workspace, going)
    wait_until(lambda: state(workspace, going) == "running")
    a, b, c = (tiny_run(workspace, label=name) for name in "abc")
    app = open_page()
    assert any("1 个运行，3 个等待" in text.value for text in app.markdown)
    press(app, f"first-{c.id}")
    press(app, f"down-{a.id}")
    assert [job.id for job in runs.waiting(workspace)] == [c.id, b.id, a.id]
    press(app, f"aside-{b.id}")
    press(app, f"drop-{a.id}")
    assert [state(workspace, run) for run in (a, b, c)] == ["cancelled", "paused", "queued"]


def test_a_press_that_comes_too_late_is_a_sentence(workspace):
    going, _other, late = tiny_run(workspace, steps=400), tiny_run(workspace), tiny_run(workspace)
    queue.submit(workspace, going)
    wait_until(lambda: state(workspace, going) == "running")
    app = open_page()
    runs.cancel(workspace, late.id)
    press(app, f"first-{late.id}")
    assert any(late.id in notice.value.replace("\\", "") for notice in app.toast)


def test_a_device_is_chosen_where_there_is_a_choice(workspace, monkeypatch):
    assert not [box for box in open_page().selectbox if box.key == "choose-train-device"]
    monkeypatch.setenv("STUDIO_JOBS_DEVICES", '["cuda:0", "cuda:1"]')
    monkeypatch.setenv("STUDIO_RAY_ADDRESS", "http://127.0.0.1:8265")
    app = open_page()
    box = app.selectbox(key="choose-train-device")
    assert len(box.options) == 4
    assert "Ray" in box.options[-1]
    box.set_value("cuda:1").run()
    app.number_input(key="choose-train-processes").set_value(2).run()
    assert app.session_state["place"] == DeviceChoice(device="cuda:1", processes=2)


def test_a_wish_that_cannot_come_true_can_be_changed(workspace):
    run = tiny_run(workspace, steps=1, device="cuda:7")
    app = open_page()
    assert any("cuda:7" in warning.value.replace("\\", "") for warning in app.warning)
    press(app, f"anywhere-{run.id}")
    assert runs.get_run(workspace, run.id).record.device is None
