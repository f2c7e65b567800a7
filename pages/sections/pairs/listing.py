"""Draw the pairs, and both answers of the chosen one."""

import streamlit as st

from pages.sections.pairs.filters import form_name
from pages.shared import session
from pages.shared.elements import table
from pages.shared.text import category_mark, category_name, local_time, plain
from studio.language import say
from studio.preferences.pairs import AnswerSide, PreferencePair, kind_name
from studio.preferences.selection import Selection

SHOWN = 500
"""Pairs in the table; the filters find the rest."""
CHOSEN = "pairs-chosen"


def pair_list(found: Selection) -> None:
    """Draw a table of the pairs, and one of them in full."""
    if not found.pairs:
        st.info(
            say(
                "还没有偏好对。复核争议、改正决定、改教师草稿、在“分类与对话”页报错，都会产生偏好对。",
                "There are no pairs yet. Settling disputes, correcting decisions, editing a teacher's drafts"
                " and reporting wrong answers on the Classify and chat page make them.",
            ),
            icon=":material/compare:",
        )
        return
    shown = found.pairs[:SHOWN]
    table(
        [_row(number, pair) for number, pair in enumerate(shown, start=1)],
        hide_index=True,
        height=min(36 * (len(shown) + 1) + 3, 330),
        alt=say("偏好对", "Preference pairs"),
    )
    if len(found.pairs) > SHOWN:
        st.caption(
            say(
                f"列出前 {SHOWN} 个；用筛选找到其余的。",
                f"The first {SHOWN} are listed; filter for the others.",
            )
        )
    if (st.session_state.get(CHOSEN) or 0) >= len(shown):
        st.session_state[CHOSEN] = 0
    number = st.selectbox(
        say("看哪一对", "Which pair to read"),
        range(len(shown)),
        format_func=lambda index: f"{index + 1} · {shown[index].title}",
        key=CHOSEN,
    )
    _both(shown[number or 0])


def _row(number: int, pair: PreferencePair) -> dict[str, object]:
    return {
        "#": number,
        say("标题", "title"): pair.title,
        say("选中", "chosen"): category_name(pair.chosen.category),
        say("落选", "rejected"): category_name(pair.rejected.category),
        say("比较什么", "compared"): form_name(pair.form),
        say("来自", "from"): kind_name(pair.kind),
        say("谁定的", "preferred by"): pair.person,
        say("时间", "when"): local_time(pair.at),
    }


def _both(pair: PreferencePair) -> None:
    """Draw both answers side by side, and where the preference came from."""
    with st.container(border=True):
        st.markdown(f"**{plain(pair.title)}**")
        left, right = st.columns(2)
        with left:
            _answer(say("选中", "Chosen"), pair.chosen, pair)
        with right:
            _answer(say("落选", "Rejected"), pair.rejected, pair)
        st.caption(_origin(pair))
        if pair.title_id is not None:
            session.link("titles", say("打开标题", "Open the title"), title=str(pair.title_id))


def _answer(name: str, side: AnswerSide, pair: PreferencePair) -> None:
    st.markdown(f":gray[{name}]　{category_mark(side.category)}　:gray[{plain(side.by)}]")
    if pair.form == "chain":
        st.markdown(plain(side.chain or ""))
    elif side.chain:
        st.caption(
            say("思维链不参加比较：另一边没有。", "Its chain is not compared: the other answer has none.")
        )


def _origin(pair: PreferencePair) -> str:
    parts = [kind_name(pair.kind), plain(pair.person), local_time(pair.at), plain(pair.comment_text)]
    return "　·　".join(part for part in parts if part)
