"""Draw the curves of a run, and of others on the same chart, from their events."""

from collections.abc import Iterable, Sequence

import streamlit as st

from pages.shared import run_charts, session
from pages.shared.elements import choose_one
from pages.shared.feedback import report_errors
from pages.shared.run_charts import OF_PAIRS, QUANTITIES, Axis, Quantity, has_pairs
from pages.shared.text import run_option
from studio import runs
from studio.contract import Event, HeldOut, Step
from studio.language import say
from studio.runs import Run

AXES: tuple[Axis, ...] = ("step", "epoch")
_LOSSES_OF_PAIRS = (
    "两条损失不是同一个量：上面是偏好对的损失；留出损失是思维链词元的平均，和微调时一样。"
    "它一直升，说明模型正在忘掉怎样回答。",
    "The two losses are different quantities: above that of the pairs; the held-out loss is the plain mean "
    "over chains, as in fine-tuning. If it keeps rising, the model is forgetting how to answer.",
)


def events_of(run: Run) -> Sequence[Event]:
    """Read the events of a run, again only when the worker has written."""
    file = run.folder / "metrics.jsonl"
    if not file.exists():
        return ()
    state = file.stat()
    return _events(run.id, state.st_size, state.st_mtime_ns, run)


@st.cache_resource(max_entries=16, show_spinner=False)
def _events(run_id: str, size: int, written: int, _run: Run) -> Sequence[Event]:
    """Cache by id, length and time of the file."""
    return tuple(runs.read_events(_run))


def recorded_quantities(runs_events: Iterable[Sequence[Event]]) -> list[Quantity]:
    """List what can be charted; the quantities of preference pairs only where a run has them."""
    with_pairs = any(map(has_pairs, runs_events))
    return [name for name in QUANTITIES if with_pairs or name not in OF_PAIRS]


def draw_curves(run: Run, events: Sequence[Event], others: Sequence[str]) -> None:
    """Chart one quantity of this run and of those it is compared with."""
    drawn = {run_option(run): events}
    for run_id in others:
        with report_errors():
            other = runs.get_run(session.workspace(), run_id)
            drawn[run_option(other)] = events_of(other)
    if not any(isinstance(event, Step | HeldOut) for each in drawn.values() for event in each):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        quantity: Quantity = choose_one(
            say("画什么", "Quantity"),
            recorded_quantities(drawn.values()),
            format_func=lambda name: say(*QUANTITIES[name].name),
            default="loss",
            key=f"curve-quantity-{run.id}",
            label_visibility="collapsed",
        )
        axis: Axis = choose_one(
            say("横轴", "Axis"),
            AXES,
            format_func=lambda name: {"step": say("按步", "by step"), "epoch": say("按轮", "by epoch")}[name],
            default="step",
            key=f"curve-axis-{run.id}",
            label_visibility="collapsed",
        )
        smoothing = st.slider(
            say("平滑", "Smoothing"), 0.0, 0.95, 0.5, 0.05, key=f"curve-smoothing-{run.id}", width=120
        )
    chart = run_charts.curves(drawn, quantity, axis, smoothing)
    if chart is None:
        st.caption(
            say("这些运行没有记录这个量。", "These runs did not record this quantity."),
        )
        return
    st.altair_chart(chart, alt=say(*QUANTITIES[quantity].name), key=f"curve-{run.id}")
    held = run_charts.curves(drawn, "held_out_loss", axis) if quantity == "loss" else None
    if held is not None:
        # On an axis of its own: drawn over the other it reads as wild overfitting.
        st.altair_chart(held, alt=say(*QUANTITIES["held_out_loss"].name), key=f"curve-held-{run.id}")
        if has_pairs(events):
            st.caption(say(*_LOSSES_OF_PAIRS))
            return
        st.caption(
            say(
                "两条损失不是同一个量：训练损失含直接回答，并加重类别词元；留出损失是思维链词元的平均。各看各的走势。",
                "The two losses are different quantities: the training loss has direct answers in it and "
                "weighs the tokens of the category; the held-out loss is the plain mean over chains. "
                "Compare trends.",
            )
        )
