"""Draw skip and flag, each with its reasons: S or F opens a box, a sentence or one combination answers it.

Two presses where other decisions take one: a title that leaves the queue without a category
and without a reason helps nobody who finds it later. While the box is open the cursor is in
it, and no digit labels.
"""

from typing import Literal

import streamlit as st

from pages.sections.label import actions
from pages.shared import keyboard
from pages.shared.feedback import notify, reporting
from studio.corpus.titles import Title
from studio.language import say
from studio.messages import message, stored

Kind = Literal["skip", "flag"]
KINDS: tuple[tuple[Kind, str, str, str, str], ...] = (
    ("skip", "S", ":material/skip_next:", "跳过", "Skip"),
    ("flag", "F", ":material/flag:", "存疑", "Flag"),
)
REASONS: dict[Kind, tuple[str, ...]] = {
    "skip": ("reason_no_title", "reason_not_understood", "reason_cut_off", "reason_for_others"),
    "flag": (
        "reason_two_categories",
        "reason_no_rule",
        "reason_title_wrong",
        "reason_suggestion_wrong",
    ),
}
"""The codes in `studio.messages` of the reasons that are offered: Alt+1 is the first."""


def is_asking(title: Title) -> bool:
    """Return whether the box for a reason is open for this title."""
    asked = st.session_state.get("put_aside")
    return asked is not None and asked[1:] == (title.id, title.revision)


def put_aside(title: Title, *, modifier: str = "") -> None:
    """Draw the two buttons; their keys take a modifier (`Alt+`) beside a text box."""
    for kind, letter, icon, zh, en in KINDS:
        st.button(
            say(zh, en),
            key=f"{kind}-{title.id}-{title.revision}",
            shortcut=modifier + letter,
            icon=icon,
            on_click=_ask,
            args=(kind, title.id, title.revision),
        )


def reason_box(title: Title) -> None:
    """Draw the box for the reason, with the cursor in it."""
    kind: Kind = st.session_state["put_aside"][0]
    version = f"{title.id}-{title.revision}"
    question = ("为什么跳过？", "Why skip it?") if kind == "skip" else ("为什么存疑？", "Why flag it?")
    with st.container(border=True, key=f"reason-box-{version}"):
        with (
            st.form(f"reason-form-{kind}-{title.id}", border=False),
            st.container(horizontal=True, vertical_alignment="bottom"),
        ):
            st.text_input(
                say(*question),
                key=f"reason-text-{title.id}",
                max_chars=200,
                placeholder=say(
                    "写下原因按 Enter，或按 Alt+数字选一条",
                    "Type the reason and press Enter, or choose one with Alt and its digit",
                ),
            )
            st.form_submit_button(
                say("确定", "OK"),
                key=f"reason-own-{kind}-{version}",
                on_click=_put_aside_for_own_reason,
                args=(kind, title.id, title.revision),
            )
        with st.container(horizontal=True, gap="small"):
            for number, code in enumerate(REASONS[kind], start=1):
                st.button(
                    str(message(code)),
                    key=f"reason-{kind}-{number}-{version}",
                    shortcut=f"Alt+{number}",
                    on_click=_put_aside,
                    args=(kind, title.id, title.revision, stored(message(code))),
                )
            st.button(
                say("返回", "Back"),
                key=f"reason-back-{version}",
                shortcut="Esc",
                type="tertiary",
                on_click=_ask,
                args=(None, title.id, title.revision),
            )
    keyboard.focus_on(f"reason-text-{title.id}", place="reason")


@reporting
def _ask(kind: Kind | None, title_id: int, revision: int) -> None:
    """Show the reasons for this title, or the buttons again."""
    st.session_state["put_aside"] = None if kind is None else (kind, title_id, revision)


@reporting
def _put_aside(kind: Kind, title_id: int, revision: int, reason: str) -> None:
    """Skip or flag the title: it leaves this person's queue."""
    st.session_state["put_aside"] = None
    (actions.skip if kind == "skip" else actions.flag)(title_id, revision, reason)


@reporting
def _put_aside_for_own_reason(kind: Kind, title_id: int, revision: int) -> None:
    """Skip or flag the title for the reason that was typed."""
    reason = str(st.session_state.get(f"reason-text-{title_id}") or "").strip()
    if reason:
        _put_aside(kind, title_id, revision, reason)
    else:
        notify(say("请写明原因。", "Enter a reason first."))
