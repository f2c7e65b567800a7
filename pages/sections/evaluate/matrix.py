"""Draw the confusion matrix and the titles in its cells.

The chosen cell lives in two select boxes; a click on the chart only sets them. So the
page works with the keyboard and a screen reader as well, and one thing says what is shown.
"""

from collections.abc import Sequence

import streamlit as st

from pages.shared import charts, session
from pages.shared.feedback import report_errors, reporting
from pages.shared.text import category_name, plain
from studio.contract import UNPARSED, Prediction, Scores
from studio.evaluation.feedback import send_predictions_back
from studio.language import say
from studio.runs import Run

SHOWN = 30


def matrix_section(run: Run, scores: Scores, predictions: Sequence[Prediction]) -> None:
    """Draw the matrix at the left, the titles of the chosen cell at the right."""
    confusion = scores.confusion
    _begin_with_worst_cell(run, scores)
    chart, titles = st.columns([1.45, 1], gap="medium")
    with chart:
        st.altair_chart(
            charts.confusion_chart(confusion),
            key="matrix",
            on_select=_take_click,
            selection_mode=charts.CELL,
            alt=say("混淆矩阵", "Confusion matrix"),
        )
        st.caption(
            say(
                "每行是数据集的类别，每列是模型的回答；蓝色答对，橙色答错。",
                "Rows: category in the dataset; columns: the model's answer; blue is correct, orange wrong.",
            )
        )
    with titles:
        true, pred = st.columns(2)
        label = true.selectbox(
            say("数据集的类别", "Dataset category"),
            confusion.rows,
            format_func={name: category_name(name) for name in confusion.rows}.__getitem__,
            key="choose-cell-true",
        )
        answer = pred.selectbox(
            say("模型的回答", "Model's answer"),
            confusion.columns,
            format_func={name: charts.column_name(name) for name in confusion.columns}.__getitem__,
            key="choose-cell-pred",
        )
        wanted = None if answer == UNPARSED else answer
        chosen = [p for p in predictions if p.label == label and p.predicted == wanted]
        _cell_titles(run, chosen)


def _begin_with_worst_cell(run: Run, scores: Scores) -> None:
    """Start at the most frequent confusion, so that the page shows something at once."""
    if st.session_state.get("cell-run") == (run.id, scores.answer):
        return
    st.session_state["cell-run"] = (run.id, scores.answer)
    confusion = scores.confusion
    cells = [
        (count, true, pred)
        for true, line in zip(confusion.rows, confusion.counts, strict=True)
        for pred, count in zip(confusion.columns, line, strict=True)
        if true != pred
    ]
    _, st.session_state["choose-cell-true"], st.session_state["choose-cell-pred"] = max(
        cells, key=lambda cell: cell[0]
    )


@reporting
def _take_click() -> None:
    """Put the clicked cell into the select boxes."""
    clicked = st.session_state["matrix"].selection.get(charts.CELL) or []
    if clicked:
        st.session_state["choose-cell-true"] = clicked[0]["true"]
        st.session_state["choose-cell-pred"] = clicked[0]["pred"]


def _cell_titles(run: Run, chosen: Sequence[Prediction]) -> None:
    st.markdown(say(f"**{len(chosen)} 条标题**", f"**{len(chosen)} titles**"))
    if not chosen:
        st.caption(say("这一格是空的。", "This cell is empty."))
        return
    picked = []
    # A few titles need no scroll bar, and no empty room above the button.
    with st.container(height=300 if len(chosen) > 3 else "content", border=False, gap="small"):
        for prediction in chosen[:SHOWN]:
            key = f"{run.id}-{prediction.answer}-{prediction.row}"
            if st.checkbox(plain(prediction.title), key=f"pick-{key}"):
                picked.append(prediction)
            _chains(prediction, key)
    if st.button(
        say(f"送回标注队列（{len(picked)}）", f"Send back to the label queue ({len(picked)})"),
        key="send-back",
        type="primary",
        icon=":material/undo:",
        disabled=not picked,
        width="stretch",
    ):
        _send_back(run, picked)


def _chains(prediction: Prediction, key: str) -> None:
    with st.expander(say("两条思维链", "Both think chains"), key=f"chains-{key}", type="compact"):
        st.markdown(f":small[**{say('数据集', 'Dataset')}**　{plain(prediction.label_chain) or '–'}]")
        answer = plain(prediction.chain or prediction.text) or say(
            "没有思维链（直接打分）", "none (direct scoring)"
        )
        st.markdown(f":small[**{say('模型', 'Model')}**　{answer}]")


def _send_back(run: Run, picked: Sequence[Prediction]) -> None:
    with report_errors():
        sent = send_predictions_back(
            session.store(),
            picked,
            run_name=run.record.label or run.id,
            author=session.annotator(),
            scheme=session.scheme(),
        )
        st.success(
            say(f"{sent} 条已排到标注队列最前面。", f"{sent} moved to the front of the label queue."),
            icon=":material/check_circle:",
        )
        session.link("label", say("去标注", "Label titles"))
