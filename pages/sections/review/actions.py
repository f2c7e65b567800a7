"""Decide, send back, pass on and undo as the reviewer presses.

A press carries the title and the revision that were on screen. If the title has moved on
since, `studio.annotation.review` refuses and the person is told: no press reaches a title,
or an answer, that was not looked at.
"""

import streamlit as st

from pages.shared import session, title_clock
from pages.shared.feedback import notify, reporting
from studio.annotation import review
from studio.annotation.review import Queue
from studio.language import say
from studio.team.settings import load_settings

ASKING = "review-asking"
"""Session key: (title, revision) for which the comment is being written."""


@reporting
def decide(title_id: int, revision: int, category: str, chain: str | None) -> None:
    """Settle the title: it is of this category, argued like this."""
    db = session.store()
    review.decide(
        db,
        title_id,
        category=category,
        chain=chain,
        author=session.annotator(),
        seen_revision=revision,
        active_seconds=title_clock.active_seconds("review", db, title_id, revision),
    )


@reporting
def save_edit(title_id: int, revision: int) -> None:
    """Settle the title with the category and the chain of the form."""
    category = st.session_state.get(f"review-category-{title_id}-{revision}")
    if category is None:
        notify(say("请先选类别。", "Choose the category first."))
        return
    decide(title_id, revision, category, st.session_state.get(f"review-chain-{title_id}-{revision}"))


@reporting
def ask_comment(title_id: int, revision: int) -> None:
    """Open the form for the comment with which the title is sent back."""
    st.session_state[ASKING] = (title_id, revision)


@reporting
def close_comment() -> None:
    """Close the comment form; the title stays."""
    st.session_state.pop(ASKING, None)


@reporting
def send_back(title_id: int, revision: int) -> None:
    """Send the title back to the annotator, with the comment of the form."""
    db = session.store()
    review.send_back(
        db,
        title_id,
        comment=str(st.session_state.get(f"review-comment-{title_id}-{revision}") or ""),
        author=session.annotator(),
        addressee=st.session_state.get(f"review-addressee-{title_id}-{revision}") or None,
        seen_revision=revision,
        active_seconds=title_clock.active_seconds("review", db, title_id, revision),
    )
    close_comment()


@reporting
def pass_on(queue: Queue) -> None:
    """Pass the title on: to later, or to other reviewers."""
    review.pass_on(session.store(), queue=queue, author=session.annotator())


@reporting
def undo() -> None:
    """Undo the last review and show its title again."""
    db = session.store()
    undone = review.undo(db, author=session.annotator(), settings=load_settings(db))
    if undone is None:
        notify(say("没有可以撤销的审核。", "There is no review to undo."))
        return
    st.session_state["choose-review-queue"] = undone[1]
    notify(say("已撤销，标题回到屏幕上。", "Undone; the title is on screen again."))
