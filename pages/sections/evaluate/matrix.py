"""Draw the confusion matrix and the titles in its cells.

The chosen cell lives in two select boxes; a click on the chart only sets them. So the
page works with the keyboard and a screen reader as well, and one thing says what is shown.
"""

from collections.abc import Sequence

import streamlit as st

from pages.sections.evaluate.titles import SHOWN, title_list
from pages.shared import charts
from pages.shared.feedback import reporting
from pages.shared.text import category_name
from studio.contract import UNPARSED, AnswerMode, Confusion, Prediction, Scores
from studio.evaluation.row_tags import TagFile
from studio.language import say
from studio.runs import Run

CELL = "cell"
"""In the address: category and answer of the cell that is open, parted by a comma."""


def matrix_section(
    run: Run, scores: Scores, predictions: Sequence[Prediction], tags: TagFile | None = None
) -> None:
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
        _keep_cell(label, answer)
        _cell_titles(run, chosen, tags)


def _begin_with_worst_cell(run: Run, scores: Scores) -> None:
    """Start at the most frequent confusion, so that the page shows something at once."""
    confusion = scores.confusion
    asked = st.query_params.get(CELL)
    if asked is not None and st.session_state.get("cell-followed") != asked:
        st.session_state["cell-followed"] = asked
        if _take_address(asked, confusion):
            st.session_state["cell-run"] = (run.id, scores.answer)
    if st.session_state.get("cell-run") == (run.id, scores.answer):
        return
    st.session_state["cell-run"] = (run.id, scores.answer)
    cells = [
        (count, true, pred)
        for true, line in zip(confusion.rows, confusion.counts, strict=True)
        for pred, count in zip(confusion.columns, line, strict=True)
        if true != pred
    ]
    _, st.session_state["choose-cell-true"], st.session_state["choose-cell-pred"] = max(
        cells, key=lambda cell: cell[0]
    )


def open_cell(run: Run, answer: AnswerMode, label: str, said: str) -> None:
    """Choose a cell of an evaluation's matrix before it is drawn; for a callback."""
    st.session_state["cell-run"] = (run.id, answer)
    st.session_state["choose-cell-true"], st.session_state["choose-cell-pred"] = label, said
    if CELL in st.query_params:
        st.session_state["cell-followed"] = st.query_params[CELL]


def _take_address(asked: str, confusion: Confusion) -> bool:
    """Open the cell that the address names; False where there is none."""
    true, _, pred = asked.partition(",")
    if true not in confusion.rows or pred not in confusion.columns:
        return False
    st.session_state["choose-cell-true"], st.session_state["choose-cell-pred"] = true, pred
    return True


def _keep_cell(true: str, pred: str) -> None:
    """Put the open cell into the address."""
    cell = f"{true},{pred}"
    if st.query_params.get(CELL) != cell:
        st.query_params[CELL] = cell
    st.session_state["cell-followed"] = cell


@reporting
def _take_click() -> None:
    """Put the clicked cell into the select boxes."""
    clicked = st.session_state["matrix"].selection.get(charts.CELL) or []
    if clicked:
        st.session_state["choose-cell-true"] = clicked[0]["true"]
        st.session_state["choose-cell-pred"] = clicked[0]["pred"]


def _cell_titles(run: Run, chosen: Sequence[Prediction], tags: TagFile | None) -> None:
    st.markdown(say(f"**{len(chosen)} 条标题**", f"**Titles: {len(chosen)}**"))
    if not chosen:
        st.caption(say("这一格是空的。", "This cell is empty."))
        return
    title_list(run, chosen[:SHOWN], tags)
