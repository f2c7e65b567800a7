"""What the model beside the annotators is doing, and how often people agreed with it."""

import streamlit as st

from pages.shared import shell
from studio.language import say
from studio.store import Store
from studio.suggestions.classifier import FEWEST
from studio.suggestions.records import Standing, acceptance, is_wanted, standing, suggester_process
from studio.team.settings import LabelSettings


def model_section(db: Store, settings: LabelSettings) -> None:
    """How the model beside the annotators stands, and how often people agreed with what was shown."""
    st.subheader(say("建议做得怎样", "How the suggestions do"), anchor=False)
    told, is_up = standing(shell.workspace()), suggester_process(shell.workspace()).is_alive()
    st.caption(_standing_line(settings, told, is_up=is_up))
    if told and told.problem:
        st.warning(shell.plain(told.problem), icon=":material/warning:")
    found = acceptance(db)
    if not found:
        st.caption(say("还没有显示过建议。", "No suggestion has been shown yet."))
        return
    shell.table(
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
        alt=say("建议的接受率", "How often suggestions were accepted"),
    )


def source_name(source: str) -> str:
    """Who made a suggestion, in words."""
    known = {
        "tfidf": say("本机小模型（TF-IDF）", "the small model (TF-IDF)"),
        "import": say("导入时的提议", "proposals of an import"),
    }
    return known.get(source, source)


def _standing_line(settings: LabelSettings, told: Standing | None, *, is_up: bool) -> str:
    if not is_wanted(settings):
        return say(
            "建议已关闭，顺序不靠模型：没有模型在跑。",
            "Suggestions are off and the order needs no model: none runs.",
        )
    if told is None or not told.labelled:
        return say(
            f"有 {FEWEST} 条、至少两类已定的标题之后，有人标注时就开始训练。",
            f"Training starts while people label, once {FEWEST} titles of two categories are decided.",
        )
    when = shell.local_time(told.at.isoformat())
    line = say(
        f"上次训练 {when}：{told.labelled} 条，用时 {told.seconds:.1f} 秒，给出 {told.suggested} 条建议",
        f"Last trained {when} on {told.labelled} titles in {told.seconds:.1f} s; {told.suggested} suggestions",
    )
    if told.placed:
        line += say(f"，排好接下来 {told.placed} 条", f", {told.placed} titles placed")
    rests = say("；没有人标注时停下。", "; it rests while nobody labels.")
    return line + (say("；正在运行。", "; running.") if is_up else rests)
