"""Draw the filters and the order of the list; the address keeps them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast, get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.address import Filters, any_text, one_of, several
from pages.shared.feedback import reporting
from pages.shared.run_controls import KIND_NAMES
from pages.shared.run_names import base_label, data_label, method_label
from pages.shared.text import STATE_NAMES
from studio.language import say
from studio.runs import RunState
from studio.training.presets import Method
from studio.training.run_table import ORDERS, Kind, RunFilter, RunOrder, RunRow

T = TypeVar("T", bound=str)
OPEN, BESIDE = "open", "beside"
"""In the address: the chosen run, and those it is compared with."""
FILTERS = Filters(
    page="runs",
    readers={
        "text": any_text,
        "kind": one_of(get_args(Kind)),
        "state": one_of(get_args(RunState)),
        "tag": any_text,
        "method": one_of(get_args(Method)),
        "base": any_text,
        "data": any_text,
        "order": one_of(ORDERS),
        OPEN: any_text,
        BESIDE: several,
    },
)
ORDER_NAMES: dict[RunOrder, tuple[str, str]] = {
    "newest": ("最新的在前", "Newest first"),
    "oldest": ("最早的在前", "Oldest first"),
    "accuracy": ("准确率最高的在前", "Highest accuracy first"),
    "macro_f1": ("宏 F1 最高的在前", "Highest macro F1 first"),
    "name": ("按名称", "By name"),
    "learning_rate": ("学习率最小的在前", "Lowest learning rate first"),
    "seconds": ("用时最短的在前", "Shortest first"),
}
_NARROWING = ("text", "kind", "state", "tag", "method", "base", "data")


def filter_bar(rows: Sequence[RunRow]) -> tuple[RunFilter, RunOrder]:
    """Draw the filters; return what they ask for, and the order."""
    FILTERS.read()
    first = st.columns([2.4, 1, 1, 1.4])
    first[0].text_input(
        say("查找", "Search"),
        key=FILTERS.key("text"),
        placeholder=say("名称、备注、标签、基座、数据", "name, note, tag, base, data"),
    )
    kinds = {name: say(*KIND_NAMES[name]) for name in get_args(Kind)}
    states = {name: say(*STATE_NAMES[name]) for name in get_args(RunState)}
    _choice(first[1], "kind", say("种类", "Kind"), list(kinds), kinds.__getitem__)
    _choice(first[2], "state", say("状态", "State"), list(states), states.__getitem__)
    orders = {name: say(*words) for name, words in ORDER_NAMES.items()}
    _choice(
        first[3],
        "order",
        say("顺序", "Order"),
        list(ORDERS),
        orders.__getitem__,
        placeholder=orders["newest"],
    )
    second = st.columns([1, 1, 1.2, 1.2])
    tags = sorted({tag for row in rows for tag in row.run.record.tags})
    _choice(second[0], "tag", say("标签", "Tag"), tags, str)
    methods = [name for name in get_args(Method) if any(row.method == name for row in rows)]
    _choice(second[1], "method", say("方法", "Method"), methods, method_label)
    _choice(second[2], "base", say("基座", "Base"), sorted({row.base for row in rows}), base_label)
    _choice(second[3], "data", say("数据", "Data"), sorted({row.data for row in rows}), data_label)
    values = {name: FILTERS.value(name) for name in _NARROWING}
    wanted = RunFilter(**{name: cast(Any, value) for name, value in values.items() if value})
    return wanted, cast(RunOrder, FILTERS.value("order") or "newest")


def is_narrowed() -> bool:
    """Whether a filter leaves some runs out."""
    return any(FILTERS.value(name) for name in _NARROWING)


@reporting
def clear() -> None:
    """Find every run again; the chosen one stays."""
    for name in _NARROWING:
        st.session_state[FILTERS.key(name)] = None


def _choice(
    column: DeltaGenerator,
    name: str,
    label: str,
    options: Sequence[T],
    format_func: Callable[[T], str],
    *,
    placeholder: str | None = None,
) -> None:
    """Draw a select box that may stay empty; a link may name what is no option any more."""
    key = FILTERS.key(name)
    chosen = st.session_state.get(key)
    if chosen is not None and chosen not in options:
        options = [*options, chosen]
    column.selectbox(
        label,
        options,
        index=None,
        key=key,
        format_func=format_func,
        placeholder=placeholder or say("不限", "any"),
    )
