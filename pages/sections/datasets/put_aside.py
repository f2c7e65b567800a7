"""What the Datasets page draws beside versions: titles put aside."""

import streamlit as st

from pages.shared import shell
from studio.corpus.titles import find_titles
from studio.language import say
from studio.store import Store


def put_aside_list(db: Store) -> None:
    """Skipped and flagged titles, so that none is forgotten."""
    titles = find_titles(db, status="flagged", limit=100) + find_titles(db, status="skipped", limit=100)
    if not titles:
        st.info(say("没有跳过或存疑的标题。", "No title was skipped or flagged."), icon=":material/inbox:")
    for title in titles:
        text, button = st.columns([5, 1], vertical_alignment="center")
        state = say("存疑", "flagged") if title.status == "flagged" else say("跳过", "skipped")
        text.markdown(
            f"{shell.plain(title.text)}  \n:small[:gray[{state} · {title.author} · {shell.plain_stored(title.note)}]]"
        )
        if button.button(say("去标注", "Open"), key=f"aside-{title.id}", width="stretch"):
            shell.open_on_label_page(title.id)
