"""Draw the learning curve of a run's recipe, and what more rows would bring."""

from typing import cast

import altair as alt
import streamlit as st

from pages.shared import colors, session
from pages.shared.elements import table
from pages.shared.feedback import live_fragment, report_errors, show_failure
from pages.shared.run_controls import run_controls
from pages.shared.text import category_name, duration, run_option, state_name
from studio import runs
from studio.contract import TrainSpec
from studio.evaluation.scaling import MORE, Expected, Forecast
from studio.jobs import queue
from studio.language import say
from studio.runs import Run
from studio.training import scaling


def scaling_section(run: Run) -> None:
    """Draw the last learning curve with this recipe, its forecast, and how earlier ones came true."""
    if not isinstance(run.spec, TrainSpec) or run.spec.stage != "sft" or not run.spec.eval_dataset:
        st.info(
            say(
                "数据曲线从一次带评估集的训练开始：请在上面选一次训练。",
                "A learning curve starts from a training with held-out rows: choose one above.",
            ),
            icon=":material/show_chart:",
        )
        return
    st.caption(
        say(
            "用同样的设置在四分之一、一半、四分之三和全部数据上各训练三个种子，由此推算再多标一些值多少。"
            "同一件事的标题不拆开；都用直接打分评估。",
            "The same recipe is trained on a quarter, half, three quarters and all of the rows, three seeds "
            "each; from that follows what more rows would bring. Stories stay whole; scored directly.",
        )
    )
    curve = scaling.last_curve(session.workspace(), run, session.scheme())
    if curve is None or curve.job.is_over:
        _start_button(run, again=curve is not None)
    if curve is None:
        return
    if not curve.job.is_over:
        _live(run.id)
        return
    if curve.job.failure:
        show_failure(*curve.job.failure)
    if curve.forecast is not None:
        if note := scaling.steps_note(run):
            st.caption(note)
        _forecast(curve.forecast)
        _checks(curve, run)
    elif not curve.job.failure:
        st.info(state_name(curve.job.state))


def _start_button(run: Run, *, again: bool) -> None:
    trainings = len(scaling.SHARES) * scaling.SEEDS
    label = say(f"开始（{trainings} 次训练）", f"Start ({trainings} trainings)")
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(label, key="scaling-start", type="secondary" if again else "primary"):
            with report_errors():
                scaling.start_curve(session.workspace(), run, session.scheme())
                st.rerun()
        if run.result is not None:
            seconds = run.result.seconds * scaling.SEEDS * sum(scaling.SHARES)
            st.caption(say("大约 {time}", "about {time}", time=duration(seconds)))


@live_fragment
def _live(run_id: str) -> None:
    """Draw how many trainings are done; when all are, the page once more."""
    workspace = session.workspace()
    curve = scaling.last_curve(workspace, runs.get_run(workspace, run_id), session.scheme())
    if curve is None or curve.job.is_over:
        st.rerun()
    queue.ensure_job_process(workspace)
    st.progress(
        curve.done / curve.trainings, text=f"{state_name(curve.job.state)} · {curve.done} / {curve.trainings}"
    )
    run_controls(curve.job)


def _forecast(found: Forecast) -> None:
    """Draw the sentence, the curve, and what more rows of each category would bring."""
    largest = max(each.rows for each in found.measured)
    now = next(each for each in found.measured if each.rows == largest)
    mean = sum(now.accuracies) / len(now.accuracies)
    double = found.accuracy_at(2 * largest)
    st.markdown(
        say(
            f"现在 {largest} 条，准确率 **{mean:.1%}**；标到 {2 * largest} 条预计 **{double.value:.1%}**"
            f"（{double.low:.0%} – {double.high:.0%}）。",
            f"With {largest} rows accuracy is **{mean:.1%}**; with {2 * largest} it is forecast at "
            f"**{double.value:.1%}** ({double.low:.0%} – {double.high:.0%}).",
        )
    )
    st.altair_chart(_chart(found), alt=say("数据曲线", "Learning curve"))
    table(
        [
            {
                say("类别", "category"): category_name(name),
                say("训练条数", "training rows"): each.rows,
                say("评估条数", "evaluated"): each.titles,
                say("召回率", "recall"): f"{each.recall:.0%}",
                say(f"再标 {MORE} 条", f"{MORE} more rows"): _gain(each.gain),
            }
            for name, each in sorted(found.categories.items(), key=lambda item: -item[1].gain.value)
        ],
        hide_index=True,
        height="content",
        alt=say("各类再标一些的效果", "What more rows of each category bring"),
    )
    st.caption(
        say(
            "各类的推算借用整体的曲线：假设每一类学得和整体一样快。超出两倍的推算不可靠。",
            "The categories use the curve of the whole: each is assumed to learn as fast. Beyond twice the "
            "rows the forecast is not to be trusted.",
        )
    )


def _gain(gain: Expected) -> str:
    return f"{100 * gain.value:+.1f} ({100 * gain.low:+.1f} – {100 * gain.high:+.1f})"


def _chart(found: Forecast) -> alt.LayerChart:
    """Chart measured accuracies, the fitted curve and its interval, to twice the rows."""
    first, last = found.measured[0].rows, found.measured[-1].rows
    sizes = [round(first + (2 * last - first) * step / 30) for step in range(31)]
    curve = [{"rows": size, **found.accuracy_at(size).model_dump()} for size in sizes]
    points = [
        {"rows": each.rows, "value": accuracy} for each in found.measured for accuracy in each.accuracies
    ]
    scale = alt.Scale(zero=False)
    base = alt.Chart(alt.Data(values=curve)).encode(  # type: ignore[no-untyped-call]
        x=alt.X(
            "rows:Q",
            title=say("训练条数", "training rows"),
            axis=alt.Axis(grid=False),
            scale=alt.Scale(nice=False),
        )
    )
    axis = alt.Axis(format=".0%")
    band = base.mark_area(opacity=0.18, color=colors.ACCENT, aria=False).encode(
        y=alt.Y("low:Q", scale=scale, title=say("准确率（直接打分）", "accuracy (direct)"), axis=axis),
        y2="high:Q",
    )
    line = base.mark_line(color=colors.ACCENT).encode(y=alt.Y("value:Q", scale=scale))
    dots = (
        alt.Chart(alt.Data(values=points))  # type: ignore[no-untyped-call]
        .mark_point(filled=True, size=60, color=colors.WARM)
        .encode(x="rows:Q", y=alt.Y("value:Q", scale=scale))
    )
    return cast(alt.LayerChart, alt.layer(band, line, dots).properties(height=280))


def _checks(curve: scaling.Curve, run: Run) -> None:
    """Draw what later trainings on more rows brought, beside the forecast."""
    found = scaling.checks(session.workspace(), curve, run, session.scheme())
    if not found:
        return
    st.markdown(f"**{say('推算说中了吗', 'Did the forecast come true')}**")
    table(
        [
            {
                say("运行", "run"): run_option(each.run),
                say("训练条数", "training rows"): each.rows,
                say("推算", "forecast"): (
                    f"{each.expected.value:.1%} ({each.expected.low:.0%} – {each.expected.high:.0%})"
                ),
                say("实际", "measured"): f"{each.accuracy:.1%}",
                say("说中", "within"): say("是", "yes") if each.is_within else say("否", "no"),
            }
            for each in found
        ],
        hide_index=True,
        height="content",
        alt=say("推算与实际", "Forecast and fact"),
    )
