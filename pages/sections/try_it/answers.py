"""Draw many answers as one table of bounded height, and hand answers over as a file."""

from collections.abc import Sequence
from datetime import date
from functools import partial

import streamlit as st

from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import report_errors
from pages.shared.text import category_name, plain
from studio.annotation import requeue
from studio.language import say
from studio.serving.answer_files import FORMATS
from studio.serving.client import Classification

MOST_OPTIONS = 2000
HEIGHT = 420
"""Pixels of the table, however many answers there are."""


def answer_table(answers: Sequence[Classification], model: str) -> None:
    """Draw the answers as a table, what was counted above it, and what can be done with them."""
    unread = sum(answer.category is None for answer in answers)
    differ = sum(answer.ways_disagree for answer in answers)
    st.caption(
        say(
            f"{len(answers):,} 个标题；{differ:,} 个两种回答方式不一致，{unread:,} 个无法读出类别。",
            f"{len(answers):,} titles; the two ways of answering disagree on {differ:,}, "
            f"{unread:,} without a readable category.",
        )
    )
    abstained = sum(answer.abstains for answer in answers)
    if abstained:
        st.caption(
            say(
                f"{abstained:,} 个低于门槛，请人工判断；类别栏里是模型最可能的答案。",
                f"{abstained:,} are below the threshold: please decide yourself. Their category is what the "
                "model would say.",
            )
        )
    share = st.column_config.NumberColumn(format="percent")
    confidence, decision = say("置信度", "confidence"), say("决定", "decision")
    table(
        [
            {
                say("标题", "title"): answer.title,
                say("类别", "category"): category_name(answer.category) if answer.category else "",
                confidence: answer.confidence,
                **({decision: say("请人工判断", "decide yourself") * answer.abstains} if abstained else {}),
                say("不一致", "disagrees"): direct_answer(answer) if answer.ways_disagree else "",
                say("理由", "reason"): answer.chain or "",
            }
            for answer in answers
        ],
        hide_index=True,
        height=HEIGHT,
        column_config={confidence: share},
        alt=say("分类结果", "Answers"),
    )
    download(answers)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        numbers = st.multiselect(
            say("答错的标题", "Titles answered wrongly"),
            range(min(len(answers), MOST_OPTIONS)),
            format_func=lambda number: f"{answers[number].title} · {answers[number].category or '-'}",
            key="classify-wrong-titles",
            placeholder=say("输入几个字查找", "type to find them"),
        )
        if st.button(
            say("放进标注队列", "Add to the label queue"), key="classify-wrong", disabled=not numbers
        ):
            report_wrong([answers[number] for number in numbers], model)


def download(answers: Sequence[Classification]) -> None:
    """Offer the answers as a file, which is written once somebody takes it."""
    with st.container(horizontal=True):
        for name, (write, mime) in FORMATS.items():
            st.download_button(
                name,
                partial(write, answers),
                file_name=f"classified_{date.today():%Y%m%d}.{name}",
                mime=mime,
                key=f"classify-download-{name}",
                icon=":material/download:",
                on_click="ignore",
            )


def direct_answer(answer: Classification) -> str:
    """Name the category of direct scoring with its probability; empty where there is none."""
    if not answer.probabilities or answer.direct_category is None:
        return ""
    return f"{plain(answer.direct_category)} {answer.probabilities[answer.direct_category]:.0%}"


def report_wrong(answers: Sequence[Classification], model: str) -> None:
    """Queue the titles of a model's wrong answers for labelling, and keep the answers."""
    with report_errors():
        for answer in answers:
            requeue.add_wrong(
                session.store(),
                answer.title,
                answer.category,
                session.annotator(),
                chain=answer.chain,
                model=model,
            )
        st.toast(say("已放进标注队列。", "Added to the label queue."), icon=":material/check:")
