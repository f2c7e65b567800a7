"""Label: one title at a time, by a digit or with a think chain."""

import streamlit as st

from pages.sections.label import actions as label_queue
from pages.sections.label import chain_mode as label_chain
from pages.sections.label import hints as label_hints
from pages.sections.label import title_card as label_view
from pages.shared import keyboard as keys
from pages.shared import shell
from studio.language import say

MODES = {"quick": ("快速分类", "Quick"), "chain": ("思维链", "Think chain")}


@shell.fragment
def quick() -> None:
    """Quick mode in one fragment: a press redraws only this part, so the next title is there at once."""
    db = shell.store()
    offered = label_queue.current_offer(db)
    title = offered.title if offered else None
    hint = label_hints.hint_for(db, offered) if offered else label_hints.NO_HINT
    work, side = st.columns([3, 1.15], gap="medium")
    with work:
        if title is None:
            label_view.empty_queue(db)
        else:
            label_queue.remember_shown(title)
            label_view.title_card(title)
            label_view.digit_buttons(title, hint.suggested)
        label_view.actions(title, hint.suggested)
        label_hints.show(hint)
        label_view.pace_line(db)
    with side:
        label_view.side_panel(db)


LEADS = {
    "quick": (
        "按数字键即保存并显示下一条；Enter 接受建议，S 跳过，F 存疑，U 撤销。",
        "A digit saves and shows the next title; Enter accepts, S skips, F flags, U takes back.",
    ),
    "chain": (
        "写出为什么是这一类，边写边检查；Ctrl+Enter 保存并显示下一条。",
        "Write why it is this category, checked while you type; Ctrl+Enter saves and shows the next title.",
    ),
}

st.session_state.setdefault("choose-label-mode", "quick")
shell.header(say("标注", "Label"), say(*LEADS[st.session_state["choose-label-mode"]]))
label_queue.follow_link()
mode = st.segmented_control(
    say("方式", "Mode"),
    list(MODES),
    key="choose-label-mode",
    required=True,
    format_func=lambda name: say(*MODES[name]),
    label_visibility="collapsed",
    persist_state="session",
)
if mode == "chain":
    label_chain.chain_mode()
else:
    quick()
    keys.keypad_digits()
