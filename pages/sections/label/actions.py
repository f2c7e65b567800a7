"""The title on screen and what can be done with it, for both ways of labelling.

A press carries the title and the revision that were on screen when the button was
drawn. If the title has moved on since, `studio.annotation.annotations` refuses the press and the
person is told: fast fingers can never label a title that they have not seen.
"""

import time
from typing import Any

import streamlit as st

from pages.shared import shell
from studio.annotation import annotations
from studio.annotation.annotations import Suggested
from studio.annotation.leases import Offer, offer, reopen
from studio.corpus.titles import Title
from studio.language import say
from studio.store import Store
from studio.suggestions.records import wake
from studio.teacher import drafts
from studio.teacher.drafts import Draft
from studio.team.settings import load_settings


def open_title(title_id: int) -> None:
    """Put a title on screen before the queue goes on; it stays there through a reload."""
    with shell.report_errors(later=True):
        db = shell.store()
        reopen(db, title_id, author=shell.annotator(), settings=load_settings(db))


def follow_link() -> None:
    """Open the title that the address names (`?title=17`), once."""
    asked = st.query_params.get("title", "")
    if asked.isdigit():
        open_title(int(asked))
    if asked:
        del st.query_params["title"]


def current_offer(db: Store) -> Offer | None:
    """The title on this person's screen, as they may see it; None when nothing waits for them."""
    wake(db, shell.workspace())
    return offer(db, author=shell.annotator(), settings=load_settings(db))


def current_title(db: Store) -> Title | None:
    """The title of the current offer."""
    offered = current_offer(db)
    return offered.title if offered else None


def remember_shown(title: Title) -> None:
    """Start the clock of a title when it comes on screen."""
    shown = st.session_state.get("shown")
    if shown is None or shown[:2] != (title.id, title.revision):
        st.session_state["shown"] = (title.id, title.revision, time.monotonic())


def _active_seconds(db: Store, title_id: int, revision: int) -> float | None:
    shown = st.session_state.get("shown")
    if shown is None or shown[:2] != (title_id, revision):
        return None
    return min(time.monotonic() - float(shown[2]), load_settings(db).idle_seconds)


def decide(title_id: int, revision: int, category: str, suggested: Suggested | None = None) -> None:
    """Callback: label the title that was on screen."""
    save_decision(title_id, revision, category, None, suggested)


def save_decision(
    title_id: int,
    revision: int,
    category: str,
    chain: str | None,
    suggested: Suggested | None = None,
    *,
    draft: Draft | None = None,
) -> bool:
    """Label the title that was on screen, with the draft that was in the box; False when refused."""
    with shell.report_errors(later=True):
        db = shell.store()
        said: dict[str, Any] = {
            "category": category,
            "author": shell.annotator(),
            "seen_revision": revision,
            "active_seconds": _active_seconds(db, title_id, revision),
        }
        if draft is not None and chain:
            drafts.accept(db, draft.id, chain=chain, **said)
        else:
            annotations.annotate(db, title_id, chain=chain, suggested=suggested, **said)
        return True
    return False


def skip(title_id: int, revision: int, reason: str) -> None:
    """Leave the title to the others."""
    with shell.report_errors(later=True):
        annotations.skip(
            shell.store(), title_id, reason=reason, author=shell.annotator(), seen_revision=revision
        )


def flag(title_id: int, revision: int, reason: str) -> None:
    """Put the title aside as a question to the reviewers."""
    with shell.report_errors(later=True):
        annotations.flag(
            shell.store(), title_id, reason=reason, author=shell.annotator(), seen_revision=revision
        )


def undo() -> None:
    """Callback: take the last decision back and show its title again."""
    with shell.report_errors(later=True):
        title = annotations.undo(shell.store(), author=shell.annotator())
        if title is None:
            shell.notify(say("没有可以撤销的决定。", "There is no decision to take back."))
        else:
            open_title(title.id)
