"""What a reviewer's press does. A press carries the title and the revision that were on screen.

If the title has moved on since, `studio.annotation.review` refuses and the person is told: no
press reaches a title, or an answer, that was not looked at.
"""

import time

import streamlit as st

from pages.shared import shell
from studio.annotation import review
from studio.annotation.review import Queue
from studio.language import say
from studio.team.settings import load_settings

ASKING = "review-asking"
"""Session key: (title, revision) for which the comment is being written."""


def remember_shown(title_id: int, revision: int) -> None:
    """Start the clock of a title when it comes on screen."""
    shown = st.session_state.get("review-shown")
    if shown is None or shown[:2] != (title_id, revision):
        st.session_state["review-shown"] = (title_id, revision, time.monotonic())


def _active_seconds(title_id: int, revision: int) -> float | None:
    shown = st.session_state.get("review-shown")
    if shown is None or shown[:2] != (title_id, revision):
        return None
    return min(time.monotonic() - float(shown[2]), load_settings(shell.store()).idle_seconds)


def decide(title_id: int, revision: int, category: str, chain: str | None) -> None:
    """Callback: the title is of this category, argued like this."""
    with shell.report_errors(later=True):
        review.decide(
            shell.store(),
            title_id,
            category=category,
            chain=chain,
            author=shell.annotator(),
            seen_revision=revision,
            active_seconds=_active_seconds(title_id, revision),
        )


def save_edit(title_id: int, revision: int) -> None:
    """Callback: the category and the chain that stand in the form."""
    category = st.session_state.get(f"review-category-{title_id}-{revision}")
    if category is None:
        shell.notify(say("请先选类别。", "Choose the category first."))
        return
    decide(title_id, revision, category, st.session_state.get(f"review-chain-{title_id}-{revision}"))


def ask_comment(title_id: int, revision: int) -> None:
    """Callback: open the comment with which the title goes back."""
    st.session_state[ASKING] = (title_id, revision)


def close_comment() -> None:
    """Callback: keep the title after all."""
    st.session_state.pop(ASKING, None)


def send_back(title_id: int, revision: int) -> None:
    """Callback: back to the annotator, with the comment that stands in the form."""
    with shell.report_errors(later=True):
        review.send_back(
            shell.store(),
            title_id,
            comment=str(st.session_state.get(f"review-comment-{title_id}-{revision}") or ""),
            author=shell.annotator(),
            addressee=st.session_state.get(f"review-addressee-{title_id}-{revision}") or None,
            seen_revision=revision,
            active_seconds=_active_seconds(title_id, revision),
        )
        close_comment()


def pass_on(queue: Queue) -> None:
    """Callback: leave this title to later or to others."""
    review.pass_on(shell.store(), queue=queue, author=shell.annotator())


def undo() -> None:
    """Callback: take the last review back and show its title again."""
    with shell.report_errors(later=True):
        db = shell.store()
        undone = review.undo(db, author=shell.annotator(), settings=load_settings(db))
        if undone is None:
            shell.notify(say("没有可以撤销的审核。", "There is no review to take back."))
            return
        st.session_state["choose-review-queue"] = undone[1]
        shell.notify(say("已撤销，标题回到屏幕上。", "Taken back; the title is on screen again."))
