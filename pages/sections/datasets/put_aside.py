"""List the titles that were put aside, each with the way back to the Label page."""

import streamlit as st

from pages.shared import session
from pages.shared.text import plain, plain_stored
from studio.corpus.titles import find_titles
from studio.language import say
from studio.store import Store


def put_aside_list(db: Store) -> None:
    """List skipped and flagged titles, so that none is forgotten."""
    titles = find_titles(db, status="flagged", limit=100) + find_titles(db, status="skipped", limit=100)
    if not titles:
        st.info(say("没有跳过或存疑的标题。", "No title was skipped or flagged."), icon=":material/inbox:")
    for title in titles:
        text, button = st.columns([5, 1], vertical_alignment="center")
        state = say("存疑", "flagged") if title.status == "flagged" else say("跳过", "skipped")
        details = f"{state} · {plain(title.author or '')} · {plain_stored(title.note)}"
        text.markdown(f"{plain(title.text)}  \n:small[:gray[{details}]]")
        if button.button(say("去标注", "Open"), key=f"aside-{title.id}", width="stretch"):
            session.open_on_label_page(title.id)
