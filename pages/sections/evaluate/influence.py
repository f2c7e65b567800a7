"""Draw which training rows taught a model its wrong answers, and which training labels are suspected."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from pages.sections.evaluate.pushers import pusher_lists, send_back_button, tick_row
from pages.shared import session
from pages.shared.charts import column_name
from pages.shared.feedback import live_fragment, report_errors, show_failure
from pages.shared.run_controls import run_controls
from pages.shared.text import category_name, plain, state_name
from studio import runs
from studio.contract import UNPARSED, Prediction
from studio.errors import InputError
from studio.evaluation import influence_runs
from studio.evaluation.influence_runs import MOST_TARGETS, Influences, SuspectedRow, training_run
from studio.jobs import queue
from studio.language import say
from studio.messages import message, stored
from studio.runs import Run

PAGE = 15
"""Suspected rows that are drawn at once."""


def influence_section(run: Run, predictions: Sequence[Prediction]) -> None:
    """Draw the last influences of this evaluation and the button that computes them."""
    st.caption(
        say(
            "从适配器的梯度算出：哪些训练行把模型推向了这些错误的答案，哪些拉住了它（DataInf）；"
            "哪些训练行的标签与其余的行相矛盾。耗时约等于把训练数据过三遍。",
            "From the adapter's gradients: which training rows pushed the model towards its wrong answers, "
            "which held it back (DataInf), and which training labels the other rows contradict. It takes "
            "about as long as three passes over the training rows.",
        )
    )
    last = None
    with report_errors():
        last = influence_runs.last_influence(session.workspace(), run, session.scheme())
        if (last is None or last.job.is_over) and _can_be_computed(run):
            _start_form(run, again=last is not None)
    if last is None:
        return
    if not last.job.is_over:
        _live(run.id)
    elif last.job.failure:
        show_failure(*last.job.failure)
    elif last.result is None:
        st.info(state_name(last.job.state))
    else:
        _cells(run, predictions, last.result)
        _suspected(run, last.result)


def _can_be_computed(run: Run) -> bool:
    """Whether the run's training is here and was by LoRA; where not, draw why."""
    try:
        training_run(session.workspace(), run)
    except InputError as error:
        st.info(f"{plain(error.problem)} {plain(error.remedy)}", icon=":material/info:")
        return False
    return True


def _start_form(run: Run, *, again: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        limit = st.number_input(
            say("最多几个错误答案", "Wrong answers at most"),
            min_value=1,
            max_value=100_000,
            value=MOST_TARGETS,
            step=50,
            key="influence-limit",
            width=200,
        )
        label = say("再算一次", "Compute again") if again else say("计算影响", "Compute influences")
        if st.button(label, key="influence-start", type="secondary" if again else "primary"):
            with report_errors():
                influence_runs.start(session.workspace(), run, limit=int(limit))
                st.rerun()


@live_fragment
def _live(run_id: str) -> None:
    """Draw the progress; when the job is over, the page once more."""
    workspace = session.workspace()
    run = runs.get_run(workspace, run_id)
    last = influence_runs.last_influence(workspace, run, session.scheme())
    if last is None or last.job.is_over:
        st.rerun()
    queue.ensure_job_process(workspace)
    now = runs.progress(last.job)
    count = f" · {now.done} / {now.total}" if now.total else ""
    st.progress(now.fraction, text=f"{state_name(last.job.state)}{count}")
    run_controls(last.job)


def _cells(run: Run, predictions: Sequence[Prediction], found: Influences) -> None:
    """Draw the choice of a wrong cell of the matrix, and the rows that pushed its answers."""
    wrong = [row for row in predictions if row.predicted != row.label and found.explains(row)]
    st.subheader(say("哪些训练行教出了这些错误", "Which training rows taught these errors"), anchor=False)
    if not wrong:
        st.info(
            say(
                "这种回答方式没有算过的错误；再算一次会包括它们。",
                "No error of this way of answering was computed; computing again includes them.",
            )
        )
        return
    cells = Counter((row.label, row.predicted or UNPARSED) for row in wrong)
    names = {
        cell: f"{category_name(cell[0])} → {column_name(cell[1])} ({count})"
        for cell, count in cells.most_common()
    }
    key = "choose-influence-cell"
    if st.session_state.get(key) not in names:
        st.session_state[key] = next(iter(names))
    chosen = st.selectbox(
        say("混淆矩阵的哪一格", "Cell of the confusion matrix"),
        list(names),
        format_func=names.__getitem__,
        key=key,
    )
    answers = [row for row in wrong if (row.label, row.predicted or UNPARSED) == chosen]
    pusher_lists(run, answers, found, place=f"cell-{chosen[0]}-{chosen[1]}")
    st.caption(
        say(
            "数字是相对这一格里影响最大的行：正的推向错答案，负的拉向数据集的类别。影响是近似值，删掉一行未必就改对。",
            "Numbers are relative to the strongest row: above 0 it pushed for the wrong answer, below 0 it "
            "held against it. They are estimates: removing one row need not correct an answer.",
        )
    )


def _suspected(run: Run, found: Influences) -> None:
    """Draw the training rows whose labels the others contradict, a page of them, and send some back."""
    rows = found.suspected()
    st.subheader(say("可疑的训练标签", "Suspected training labels"), anchor=False)
    st.caption(
        say(
            f"最可疑的 {len(rows)} 行（十分之一）。多数标签可能是对的：实测故意改错 5% 的标签时，"
            "这十分之一里能找到其中的八成到全部。",
            f"The {len(rows)} most suspected rows, a tenth. Most of these labels may be right: with 5 % of "
            "the labels wrong on purpose, four in five to all of them were in this tenth.",
        )
    )
    pages = -(-len(rows) // PAGE)
    number = (st.pagination(pages, key="suspected-page") or 1) if pages > 1 else 1
    with st.container(height=420 if len(rows) > 4 else "content", border=False, gap="small"):
        picked = [row for row in rows[(number - 1) * PAGE : number * PAGE] if _tick_suspected(row)]
    reason = stored(message("label_contradicted", run=run.record.label or run.id))
    send_back_button(run, picked, reason, place="suspected")


def _tick_suspected(row: SuspectedRow) -> bool:
    return tick_row(
        row, say(f"可疑度 {row.suspicion:.2f}", f"suspicion {row.suspicion:.2f}"), place="suspected"
    )
