"""Draw skip and flag, each with its reasons: S or F opens a row of reasons, one letter chooses one.

Two keys where other decisions take one: a title that leaves the queue without a category
and without a reason helps nobody who finds it later.
"""

from typing import Literal

import streamlit as st

from pages.sections.label import actions
from pages.shared.feedback import notify, reporting
from studio.corpus.titles import Title
from studio.language import say
from studio.messages import message, stored

Kind = Literal["skip", "flag"]
KINDS: tuple[tuple[Kind, str, str, str, str], ...] = (
    ("skip", "S", ":material/skip_next:", "跳过", "Skip"),
    ("flag", "F", ":material/flag:", "存疑", "Flag"),
)
REASONS: dict[Kind, dict[str, str]] = {
    "skip": {
        "Q": "reason_no_title",
        "W": "reason_not_understood",
        "E": "reason_cut_off",
        "T": "reason_for_others",
    },
    "flag": {
        "Q": "reason_two_categories",
        "W": "reason_no_rule",
        "E": "reason_title_wrong",
        "T": "reason_suggestion_wrong",
    },
}
"""The letter of each reason that is offered, and its code in `studio.messages`."""


def put_aside(title: Title, *, with_keys: bool = True) -> None:
    """Draw the two buttons; once one was pressed, the reasons in its place."""
    asked = st.session_state.get("put_aside")
    if asked is not None and asked[1:] == (title.id, title.revision):
        _reasons(asked[0], title, with_keys=with_keys)
        return
    for kind, letter, icon, zh, en in KINDS:
        st.button(
            say(zh, en),
            key=f"{kind}-{title.id}-{title.revision}",
            shortcut=letter if with_keys else None,
            icon=icon,
            on_click=_ask,
            args=(kind, title.id, title.revision),
        )


def _reasons(kind: Kind, title: Title, *, with_keys: bool) -> None:
    question = ("为什么跳过？", "Why skip it?") if kind == "skip" else ("为什么存疑？", "Why flag it?")
    st.markdown(f":gray[{say(*question)}]")
    for letter, code in REASONS[kind].items():
        st.button(
            str(message(code)),
            key=f"reason-{kind}-{letter}-{title.id}-{title.revision}",
            shortcut=letter if with_keys else None,
            on_click=_put_aside,
            args=(kind, title.id, title.revision, stored(message(code))),
        )
    with (
        st.popover(say("其他原因", "Other reason")),
        st.form(f"reason-form-{kind}-{title.id}", border=False),
    ):
        st.text_input(say("原因", "Reason"), key=f"reason-text-{title.id}", max_chars=200)
        st.form_submit_button(
            say("确定", "OK"),
            key=f"reason-own-{kind}-{title.id}-{title.revision}",
            on_click=_put_aside_for_own_reason,
            args=(kind, title.id, title.revision),
        )
    st.button(
        say("返回", "Back"),
        key=f"reason-back-{title.id}-{title.revision}",
        shortcut="Esc" if with_keys else None,
        type="tertiary",
        on_click=_ask,
        args=(None, title.id, title.revision),
    )


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
