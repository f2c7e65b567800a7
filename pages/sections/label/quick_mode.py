"""Label with one press: the title, a button a category, what may lead the annotator."""

import streamlit as st

from pages.sections.label import actions, hints, put_aside, side_panel, title_card
from pages.shared import session, title_clock
from pages.shared.digit_buttons import digit_buttons
from pages.shared.feedback import fragment
from studio.annotation.annotations import Suggested
from studio.corpus.titles import Title


@fragment
def quick_mode() -> None:
    """Draw quick mode in one fragment: a press redraws only this part, so the next title is there at once."""
    db = session.store()
    offered = actions.current_offer(db)
    title = offered.title if offered else None
    hint = hints.hint_for(db, offered) if offered else hints.NO_HINT
    work, side = st.columns([3, 1.15], gap="medium")
    with work:
        if title is None:
            title_card.empty_queue(db)
        else:
            title_clock.start("label", title)
            title_card.title_card(db, title)
            _digits(title, hint.suggested)
        title_card.action_row(title, hint.suggested, hint.former)
        hints.show(hint)
        side_panel.pace_line(db)
    with side:
        side_panel.side_panel(db)


def _digits(title: Title, suggested: Suggested | None) -> None:
    digit_buttons(
        f"{title.id}-{title.revision}",
        actions.decide,
        lambda category: (title.id, title.revision, category, suggested),
        disabled=put_aside.is_asking(title),
        suggested=suggested.category if suggested else None,
    )
