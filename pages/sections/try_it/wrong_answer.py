"""Draw the report of a wrong answer: which category is right, a note, and the way to take it back."""

from dataclasses import dataclass

import streamlit as st

from pages.shared import session
from pages.shared.feedback import notify, reporting
from pages.shared.text import category_mark, category_name, plain
from studio.annotation import requeue
from studio.annotation.requeue import WrongReport
from studio.language import say

OPEN = "report-open"
DONE = "reports"
"""Session keys: the place whose form is open, and the reports of this session by their places."""


@reporting
def open_report(place: str) -> None:
    """Open the form of a place, or close it."""
    st.session_state[OPEN] = None if st.session_state.get(OPEN) == place else place


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a model said of a title; `category` is None where none could be read."""

    title: str
    category: str | None
    chain: str | None = None
    model: str = ""


def report_form(place: str, said: Said) -> None:
    """Draw the form where it is open, and what was reported where that is done.

    Args:
        place: tells this answer from others on the page.
        said: the answer.
    """
    report: WrongReport | None = st.session_state.setdefault(DONE, {}).get(place)
    if report is not None:
        _reported(place, report)
    elif st.session_state.get(OPEN) == place:
        _form(place, said)


def _form(place: str, said: Said) -> None:
    names = [name for name in session.scheme().names if name != said.category]
    with st.container(border=True), st.form(f"report-{place}", border=False):
        st.markdown(f":small[{plain(said.title)}]")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox(
                say("哪个类别才对", "Which category is right"),
                names,
                index=None,
                format_func=category_name,
                placeholder=say("不确定，请人判断", "not sure: let a person decide"),
                key=f"report-category-{place}",
                width=220,
            )
            st.text_input(
                say("备注", "Note"),
                key=f"report-note-{place}",
                max_chars=requeue.LONGEST_NOTE,
                placeholder=say("可以不填", "optional"),
            )
            st.form_submit_button(
                say("放进标注队列", "Add to the label queue"),
                key=f"report-send-{place}",
                type="primary",
                on_click=_send,
                args=(place, said),
            )


@reporting
def _send(place: str, said: Said) -> None:
    """Queue the title for labelling, with what the model said and what it should have said."""
    state = st.session_state
    category, note = state.get(f"report-category-{place}"), str(state.get(f"report-note-{place}") or "")
    report = requeue.add_wrong(
        session.store(),
        said.title,
        said.category,
        session.annotator(),
        category=category,
        note=note,
        chain=said.chain,
        model=said.model,
    )
    state.setdefault(DONE, {})[place] = report
    state[OPEN] = None
    notify(say("已放进标注队列。", "Added to the label queue."))


def _reported(place: str, report: WrongReport) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        right = report.title.proposal
        text = say("已放进标注队列", "In the label queue")
        st.markdown(f":green[:small[{text}]] {category_mark(right) if right else ''}", width="content")
        st.button(
            say("撤回", "Undo"),
            key=f"report-undo-{place}",
            icon=":material/undo:",
            type="tertiary",
            on_click=_undo,
            args=(place,),
        )


@reporting
def _undo(place: str) -> None:
    """Take the report back, unless somebody has worked on the title since."""
    report = st.session_state.get(DONE, {}).pop(place, None)
    if report is not None:
        requeue.undo_wrong(session.store(), report, author=session.annotator())
        notify(say("已撤回。", "Taken back."))
