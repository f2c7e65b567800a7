"""Draw the choice of what is shown of an evaluation; the address keeps it."""

from collections.abc import Mapping

import streamlit as st

from pages.shared import session
from pages.shared.elements import choose_one
from studio.language import say

VIEWS: Mapping[str, tuple[str, str]] = {
    "matrix": ("混淆矩阵", "Confusion matrix"),
    "rows": ("标题与标签", "Rows and tags"),
    "causes": ("错因", "Causes of errors"),
    "influence": ("哪些训练行教的", "Training rows"),
    "refusal": ("把握与弃权", "Confidence and refusal"),
    "behaviour": ("行为测试", "Behavioural tests"),
    "chains": ("思维链还是直接", "Chain or direct"),
    "forgetting": ("遗忘检查", "Forgetting"),
    "scaling": ("数据够不够", "More data?"),
    "categories": ("逐类指标", "Per category"),
    "text": ("与 LLaMA-Factory 对照", "Compare with LLaMA-Factory"),
}
VIEW = "choose-evaluate-view"
"""Key of the choice."""
_OF_ROWS = ("outcome", "label", "predicted", "tags")
"""Filters of rows: a link that names one means the rows."""


def choose_view() -> str:
    """Draw the choice of a view; only the chosen one is computed."""
    session.follow_address("view", VIEW, VIEWS)
    if st.query_params.get("view") is None and any(name in st.query_params for name in _OF_ROWS):
        st.session_state[VIEW] = "rows"
    names = {view: say(*words) for view, words in VIEWS.items()}
    st.session_state.setdefault(VIEW, "matrix")
    chosen: str = choose_one(
        say("看什么", "View"),
        list(VIEWS),
        key=VIEW,
        format_func=names.__getitem__,
        label_visibility="collapsed",
    )
    session.keep_address("view", chosen)
    return chosen
