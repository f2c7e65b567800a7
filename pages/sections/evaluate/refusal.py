"""Draw calibrated confidence, and the choice of a threshold below which the model refuses to answer."""

import streamlit as st

from pages.sections.evaluate.refusal_charts import coverage_chart, reliability_chart
from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import notify, report_errors, reporting
from pages.shared.text import plain
from studio import runs
from studio.contract import AnswerMode, ChosenThreshold
from studio.evaluation.calibration import CalibrationReport, CoveragePoint
from studio.evaluation.refusal import (
    calibration_report,
    choose_threshold,
    chosen_threshold,
    forget_threshold,
    model_run,
)
from studio.language import say
from studio.runs import Run

STEPS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98)
THRESHOLD = "threshold"
"""In the address, in percent."""


def refusal_section(run: Run, answer: AnswerMode) -> None:
    """Draw calibration, the threshold, and what refusing below it is worth."""
    workspace = session.workspace()
    report = calibration_report(workspace, run, answer, session.scheme())
    if report is None:
        st.info(
            say(
                "这里没有直接打分的概率，或不到 30 条。请对同一个模型和数据再做一次“直接打分”的评估，"
                "思维链的把握也由它得出。",
                "There are no probabilities of direct scoring for these titles, or fewer than 30. Evaluate "
                "the same model and data by direct scoring as well: a chain's confidence rests on it, too.",
            ),
            icon=":material/speed:",
        )
        return
    _explain(report, answer)
    chosen = chosen_threshold(workspace, run, answer)
    left, right = st.columns(2, gap="medium")
    with right:
        threshold = _threshold(run, answer, chosen)
        point = report.at(threshold)
        st.altair_chart(
            coverage_chart(report.curve(), point), alt=say("覆盖与准确率", "Coverage against accuracy")
        )
    with left:
        st.altair_chart(
            reliability_chart(report.bins(calibrated=False), report.bins(calibrated=True)),
            alt=say("把握与实际", "Confidence against what is right"),
        )
        before, after = report.errors
        st.caption(
            say(
                f"虚线上：说八成把握，就有八成答对。平均偏差从 {before:.1%} 降到 {after:.1%}。",
                f"On the dashed line 80 % confidence means 80 % right. Mean distance: {before:.1%} before, "
                f"{after:.1%} after.",
            )
        )
    st.markdown(_sentence(point))
    _save(run, answer, report, threshold, chosen)
    _steps(report)


def _explain(report: CalibrationReport, answer: AnswerMode) -> None:
    """Say what the confidence is, and on which rows it was fitted."""
    fitted = report.fitted
    if answer == "chain":
        what = say(
            "思维链的把握不是它自己的概率，而是看直接打分是否同意、给这个类别多大概率。",
            "A chain's confidence is not its own probability: it rests on whether direct scoring agrees, and "
            "how likely it finds the chain's category.",
        )
    else:
        what = say(
            f"把握是直接打分的概率，经温度（{fitted.temperature:.2f}）和各类先验校正。",
            f"Confidence is the probability of direct scoring, corrected by a temperature "
            f"({fitted.temperature:.2f}) and a prior for each category.",
        )
    where = (
        say(
            f"参数在另一次评估（{plain(fitted.fitted_on)}，{fitted.rows} 条）上拟合，这里的行都没有参与。",
            f"Fitted on another evaluation ({plain(fitted.fitted_on)}, {fitted.rows} rows), none of these.",
        )
        if report.apart
        else say(
            "没有另一份校准数据：参数在训练没见过的评估行上交叉拟合，每一条的把握都由不含它的那些行算出。",
            "There is no other calibration set: fitted crosswise on evaluation rows, which training did not "
            "see; each row's confidence comes from folds without it.",
        )
    )
    st.caption(f"{what} {where}")


def _threshold(run: Run, answer: AnswerMode, chosen: ChosenThreshold | None) -> float:
    """Draw the slider; the address may set it."""
    key = f"threshold-{run.id}-{answer}"
    asked = str(st.query_params.get(THRESHOLD, ""))
    if key not in st.session_state:
        start = int(asked) if asked.isascii() and asked.isdigit() and int(asked[:3]) <= 99 else None
        st.session_state[key] = (
            start if start is not None else round(100 * chosen.confidence) if chosen else 0
        )
    value = st.slider(
        say("把握低于多少就不回答（%）", "Refuse to answer below a confidence of (%)"), 0, 99, key=key
    )
    if st.query_params.get(THRESHOLD) != str(value):
        st.query_params[THRESHOLD] = str(value)
    return value / 100


def _sentence(point: CoveragePoint) -> str:
    """Say what the threshold is worth on these rows."""
    low, high = point.interval
    left = point.total - point.answered
    if not point.answered:
        return say("这个门槛下一条也不回答。", "At this threshold nothing is answered.")
    text = say(
        f"回答 {point.total} 条里的 **{point.answered}** 条（{point.coverage:.0%}），"
        f"其中答对 **{point.accuracy:.1%}**（{low:.1%} – {high:.1%}）；{left} 条请人判断。",
        f"**{point.answered}** of {point.total} titles are answered ({point.coverage:.0%}), "
        f"**{point.accuracy:.1%}** of them right ({low:.1%} – {high:.1%}); {left} are left to a person.",
    )
    if point.largest_error is not None:
        text += say(
            f" {point.answered} 条里没有错，仍可能有最多 {point.largest_error:.1%} 的错误率。",
            f" No error in {point.answered} still allows an error rate of up to {point.largest_error:.1%}.",
        )
    return text


def _save(
    run: Run, answer: AnswerMode, report: CalibrationReport, threshold: float, chosen: ChosenThreshold | None
) -> None:
    """Draw the buttons that store the threshold with the model, or take it away."""
    if chosen is not None:
        low, high = chosen.accuracy_interval
        st.caption(
            say(
                f"现在的门槛：{chosen.confidence:.0%}，{chosen.at:%Y-%m-%d} 由 {plain(chosen.author)} 选定，"
                f"当时 {chosen.answered} 条答对 {chosen.right} 条（{low:.0%}–{high:.0%}）。",
                f"Threshold now: {chosen.confidence:.0%}, chosen on {chosen.at:%Y-%m-%d} by "
                f"{plain(chosen.author)}, when {chosen.right} of {chosen.answered} were right "
                f"({low:.0%}–{high:.0%}).",
            )
        )
    if model_run(session.workspace(), run).recorded:
        st.caption(say("内置的记录不能保存门槛。", "The recorded run cannot keep a threshold."))
        return
    with st.container(horizontal=True):
        if st.button(
            say("把这个门槛存到模型上", "Store this threshold with the model"),
            key="threshold-save",
            icon=":material/save:",
            type="primary",
            help=say(
                "写进运行文件夹的 calibration.json，服务和分类据此弃权。",
                "Written to calibration.json in the run folder, by which a server can refuse.",
            ),
        ):
            with report_errors():
                choose_threshold(session.workspace(), run, report, threshold, author=session.annotator())
                notify(say("门槛已保存。", "Threshold stored."))
                st.rerun()
        if chosen is not None:
            st.button(
                say("不再弃权", "Answer everything again"),
                key="threshold-forget",
                on_click=_forget,
                args=(run.id, answer),
            )


@reporting
def _forget(run_id: str, answer: AnswerMode) -> None:
    """Take the threshold of the model away."""
    run = runs.get_run(session.workspace(), run_id)
    forget_threshold(session.workspace(), run, answer)
    notify(say("已取消门槛。", "Threshold removed."))


def _steps(report: CalibrationReport) -> None:
    """Draw the same as a table, for those who read numbers or cannot see the chart."""
    points = [report.at(step) for step in STEPS]
    with st.expander(say("各门槛的数字", "Numbers by threshold"), key="threshold-steps"):
        table(
            [
                {
                    say("门槛", "threshold"): f"{point.threshold:.0%}",
                    say("回答", "answered"): f"{point.answered} ({point.coverage:.0%})",
                    say(
                        "答对", "right"
                    ): f"{point.accuracy:.1%} ({point.interval[0]:.0%}–{point.interval[1]:.0%})",
                }
                for point in points
                if point.answered
            ],
            hide_index=True,
            height="content",
            alt=say("各门槛的数字", "Numbers by threshold"),
        )
