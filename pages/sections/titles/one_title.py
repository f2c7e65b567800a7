"""Draw one title: where it stands, its history, and the ways to change it."""

import streamlit as st

from pages.sections.titles.address import OPEN
from pages.shared import session
from pages.shared.feedback import notify, reporting
from pages.shared.title_history import history_list, title_head
from studio.annotation.rewording import LONGEST, reword
from studio.corpus.titles import Title, get_title
from studio.errors import InputError
from studio.language import say
from studio.store import Store
from studio.team.people import LABELLERS, REVIEWERS, Person


def title_detail(db: Store, title_id: int, viewer: Person) -> None:
    """Draw the title with its actions, and its history below."""
    st.button(
        say("回到列表", "Back to the list"),
        key="title-close",
        icon=":material/arrow_back:",
        type="tertiary",
        on_click=close_title,
    )
    try:
        title = get_title(db, title_id)
    except InputError as error:
        st.warning(error.problem, icon=":material/search_off:")
        return
    title_head(db, title)
    with st.container(horizontal=True):
        if viewer.is_active and viewer.role in LABELLERS and title.status != "trashed":
            _label_buttons(title)
        if viewer.is_active and viewer.role in REVIEWERS and title.status != "trashed":
            _reword_form(title)
    st.session_state.pop("history-moved", None)  # what a dialog would draw again is drawn here already
    st.subheader(say("历史", "History"), anchor=False)
    history_list(db, title)


def open_title(title_id: int) -> None:
    """Open a title in place of the list."""
    st.query_params[OPEN] = str(title_id)


@reporting
def close_title() -> None:
    """Go back to the list."""
    st.query_params.pop(OPEN, None)


def _label_buttons(title: Title) -> None:
    if st.button(say("标注", "Label"), key="title-label", icon=":material/keyboard:", type="primary"):
        session.open_on_label_page(title.id)
    if st.button(say("写思维链", "Write its think chain"), key="title-chain", icon=":material/notes:"):
        session.open_on_label_page(title.id, mode="chain")


def _reword_form(title: Title) -> None:
    with st.popover(say("改文字", "Edit the text"), icon=":material/edit:", key="title-reword"):
        st.caption(
            say(
                "改好的标题接替这一条，类别和思维链照旧；这一条移入回收站，历史都保留。",
                "The corrected title takes this one's place with its category and chain; this one goes to "
                "the trash, and all history stays.",
            )
        )
        key = f"title-text-{title.id}-{title.revision}"
        st.text_area(
            say("标题", "Title"), value=title.text, key=key, max_chars=LONGEST, label_visibility="collapsed"
        )
        st.button(
            say("保存", "Save"),
            key="title-reword-save",
            type="primary",
            on_click=_reword,
            args=(title.id, title.revision, key),
        )


@reporting
def _reword(title_id: int, revision: int, key: str) -> None:
    """Save the corrected text, and open the title that has it."""
    text = str(st.session_state.get(key) or "")
    new = reword(session.store(), title_id, text, author=session.annotator(), seen_revision=revision)
    open_title(new.id)
    notify(say(f"已改为第 {new.id} 条。", f"Corrected: it is No. {new.id} now."))
