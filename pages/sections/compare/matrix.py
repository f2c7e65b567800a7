"""Draw the change of the confusion matrix, and the titles of a cell.

The chosen cell lives in two select boxes; a click on the chart only sets them, and the address keeps it.
"""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from pages.sections.compare.titles import title_list
from pages.shared import charts, session
from pages.shared.elements import choose_one
from pages.shared.feedback import reporting
from pages.shared.text import category_name
from studio.contract import UNPARSED
from studio.evaluation.compared import Compared
from studio.evaluation.entries import Entry
from studio.language import say

KINDS = ("came", "left", "stayed")


def matrix_section(found: Compared, entries: Sequence[Entry], shown: int) -> None:
    """Draw which titles came into each cell and which left it; below it the titles of the chosen cell."""
    categories = found.aligned.categories
    columns = (*categories, UNPARSED)
    came, left = found.cell_changes(shown)
    _begin_with_largest_change(found, entries, shown, np.array(came) + np.array(left))
    st.altair_chart(
        charts.change_chart(categories, columns, came, left),
        key="compare-matrix",
        on_select=_take_click,
        selection_mode=charts.CELL,
        alt=say("混淆矩阵的变化", "Change of the confusion matrix"),
    )
    st.caption(
        say(
            "+ 是 B 里新来到这一格的标题，− 是离开这一格的；蓝色是变好，橙色是变差。点一格看是哪些。",
            "+ counts titles that came into the cell with B, − those that left it; blue is good, orange bad. "
            "Click a cell to see them.",
        )
    )
    one, two, three = st.columns([1, 1, 1.4])
    label = one.selectbox(
        say("数据集的类别", "Dataset category"),
        categories,
        format_func=category_name,
        key="choose-change-true",
    )
    answer = two.selectbox(
        say("模型的回答", "Model's answer"),
        columns,
        format_func=charts.column_name,
        key="choose-change-pred",
    )
    session.keep_address("cell", f"{label}|{answer}")
    before, after = (set(found.cell(side, label, answer).tolist()) for side in (0, shown))
    rows = {"came": after - before, "left": before - after, "stayed": after & before}
    names = {
        "came": say(f"新来 {len(rows['came'])}", f"came {len(rows['came'])}"),
        "left": say(f"离开 {len(rows['left'])}", f"left {len(rows['left'])}"),
        "stayed": say(f"没变 {len(rows['stayed'])}", f"stayed {len(rows['stayed'])}"),
    }
    with three:
        kind = choose_one(
            say("哪些标题", "Titles"), KINDS, key="choose-change-kind", format_func=lambda each: names[each]
        )
    title_list(found, entries, shown, sorted(rows[kind]), key=f"cell-{kind}")


def _begin_with_largest_change(
    found: Compared, entries: Sequence[Entry], shown: int, changes: "np.typing.NDArray[np.int64]"
) -> None:
    """Start at the cell of the address, else at the cell that changed most."""
    columns = (*found.aligned.categories, UNPARSED)
    pair = (entries[0].key, entries[shown].key)
    asked = tuple((st.query_params.get("cell") or "").partition("|")[::2])
    known = asked[0] in found.aligned.categories and asked[1] in columns
    if st.session_state.get("compare-cell-of") != pair:
        place = np.unravel_index(int(changes.argmax()), changes.shape)
        start = asked if known else (found.aligned.categories[place[0]], columns[place[1]])
    elif known and st.session_state.get("followed-cell") not in (None, st.query_params.get("cell")):
        start = asked
    else:
        return
    st.session_state["compare-cell-of"] = pair
    st.session_state["choose-change-true"], st.session_state["choose-change-pred"] = start


@reporting
def _take_click() -> None:
    """Put the clicked cell into the select boxes."""
    clicked = st.session_state["compare-matrix"].selection.get(charts.CELL) or []
    if clicked:
        st.session_state["choose-change-true"] = clicked[0]["true"]
        st.session_state["choose-change-pred"] = clicked[0]["pred"]
