"""Label: one title at a time, by a digit or with a think chain."""

import streamlit as st

from pages.sections.label.actions import follow_link
from pages.sections.label.chain_mode import chain_mode
from pages.sections.label.quick_mode import quick_mode
from pages.shared.annotation_download import annotations_download
from pages.shared.elements import choose_one, header
from pages.shared.key_list import Key, keys_button
from pages.shared.keyboard import keypad_digits
from studio.language import say

MODES = {"quick": ("快速分类", "Quick"), "chain": ("思维链", "Think chain")}
LEADS = {
    "quick": (
        "按数字键即保存并显示下一条；Enter 接受建议，S 跳过，F 存疑，U 撤销。",
        "A digit saves and shows the next title; Enter accepts, S skips, F flags, U undoes.",
    ),
    "chain": (
        "写出为什么是这一类，边写边检查；Alt+数字选类别，Ctrl+Enter 保存并显示下一条。",
        "Write why it is this category, checked while you type; Alt and a digit chooses the category, "
        "Ctrl+Enter saves and shows the next title.",
    ),
}
KEYS: dict[str, list[Key]] = {
    "quick": [
        ("1 … 9 0", "定为这一类，显示下一条", "label the title with that category, next title"),
        ("Enter", "接受建议（★ 标出的一类）", "accept the suggestion, marked ★"),
        ("S", "跳过，再写原因", "skip, then give the reason"),
        ("F", "存疑，再写原因", "flag, then give the reason"),
        ("U", "撤销上一个决定", "undo the last decision"),
        (
            "Alt+1 … Alt+4",
            "在原因框里：选一条现成的原因",
            "in the box for a reason: take the one offered",
        ),
        ("Esc", "在原因框里：返回", "in the box for a reason: back"),
        ("?", "显示这张表", "show this list"),
    ],
    "chain": [
        ("Alt+1 … Alt+9 Alt+0", "选类别", "choose the category"),
        ("Ctrl+Enter", "保存并显示下一条", "save, next title"),
        ("Alt+G", "搭框架，再按换一种", "insert a scaffold; again: another"),
        ("Alt+S", "跳过，再写原因", "skip, then give the reason"),
        ("Alt+F", "存疑，再写原因", "flag, then give the reason"),
        ("Alt+U", "撤销上一个决定", "undo the last decision"),
        ("Alt+X", "拒绝教师草稿", "reject the teacher's draft"),
        ("Esc", "在原因框里：返回", "in the box for a reason: back"),
        ("F1", "显示这张表", "show this list"),
    ],
}

if st.session_state.get("choose-label-mode") not in MODES:
    st.session_state["choose-label-mode"] = "quick"
header(say("标注", "Label"), say(*LEADS[st.session_state["choose-label-mode"]]))
follow_link()
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    mode = choose_one(
        say("方式", "Mode"),
        list(MODES),
        key="choose-label-mode",
        format_func=lambda name: say(*MODES[name]),
        label_visibility="collapsed",
        persist_state="session",
        width="content",
    )
    # Not beside the title: it would be drawn again at every press.
    with st.container(horizontal=True, width="content", gap="small", vertical_alignment="center"):
        name = say("导出标注记录", "Export annotations")
        with st.popover(name, icon=":material/download:", type="tertiary"):
            annotations_download()
        keys_button(KEYS[mode])
if mode == "chain":
    chain_mode()
else:
    quick_mode()
    keypad_digits()
