"""Draw the state of the suggestion model, and how often people accepted its suggestions."""

import streamlit as st

from pages.shared import session
from pages.shared.elements import table
from pages.shared.text import local_time, plain
from studio.language import say
from studio.store import Store
from studio.suggestions.classifier import FEWEST
from studio.suggestions.records import Standing, acceptance, is_wanted, standing, suggester_process
from studio.team.settings import LabelSettings


def model_section(db: Store, settings: LabelSettings) -> None:
    """Draw the state of the suggestion model, and its acceptance rate."""
    st.subheader(say("建议的效果", "Suggestions"), anchor=False)
    state, is_up = standing(session.workspace()), suggester_process(session.workspace()).is_alive()
    st.caption(_standing_line(settings, state, is_up=is_up))
    if state and state.problem:
        st.warning(plain(state.problem), icon=":material/warning:")
    found = acceptance(db)
    if not found:
        st.caption(say("还没有显示过建议。", "No suggestion has been shown yet."))
        return
    table(
        [
            {
                say("来源", "from"): source_name(each.source),
                say("显示", "shown"): each.shown,
                say("接受", "accepted"): each.accepted,
                say("接受率", "acceptance rate"): f"{each.rate:.1%}",
            }
            for each in found
        ],
        hide_index=True,
        height="content",
        alt=say("建议的接受率", "Acceptance rate of suggestions"),
    )


def source_name(source: str) -> str:
    """Name who made a suggestion."""
    known = {
        "tfidf": say("本机小模型（TF-IDF）", "the small model (TF-IDF)"),
        "import": say("导入时的提议", "proposals from imports"),
    }
    return known.get(source, source)


def _standing_line(settings: LabelSettings, state: Standing | None, *, is_up: bool) -> str:
    if not is_wanted(settings):
        return say(
            "建议已关闭，顺序也不依赖模型：没有模型在运行。",
            "Suggestions are off and the order needs no model: no model is running.",
        )
    if state is None or not state.labelled:
        return say(
            f"已定标题达到 {FEWEST} 条、至少两类之后，有人标注时就开始训练。",
            f"Training starts while people label, once {FEWEST} titles in at least two categories "
            "are decided.",
        )
    when = local_time(state.at.isoformat())
    line = say(
        f"上次训练 {when}：{state.labelled} 条，用时 {state.seconds:.1f} 秒，给出 {state.suggested} 条建议",
        f"Last trained {when} on {state.labelled} titles in {state.seconds:.1f} s; "
        f"{state.suggested} suggestions",
    )
    if state.placed:
        line += say(f"，排好接下来 {state.placed} 条", f", the next {state.placed} titles ordered")
    idle = say("；没有人标注时不运行。", "; idle while nobody labels.")
    return line + (say("；正在运行。", "; running.") if is_up else idle)
