"""Review: settle what people dispute or flag, and look at a spot check of the rest."""

import streamlit as st

from pages.sections.review import case as review_view
from pages.shared import keyboard as keys
from pages.shared import shell
from studio.annotation.review import Queue
from studio.language import say
from studio.team.people import REVIEWERS

QUEUES: dict[Queue, tuple[str, str]] = {
    "adjudicate": ("争议与存疑", "Disputes and flags"),
    "spot_check": ("抽查", "Spot check"),
}

shell.header(
    say("审核", "Review"),
    say(
        "字母取某人的答案，数字直接定类，Enter 按现在的类别或建议通过，T 退回，N 下一条，U 撤销。",
        "A letter takes that person's answer, a digit sets the category, Enter approves, T sends back, N next, U undo.",
    ),
)
with shell.report_errors():
    shell.require_role(*REVIEWERS)
    chosen = st.segmented_control(
        say("队列", "Queue"),
        list(QUEUES),
        default="adjudicate",
        key="choose-review-queue",
        required=True,
        format_func=lambda name: say(*QUEUES[name]),
        label_visibility="collapsed",
        persist_state="session",
    )
    assert chosen is not None, "the control is required"
    review_view.review_case(chosen)
    keys.keypad_digits()
    keys.leave_choice(chosen)
