"""Ask who is there before the first press: a known name, or a new one."""

import streamlit as st

from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import notify, reporting
from pages.shared.text import person_mark
from studio.language import say
from studio.system.login import login_name
from studio.team import people

SHOWN = 24
"""People with a button of their own; the others type their name."""


def ask_who() -> None:
    """Draw the question in the place of the page; nothing is recorded before it is answered."""
    header(
        say("您是谁？", "Who are you?"),
        say(
            "每个决定都会记下是谁做的。选您的名字，或写一个新的。",
            "Every decision is recorded with a name. Choose yours, or enter a new one.",
        ),
    )
    known = people.list_people(session.store())
    with st.container(horizontal=True, gap="small"):
        for number, person in enumerate(known[:SHOWN]):
            st.button(
                person_mark(person.name, {person.name: person.color}),
                key=f"who-{number}",
                on_click=_be,
                args=(person.name,),
            )
    with (
        st.form("who-form", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        st.text_input(
            say("新名字", "New name") if known else say("您的名字", "Your name"),
            value=_proposed() if not known else "",
            key="who-name",
            max_chars=people.LONGEST_NAME,
            width=320,
        )
        st.form_submit_button(
            say("开始", "Start"), key="who-start", type="primary", on_click=_be_new, icon=":material/login:"
        )
    st.caption(
        say(
            "新来的人是标注员；管理员可以在“团队”页改角色。",
            "Newcomers are annotators; an admin can change roles on the Team page.",
        )
        if known
        else say(
            "第一个人是管理员，以后来的是标注员。",
            "The first person is the admin; those who come later are annotators.",
        )
    )


def _proposed() -> str:
    """Propose the login name to the first person, unless it is everybody's."""
    login = login_name("")
    return "" if login == "root" else login


@reporting
def _be(name: str) -> None:
    """Go on as a known person."""
    st.session_state["annotator"] = name


@reporting
def _be_new() -> None:
    """Go on under the name that was typed; the same name means the same person."""
    name = session.clean_name(st.session_state.get("who-name"))
    if not name:
        notify(say("请先写名字。", "Enter a name first."))
        return
    people.sign_in(session.store(), name)
    st.session_state["annotator"] = name
