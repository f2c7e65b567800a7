"""Know whose session this is: the workspace, the store, the scheme, the language, the person, links to pages.

Streamlit runs callbacks and fragments in fresh threads, in which the language of the last
page run is unknown: `feedback.report_errors` calls `use_language` there. Knows no page.
"""

import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Literal

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from studio.accounts.access import access_mode, cookie_name
from studio.accounts.sessions import person_of
from studio.errors import NotAllowed
from studio.language import LANGUAGES, current_language, say
from studio.samples.scheme import Scheme, load_scheme
from studio.store import Store, open_store
from studio.team import people, rights
from studio.team.people import Person
from studio.workspace import Workspace, current_settings, open_workspace


def use_language() -> None:
    """Let `say` in this thread use the language that the session has chosen."""
    chosen = st.session_state.get("lang")
    current_language.set(chosen if chosen in LANGUAGES else current_settings().lang)


def workspace() -> Workspace:
    """Open the workspace of this studio; its folders exist."""
    return open_workspace()


_run = threading.local()
"""The connection of the page run that owns this thread, and the file that it was opened on."""


def store() -> Store:
    """Return the connection of this page run, its callbacks included; opened at the first call.

    Streamlit runs every page run in a thread of its own, and SQLite ties a connection to its thread:
    it is closed with the thread. A thread of no session gets a connection that is its own to close.
    """
    path = workspace().database
    if get_script_run_ctx(suppress_warning=True) is None:
        return open_store(path)
    kept: tuple[Store, tuple[Path, int, int] | None] | None = getattr(_run, "store", None)
    # By its inode, too: a backup may have been put in the place of the file meanwhile.
    if kept is None or kept[1] is None or kept[1] != _file_of(path):
        _run.store = kept = open_store(path), _file_of(path)
    return kept[0]


def _file_of(path: Path) -> tuple[Path, int, int] | None:
    with suppress(OSError):
        found = path.stat()
        return path, found.st_dev, found.st_ino
    return None


def scheme() -> Scheme:
    """Load the category scheme in use."""
    return load_scheme()


def is_by_account() -> bool:
    """Return whether people sign in with accounts, so that nobody chooses a name."""
    return access_mode() == "accounts"


def signed_in() -> str | None:
    """Return the name of the account behind this session's cookie; None: its session has ended."""
    cookie = st.context.cookies.get(cookie_name(st.get_option("server.port")))
    if not cookie:
        return None
    found = person_of(store(), cookie)
    return found.name if found else None


def annotator() -> str:
    """Return the name under which this session decides.

    Raises:
        NotAllowed: it was signed out meanwhile.
    """
    if is_by_account():
        name = signed_in()
        if name is None:
            raise NotAllowed(
                say("您已退出登录。", "You are signed out."),
                remedy=say("请重新打开网页并登录。", "Reload the page and sign in."),
            )
        return name
    return clean_name(st.session_state.get("annotator")) or "me"


def is_named() -> bool:
    """Return whether somebody has said who works in this session."""
    if is_by_account():
        return signed_in() is not None
    return bool(clean_name(st.session_state.get("annotator")))


def clean_name(typed: object) -> str:
    """Normalize a name: white space collapsed, at most as long as a name may be; "" for none."""
    return " ".join(str(typed or "").split())[: people.LONGEST_NAME]


def person() -> Person:
    """Return who works in this session, with role and colour."""
    return people.sign_in(store(), annotator())


def require_role(*roles: people.Role) -> Person:
    """Check that whoever works in this session has one of these roles.

    Raises:
        NotAllowed: they have not.
    """
    found = person()
    people.require_role(found, roles)
    return found


def acting_person() -> Person | None:
    """Return who works in the session of this thread; None in a thread of no session."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return None
    return people.known_or_new(store(), annotator())


# The services ask by themselves who is behind a press.
rights.ask_session(acting_person)


def follow_address(parameter: str, key: str, known: Collection[str]) -> None:
    """Let the address choose what a widget shows, once for each address: `?run=ID`, say.

    Args:
        parameter: name in the address.
        key: of the widget, which is drawn after this.
        known: what can be chosen.
    """
    asked = st.query_params.get(parameter)
    if asked in known and st.session_state.get(f"followed-{parameter}") != asked:
        st.session_state[key] = asked
    st.session_state[f"followed-{parameter}"] = asked


def keep_address(parameter: str, chosen: str) -> None:
    """Put what is on screen into the address, so that it can be sent to a colleague."""
    if st.query_params.get(parameter) != chosen:
        st.query_params[parameter] = chosen
    st.session_state[f"followed-{parameter}"] = chosen


def page_path(name: str) -> Path:
    """Return where a page lives, for links to it."""
    return Path(__file__).resolve().parent.parent / f"{name}.py"


def link(page: str, label: str, *, icon: str = ":material/arrow_forward:", **query: str) -> None:
    """Link to another page, for what comes next; `query` says what is opened there."""
    st.page_link(page_path(page), label=label, icon=icon, query_params=query or None)


def open_on_label_page(title_id: int, *, mode: Literal["quick", "chain"] = "quick") -> None:
    """Leave for the Label page with that title on screen."""
    st.session_state["choose-label-mode"] = mode
    st.switch_page(page_path("label"), query_params={"title": str(title_id)})
