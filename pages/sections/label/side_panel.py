"""Draw what stands beside the title: the annotator's pace, their last decisions, the guidelines."""

import streamlit as st

from pages.sections.label import actions
from pages.shared import session
from pages.shared.elements import choose_one
from pages.shared.guidelines import guidelines
from pages.shared.sidebar import SENT_BACK_SHOWN
from pages.shared.text import category_mark, plain
from studio.annotation import annotations
from studio.annotation.sent_back import count_sent_back
from studio.corpus.titles import count_by_status
from studio.language import say
from studio.store import Store
from studio.team import progress
from studio.team.settings import load_settings

SIDES = {"recent": ("最近十条", "Last ten"), "rules": ("标注规则", "Guidelines")}
KIND_NAMES = {"skip": ("跳过", "skipped"), "flag": ("存疑", "flagged")}


def pace_line(db: Store) -> None:
    """Draw how far everybody has come, and how fast the annotator is."""
    counts = count_by_status(db)
    all_titles = sum(counts.values()) - counts["trashed"]
    if all_titles:
        done = all_titles - counts["waiting"]
        st.progress(
            done / all_titles,
            text=say(
                f"全部 {all_titles} 条，已处理 {done} 条（{done / all_titles:.0%}）",
                f"{done} of {all_titles} titles done ({done / all_titles:.0%})",
            ),
        )
    pace = progress.pace(db, session.annotator())
    parts = [say(f"今天 {pace.today} 条", f"{pace.today} today")]
    if goal := load_settings(db).daily_goal:
        st.progress(min(1.0, pace.today / goal), text=_goal_text(pace.today, goal))
    if pace.median_seconds is not None:
        parts.append(
            say(f"中位 {pace.median_seconds:.1f} 秒/条", f"median {pace.median_seconds:.1f} s per title")
        )
    parts.append(say(f"还有 {pace.waiting} 条待标注", f"{pace.waiting} waiting"))
    returned = count_sent_back(db, author=session.annotator())
    if st.session_state.get(SENT_BACK_SHOWN, returned.own) != returned.own:
        st.rerun()  # the side bar shows the number, too, and a fragment does not draw it
    if returned.own or returned.anyone:
        parts.append(
            say(
                f"退回给您 {returned.own} 条，退给任何人 {returned.anyone} 条",
                f"sent back to you {returned.own}, to anyone {returned.anyone}",
            )
        )
    st.caption("　·　".join(parts))


def _goal_text(answers: int, goal: int) -> str:
    """Say how many titles the annotator answered today, of how many they should."""
    if answers >= goal:
        return say(
            f"今天的目标已达到：{answers} / {goal} 条", f"Today's goal is reached: {answers} of {goal}"
        )
    return say(
        f"今天的目标：{answers} / {goal} 条（{answers / goal:.0%}）",
        f"Today's goal: {answers} of {goal} titles ({answers / goal:.0%})",
    )


def side_panel(db: Store) -> None:
    """Draw the last ten decisions or the guidelines, whichever the annotator chose."""
    side = choose_one(
        say("旁边显示", "Beside the title"),
        list(SIDES),
        key="choose-label-side",
        default="recent",
        format_func=lambda name: say(*SIDES[name]),
        label_visibility="collapsed",
        persist_state="session",
    )
    if side == "rules":
        guidelines()
    else:
        recent_decisions(db)


def recent_decisions(db: Store) -> None:
    """Draw the annotator's last ten decisions; a click puts one on screen again."""
    answers = annotations.recent(db, author=session.annotator())
    if not answers:
        st.caption(
            say(
                "标注过的标题会列在这里，点一下可以改。", "What you label is listed here; click to change it."
            )
        )
    with st.container(gap=None):
        for answer in answers:
            mark = (
                category_mark(answer.category)
                if answer.category
                else f":orange[{say(*KIND_NAMES[answer.kind])}]"
            )
            st.button(
                f"{mark}　:gray[{plain(answer.text)}]",
                key=f"reopen-{answer.title_id}-{answer.revision}",
                on_click=actions.open_title,
                args=(answer.title_id,),
                type="tertiary",
                wrap=False,
                help=plain(answer.text),
            )
