"""Label: one title at a time, by a digit or with a think chain."""

import streamlit as st

from pages.sections.label.actions import follow_link
from pages.sections.label.chain_mode import chain_mode
from pages.sections.label.quick_mode import quick_mode
from pages.shared.elements import choose_one, header
from pages.shared.keyboard import keypad_digits
from studio.language import say

MODES = {"quick": ("快速分类", "Quick"), "chain": ("思维链", "Think chain")}
LEADS = {
    "quick": (
        "按数字键即保存并显示下一条；Enter 接受建议，S 跳过，F 存疑，U 撤销。",
        "A digit saves and shows the next title; Enter accepts, S skips, F flags, U undoes.",
    ),
    "chain": (
        "写出为什么是这一类，边写边检查；Ctrl+Enter 保存并显示下一条。",
        "Write why it is this category, checked while you type; Ctrl+Enter saves and shows the next title.",
    ),
}

if st.session_state.get("choose-label-mode") not in MODES:
    st.session_state["choose-label-mode"] = "quick"
header(say("标注", "Label"), say(*LEADS[st.session_state["choose-label-mode"]]))
follow_link()
mode = choose_one(
    say("方式", "Mode"),
    list(MODES),
    key="choose-label-mode",
    format_func=lambda name: say(*MODES[name]),
    label_visibility="collapsed",
    persist_state="session",
)
if mode == "chain":
    chain_mode()
else:
    quick_mode()
    keypad_digits()
