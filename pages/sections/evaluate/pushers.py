"""Draw the training rows that pushed for wrong answers and against them, and send some to the label queue."""

from collections.abc import Sequence

import streamlit as st

from pages.shared import session
from pages.shared.feedback import report_errors
from pages.shared.text import category_mark, category_name, plain
from studio.contract import Prediction
from studio.corpus.titles import find_title
from studio.evaluation.feedback import TaughtRow, send_training_rows_back
from studio.evaluation.influence_runs import Influences, Pusher, last_influence
from studio.language import say
from studio.messages import message, stored
from studio.runs import Run


def influences_of(run: Run) -> Influences | None:
    """Read the last influences of an evaluation; None while there are none."""
    with report_errors():
        last = last_influence(session.workspace(), run, session.scheme())
        return last.result if last else None
    return None


def pushers_button(run: Run, answered: Prediction, found: Influences, key: str) -> None:
    """Draw the button that opens the training rows behind a wrong answer."""
    label = say("哪些训练行教的", "Which training rows taught it this")
    if st.button(label, key=f"taught-{key}", icon=":material/school:", type="tertiary"):
        _dialog(run, answered, found)


def _dialog(run: Run, answered: Prediction, found: Influences) -> None:
    @st.dialog(say("哪些训练行教的", "Which training rows taught it this"), width="large")
    def show() -> None:
        said = category_name(answered.predicted) if answered.predicted else say("无法解析", "unparsed")
        st.markdown(f"**{plain(answered.title)}**  \n{category_name(answered.label)} → {said}")
        with report_errors():
            pusher_lists(run, [answered], found, place=f"one-{answered.answer}-{answered.row}")

    show()


def pusher_lists(run: Run, answers: Sequence[Prediction], found: Influences, *, place: str) -> None:
    """Draw the rows that pushed for wrong answers and against them, and the button for the ticked ones."""
    up, down = found.pushers(answers)
    if not up and not down:
        st.info(say("这些回答没有算过影响。", "The influence on these answers was not computed."))
        return
    columns = st.columns(2, gap="medium")
    picked: list[Pusher] = []
    for column, rows, name in (
        (columns[0], up, say("推向错答案的", "Pushed for the wrong answer")),
        (columns[1], down, say("拉向数据集类别的", "Held to the dataset's category")),
    ):
        with column:
            st.markdown(f"**{name}**")
            picked += [row for row in rows if tick_row(row, f"{row.effect:+.2f}", place=place)]
    reason = message("error_pushing_row", run=run.record.label or run.id, title=answers[0].title)
    send_back_button(run, picked, stored(reason), place=place)


def tick_row(row: Pusher | TaughtRow, number: str, *, place: str) -> bool:
    """Draw a training row with its box, its number and the way to its title; return whether it is ticked."""
    title = find_title(session.store(), row.title)
    ticked = st.checkbox(
        plain(row.title) or say("（不是标题行）", "(no title row)"), key=f"row-{place}-{row.row}"
    )
    facts = say(f"第 {row.row + 1} 行", f"row {row.row + 1}")
    chain = plain(row.chain) or say("没有思维链", "no chain")
    mark = category_mark(row.category) if row.category else ""
    st.markdown(f":small[{mark} :gray[{number} · {facts}]　{chain}]")
    if title is not None:
        label = say("打开这条标题", "Open the title")
        session.link("titles", label, icon=":material/open_in_new:", title=str(title.id))
    return ticked and bool(row.title)


def send_back_button(run: Run, picked: Sequence[TaughtRow], reason: str, *, place: str) -> None:
    """Draw the button that puts the ticked training titles into the label queue."""
    if not st.button(
        say(f"送回标注队列（{len(picked)}）", f"Send back to the label queue ({len(picked)})"),
        key=f"{place}-rows-back",
        type="primary",
        icon=":material/undo:",
        disabled=not picked,
    ):
        return
    with report_errors():
        sent = send_training_rows_back(
            session.store(),
            picked,
            reason=reason,
            source=run.record.label or run.id,
            author=session.annotator(),
            scheme=session.scheme(),
        )
        st.success(
            say(f"{sent} 条已排到标注队列最前面。", f"{sent} moved to the front of the label queue."),
            icon=":material/check_circle:",
        )
        session.link("label", say("去标注", "Label titles"))
