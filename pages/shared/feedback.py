"""Report what happened: errors with their remedy, notices after a callback; fragments that do so alone."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

import streamlit as st

from pages.shared import session
from pages.shared.text import plain
from studio.errors import StalePress, StudioError
from studio.language import say
from studio.store import database_errors
from studio.system.atomic import guard_disk
from studio.workspace import WEB_LOG

log = logging.getLogger(__name__)

P = ParamSpec("P")


@contextmanager
def report_errors() -> Iterator[None]:
    """Show a StudioError where it is raised, with its remedy; any other error is a bug of ours."""
    session.use_language()
    try:
        with database_errors(), guard_disk():
            yield
    except StalePress:
        notify(_too_fast())
        show_notices()
    except StudioError as error:
        show_failure(error.problem, error.remedy)


def show_unexpected(error: Exception) -> bool:
    """Say that something unexpected happened and where its details are, in place of Streamlit's own box.

    The error itself is for the log: whoever labels can do nothing with it, and it may hold a title.

    Returns:
        True, by which Streamlit leaves its box out.
    """
    session.use_language()
    log.error("unexpected error on a page", exc_info=error)
    path = session.workspace().home / WEB_LOG
    where = str(path) if path.exists() else say("启动它的终端", "the terminal that it was started in")
    show_failure(
        say(
            "页面出了意外的错误，刚才的操作可能没有生效。",
            "Something unexpected went wrong on this page; the last step may not have taken effect.",
        ),
        say(
            "请刷新页面再试。如果还这样，请把 {where} 里最后的内容发给管理员。",
            "Reload the page and try again. If it stays, send the end of {where} to your admin.",
            where=where,
        ),
    )
    return True


def reporting(callback: Callable[P, None]) -> Callable[P, None]:
    """Wrap a callback of a widget: it uses the session's language, and its StudioError becomes a notice.

    A callback runs before there is a page to write on, so the run that follows shows the notice.
    """

    @wraps(callback)
    def reported(*args: P.args, **kwargs: P.kwargs) -> None:
        session.use_language()
        try:
            with database_errors(), guard_disk():
                callback(*args, **kwargs)
        except StalePress:
            notify(_too_fast())
        except StudioError as error:
            notify(failure_text(error.problem, error.remedy))

    return reported


def _too_fast() -> str:
    # Brief: whoever is so fast reads no sentence about which title it was.
    return say(
        "这条标题已有新的改动（按得太快，或别的窗口、别人先处理了），这次没有生效。",
        "That title has been changed meanwhile (pressed too fast, or by another window or person); "
        "that press did nothing.",
    )


def failure_text(problem: str, remedy: str) -> str:
    """Format a problem and its remedy as Markdown."""
    return f"{plain(problem)}\n\n**{say('怎么办', 'What to do')}** {plain(remedy)}"


def show_failure(problem: str, remedy: str) -> None:
    """Show a problem and its remedy in a red box."""
    st.error(failure_text(problem, remedy), icon=":material/error:")


def notify(text: str) -> None:
    """Keep a message for the run that follows a callback; the same one is not repeated."""
    notices: list[str] = st.session_state.setdefault("notices", [])
    if text not in notices:
        notices.append(text)


def show_notices() -> None:
    """Show the messages that callbacks have kept, as toasts."""
    for text in st.session_state.pop("notices", []):
        st.toast(text, icon=":material/info:")


def fragment(function: Callable[P, None]) -> Callable[P, None]:
    """Make an `st.fragment` whose reruns use the session's language and report errors."""
    return st.fragment(_on_its_own(function))


def live_fragment(function: Callable[P, None]) -> Callable[P, None]:
    """Make a fragment that draws itself again every two seconds."""
    return st.fragment(_on_its_own(function), run_every=2)


def _on_its_own(function: Callable[P, None]) -> Callable[P, None]:
    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with report_errors():
            show_notices()
            function(*args, **kwargs)

    return run
