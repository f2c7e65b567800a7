"""Review: settle what people dispute or flag, and look at a spot check of the rest."""

from pages.sections.review.case import review_case
from pages.shared import keyboard, session
from pages.shared.elements import choose_one, header
from pages.shared.feedback import report_errors
from studio.annotation.review import Queue
from studio.language import say
from studio.team.people import REVIEWERS

QUEUES: dict[Queue, tuple[str, str]] = {
    "adjudicate": ("争议与存疑", "Disputes and flags"),
    "spot_check": ("抽查", "Spot check"),
}

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
    chosen = choose_one(
        say("队列", "Queue"),
        list(QUEUES),
        default="adjudicate",
        key="choose-review-queue",
        format_func=lambda name: say(*QUEUES[name]),
        label_visibility="collapsed",
        persist_state="session",
    )
    review_case(chosen)
    keyboard.keypad_digits()
    keyboard.leave_choice(chosen)
