"""Draw what stands beside every page: the language switch and who works here."""

import streamlit as st

from pages.shared import colors, keyboard, session
from pages.shared.elements import choose_one
from pages.shared.feedback import reporting
from pages.shared.text import plain
from studio.annotation import review
from studio.annotation.leases import release
from studio.annotation.sent_back import count_sent_back
from studio.errors import StudioError
from studio.language import LANGUAGES, Language, current_language, say
from studio.store import database_errors
from studio.team import people
from studio.team.people import Person
from studio.workspace import current_settings

SENT_BACK_SHOWN = "sent-back-shown"
"""Session key: the number of titles sent back that the side bar shows."""
SIGNED_IN = "signed-in"
"""Session key: the name under which somebody works here, whatever widgets are drawn."""
LANGUAGE_NAMES: dict[Language, str] = {"zh": "中文", "en": "English"}


def choose_language() -> None:
    """Draw the language switch and let every text of this run follow it.

    Not bound to the address by Streamlit, which would write the label there
    (`?lang=English`) where other people's links have `?lang=en`.
    """
    asked = st.query_params.get("lang")
    setting = current_settings().lang
    known = (asked, st.session_state.get("lang-before"))
    fallback: Language = next((each for each in known if each in LANGUAGES), setting)
    if st.session_state.get("lang") not in LANGUAGES:
        st.session_state["lang"] = fallback
    chosen = choose_one(
        "语言 / Language",
        LANGUAGES,
        key="lang",
        fallback=fallback,
        format_func=lambda language: LANGUAGE_NAMES[language],
        on_change=_keep_choices,
        label_visibility="collapsed",
    )
    current_language.set(chosen)
    st.session_state["lang-before"] = chosen
    if chosen != setting or asked is not None:
        st.query_params["lang"] = chosen


@reporting
def _keep_choices() -> None:
    """Let choices outlive a change of language.

    Streamlit finds the choice of a select box again by the text of its option, which is
    another one now. Widgets for which that matters have keys that begin with `choose-`.
    """
    for key in st.session_state:
        if str(key).startswith("choose-"):
            st.session_state[key] = st.session_state[key]


def sign_in() -> Person | None:
    """Show who works here, with colour and role, and let another take over; the address keeps the name.

    Read from the address by hand: a widget bound to it forgets the name when the page
    finds its server again after a restart, and somebody else would seem to decide.

    Returns:
        The person; None where nobody has said who they are, or the workspace cannot be read.
    """
    keyboard.guard()
    if session.is_by_account():
        return _account()
    asked = st.query_params.get("annotator")
    # A page that another one leads to begins without the widget's state and with another address.
    kept = st.session_state.get(SIGNED_IN, asked)
    name = session.clean_name(st.session_state.get("annotator", kept) or "")
    if not name:
        return None
    st.session_state[SIGNED_IN] = name
    # Written only where it differs: what a run writes into a widget goes back to the browser, and an
    # answer that comes late would undo the name that was chosen meanwhile.
    if st.session_state.get("annotator") != name:
        st.session_state["annotator"] = name
    st.query_params["annotator"] = name
    person, names = _known_people(name)
    st.selectbox(
        say("我是", "I am"),
        names,
        key="annotator",
        filter_mode="prefix",
        placeholder=say("选您的名字", "Choose your name"),
        help=say("每个决定都会记下这个名字。", "Every decision is recorded under this name."),
    )
    if person is not None:
        _show_role(person)
    st.button(
        say("换人或新成员", "Somebody else"),
        key="who-else",
        type="tertiary",
        icon=":material/person_add:",
        on_click=_ask_again,
    )
    return person


def _account() -> Person | None:
    """Show whose account this is, and the way out."""
    name = session.signed_in()
    if name is None:
        return None
    person, _ = _known_people(name)
    st.markdown(f"**{plain(name)}**")
    if person is not None:
        _show_role(person)
    base = st.get_option("server.baseUrlPath").strip("/")
    leave = f"/{base}/enter/leave" if base else "/enter/leave"
    st.link_button(say("退出登录", "Sign out"), leave, type="tertiary", icon=":material/logout:")
    return person


def _show_role(person: Person) -> None:
    inactive = "" if person.is_active else say("　:gray[（休息中）]", " :gray[(inactive)]")
    role = say(*people.ROLE_NAMES[person.role])
    st.markdown(f':color[●]{{foreground="{colors.readable(person.color)}"}} {role}{inactive}')


@reporting
def _ask_again() -> None:
    """Ask anew who is there."""
    st.session_state["annotator"] = ""
    st.session_state.pop(SIGNED_IN, None)
    st.query_params.pop("annotator", None)


def _known_people(name: str) -> tuple[Person | None, list[str]]:
    """Sign the person of that name in; return them and the names of all."""
    try:
        with database_errors():
            db = session.store()
            return people.sign_in(db, name), [each.name for each in people.list_people(db)]
    except StudioError:
        return None, [name]


def sent_back_link(person: Person) -> None:
    """Say on every page how many titles were sent back to this person, and link to them."""
    try:
        count = count_sent_back(session.store(), author=person.name).own
    except StudioError:
        return
    st.session_state[SENT_BACK_SHOWN] = count
    if count:
        text = say(f"退回给您 {count} 条", f"{count} sent back to you")
        session.link("label", text, icon=":material/reply:")


def release_titles(person: Person, page: str) -> None:
    """Release the leases of a person who opened another page or goes on under another name."""
    before = st.session_state.get("was-annotator", person.name)
    st.session_state["was-annotator"] = person.name
    db = session.store()
    if before != person.name:
        release(db, before)
        review.release(db, before)
    if page != "label":
        release(db, person.name)
    if page != "review":
        review.release(db, person.name)
