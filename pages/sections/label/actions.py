"""Offer the next title and save what is done with it, for both ways of labelling.

A press carries the title and the revision that were on screen when the button was
drawn. If the title has moved on since, `studio.annotation.annotations` refuses the press and the
person is told: fast fingers can never label a title that they have not seen.
"""

from typing import Any

import streamlit as st

from pages.shared import session, title_clock
from pages.shared.feedback import notify, reporting
from studio.annotation import annotations
from studio.annotation.annotations import Suggested
from studio.annotation.leases import Offer, offer, reopen
from studio.language import say
from studio.store import Store
from studio.suggestions.records import wake
from studio.teacher import drafts
from studio.teacher.drafts import Draft
from studio.team.settings import load_settings


@reporting
def open_title(title_id: int) -> None:
    """Put a title on screen before the queue goes on; it stays there through a reload."""
    db = session.store()
    reopen(db, title_id, author=session.annotator(), settings=load_settings(db))


def follow_link() -> None:
    """Open the title that the address names (`?title=17`), once."""
    asked = st.query_params.get("title", "")
    if asked.isdigit():
        open_title(int(asked))
    if asked:
        del st.query_params["title"]


def current_offer(db: Store) -> Offer | None:
    """Lease the title for this person's screen, as they may see it; None when nothing waits for them."""
    wake(db, session.workspace())
    return offer(db, author=session.annotator(), settings=load_settings(db))


@reporting
def decide(title_id: int, revision: int, category: str, suggested: Suggested | None = None) -> None:
    """Label the title that was on screen."""
    save_decision(title_id, revision, category, None, suggested)


def save_decision(
    title_id: int,
    revision: int,
    category: str,
    chain: str | None,
    suggested: Suggested | None = None,
    *,
    draft: Draft | None = None,
) -> None:
    """Label the title that was on screen, with the draft that was in the box.

    Raises:
        StalePress: the title has moved on.
    """
    db = session.store()
    answer: dict[str, Any] = {
        "category": category,
        "author": session.annotator(),
        "seen_revision": revision,
        "active_seconds": title_clock.active_seconds("label", db, title_id, revision),
    }
    if draft is not None and chain:
        drafts.accept(db, draft.id, chain=chain, **answer)
    else:
        annotations.annotate(db, title_id, chain=chain, suggested=suggested, **answer)


@reporting
def skip(title_id: int, revision: int, reason: str) -> None:
    """Skip the title: leave it to the others."""
    annotations.skip(
        session.store(), title_id, reason=reason, author=session.annotator(), seen_revision=revision
    )


@reporting
def flag(title_id: int, revision: int, reason: str) -> None:
    """Flag the title: put it aside as a question to the reviewers."""
    annotations.flag(
        session.store(), title_id, reason=reason, author=session.annotator(), seen_revision=revision
    )


@reporting
def undo() -> None:
    """Undo the last decision and show its title again."""
    title = annotations.undo(session.store(), author=session.annotator())
    if title is None:
        notify(say("没有可以撤销的决定。", "There is no decision to undo."))
    else:
        open_title(title.id)
