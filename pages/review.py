"""Review: settle what people dispute or flag, and look at a spot check of the rest."""

import streamlit as st

from pages.sections.review.case import review_case
from pages.shared import keyboard, session
from pages.shared.elements import choose_one, header
from pages.shared.feedback import report_errors
from pages.shared.key_list import Key, keys_button
from studio.annotation.review import Queue
from studio.language import say
from studio.team.people import REVIEWERS

QUEUES: dict[Queue, tuple[str, str]] = {
    "adjudicate": ("争议与存疑", "Disputes and flags"),
    "spot_check": ("抽查", "Spot check"),
}

KEYS: list[Key] = [
    ("A B D …", "取这个人的答案", "take that person's answer"),
    ("1 … 9 0", "定为这一类", "set the category"),
    ("Enter", "按现在的类别或建议通过", "approve the category or the proposal as it is"),
    ("T", "退回，再写说明", "send back, then write the comment"),
    ("Ctrl+Enter", "在说明框里：退回", "in the box for the comment: send back"),
    ("Esc", "在说明框里：取消", "in the box for the comment: cancel"),
    ("N", "下一条", "next title"),
    ("U", "撤销上一次审核", "undo the last review"),
    ("?", "显示这张表", "show this list"),
]

header(
    say("审核", "Review"),
    say(
        "字母取某人的答案，数字直接定类，Enter 按现在的类别或建议通过，T 退回，N 下一条，U 撤销。",
        "A letter takes that person's answer, a digit sets the category, Enter approves, "
        "T sends back, N next, U undo.",
    ),
)
with report_errors():
    session.require_role(*REVIEWERS)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        chosen = choose_one(
            say("队列", "Queue"),
            list(QUEUES),
            default="adjudicate",
            key="choose-review-queue",
            format_func=lambda name: say(*QUEUES[name]),
            label_visibility="collapsed",
            persist_state="session",
            width="content",
        )
        keys_button(KEYS)
    review_case(chosen)
    keyboard.keypad_digits()
    keyboard.leave_choice(chosen)
