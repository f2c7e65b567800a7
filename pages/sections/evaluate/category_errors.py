"""Lead from the numbers of a category to its errors: their titles, their cell of the matrix, their causes."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from pages.sections.evaluate.matrix import open_cell
from pages.sections.evaluate.rows import FILTERS
from pages.sections.evaluate.views import VIEW
from pages.shared.charts import column_name
from pages.shared.feedback import reporting
from pages.shared.text import category_name
from studio.contract import UNPARSED, AnswerMode, Prediction
from studio.language import say
from studio.runs import Run

CAUSES_LABEL = "choose-causes-label"
"""Session key: the dataset category whose causes are shown; None: all."""


def category_errors(run: Run, predictions: Sequence[Prediction]) -> None:
    """Draw the choice of a category, the one with the most errors first, and the ways to its errors."""
    wrong = Counter(row.label for row in predictions if row.predicted != row.label)
    if not wrong:
        return
    names = {name: f"{category_name(name)} ({count})" for name, count in wrong.most_common()}
    key = "choose-category-errors"
    if st.session_state.get(key) not in names:
        st.session_state[key] = next(iter(names))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen: str = st.selectbox(
            say("哪一类的错误", "Errors of which category"),
            list(names),
            format_func=names.__getitem__,
            key=key,
            width=220,
        )
        answers = Counter(
            row.predicted or UNPARSED
            for row in predictions
            if row.label == chosen and row.predicted != chosen
        )
        answer, count = answers.most_common(1)[0]
        st.button(
            say(
                f"最多的一格：{category_name(chosen)} → {column_name(answer)}（{count}）",
                f"Largest cell: {category_name(chosen)} → {column_name(answer)} ({count})",
            ),
            key="category-cell",
            icon=":material/grid_on:",
            on_click=_open_cell,
            args=(run, predictions[0].answer, chosen, answer),
        )
        st.button(
            say("看这些标题", "Show the titles"),
            key="category-rows",
            icon=":material/filter_alt:",
            on_click=_open_rows,
            args=(chosen,),
        )
        st.button(
            say("看错因和办法", "Causes and what to do"),
            key="category-causes",
            icon=":material/build:",
            on_click=_open_causes,
            args=(chosen,),
        )


def cause_filter(predictions: Sequence[Prediction]) -> str | None:
    """Draw the choice of the category whose causes are shown; None: all."""
    wrong = Counter(row.label for row in predictions if row.predicted != row.label)
    names = {name: f"{category_name(name)} ({count})" for name, count in wrong.most_common()}
    if st.session_state.get(CAUSES_LABEL) not in names:
        st.session_state[CAUSES_LABEL] = None
    chosen: str | None = st.selectbox(
        say("数据集的类别", "Dataset category"),
        list(names),
        index=None,
        format_func=names.__getitem__,
        key=CAUSES_LABEL,
        placeholder=say("不限", "any"),
        width=260,
    )
    return chosen


@reporting
def _open_cell(run: Run, answer: AnswerMode, label: str, said: str) -> None:
    """Open that cell of the matrix."""
    open_cell(run, answer, label, said)
    st.session_state[VIEW] = "matrix"


@reporting
def _open_rows(label: str) -> None:
    """Open the wrong rows of the category."""
    FILTERS.open(outcome="wrong", label=label)
    st.session_state[VIEW] = "rows"


@reporting
def _open_causes(label: str) -> None:
    """Open the causes of its errors."""
    st.session_state[CAUSES_LABEL] = label
    st.session_state[VIEW] = "causes"
