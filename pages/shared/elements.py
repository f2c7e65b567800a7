"""Draw the elements that pages have in common: the head of a page, a control that always answers, a table."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import streamlit as st

from pages.shared.feedback import show_notices
from studio.language import say
from studio.system.csv_export import safe_cell

T = TypeVar("T")


def header(title: str, lead: str) -> None:
    """Draw the head of a page: its name and, in one line, what it is for."""
    show_notices()
    st.title(title, anchor=False)
    st.caption(lead)


def choose_one(label: str, options: Sequence[T], *, key: str, fallback: T | None = None, **more: Any) -> T:
    """Draw a segmented control that always has an answer.

    Streamlit's own may return None even where it is required: two clicks in the menu while
    the first page is still loading are enough.

    Args:
        label: name of the control, read by screen readers also where it is hidden.
        options: what can be chosen.
        key: of the widget.
        fallback: the answer when the control has none; the first option if it is not given.
        more: further arguments of `st.segmented_control`.
    """
    answer = options[0] if fallback is None else fallback
    if key not in st.session_state:
        more.setdefault("default", answer)  # else none is marked, though one is answered
    chosen: T | None = st.segmented_control(label, options, key=key, required=True, **more)
    return answer if chosen is None else chosen


def table(rows: Iterable[Mapping[str, Any]], **options: Any) -> None:
    """Draw a table to read.

    Its own menu saves it as CSV, so a text that looks like a formula is shown as text there, too.
    """
    st.dataframe(table_cells(rows), **options)


def choosing_table(
    rows: Iterable[Mapping[str, Any]], *, key: str, on_select: Callable[[], None], **options: Any
) -> None:
    """Draw a table of which one row can be chosen; as safe to save as `table`."""
    st.dataframe(table_cells(rows), key=key, on_select=on_select, selection_mode="single-row", **options)


def table_cells(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, object]]:
    """Return the cells of a table, none of which a spreadsheet takes for a formula."""
    return [{name: _table_cell(value) for name, value in row.items()} for row in rows]


def _table_cell(value: object) -> object:
    return safe_cell(value) if isinstance(value, str) else value


def clear_filters_button(*, key: str, on_click: Callable[[], None]) -> None:
    """Draw the button that takes all filters of a list away."""
    st.button(
        say("清除筛选", "Clear filters"),
        key=key,
        icon=":material/filter_alt_off:",
        type="tertiary",
        on_click=on_click,
    )
