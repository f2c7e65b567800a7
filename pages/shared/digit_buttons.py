"""Draw every category as a button under its digit."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.shared import session
from pages.shared.text import category_mark
from studio.language import say


def digit_buttons(
    version: str,
    on_click: Callable[..., None],
    args_of: Callable[[str], tuple[Any, ...]],
    *,
    prefix: str = "digit",
    disabled: bool = False,
    suggested: str | None = None,
) -> None:
    """Draw one button a category; its digit presses it.

    Args:
        version: what the answer is about, as it is on screen; part of the widget keys.
        on_click: callback of all the buttons.
        args_of: the callback's arguments for a category.
        prefix: beginning of the widget keys; the number pad presses those that begin with `digit`.
        disabled: whether no button can be pressed.
        suggested: the category that a model or an import suggests; its button is marked.
    """
    # English names are longer: fewer columns.
    width = int(say("96", "148"))
    with st.grid(5, min_column_width=width, gap="small"):
        for category in session.scheme().categories:
            mark = category_mark(category.name)
            st.button(
                f"{mark} :blue[★]" if category.name == suggested else mark,
                key=f"{prefix}-{category.key}-{version}",
                shortcut=category.key,
                disabled=disabled,
                on_click=on_click,
                args=args_of(category.name),
                help=say("建议的类别", "The suggested category") if category.name == suggested else None,
                width="stretch",
            )
