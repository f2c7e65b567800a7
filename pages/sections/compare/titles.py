"""List titles, and draw one with both think chains, its history and its nearest training rows."""

from collections.abc import Sequence
from difflib import SequenceMatcher

import streamlit as st

from pages.shared import session
from pages.shared.feedback import report_errors, reporting
from pages.shared.text import category_mark, highlighted, plain, plain_stored
from pages.shared.title_history import history_button
from studio.contract import Prediction
from studio.corpus.titles import find_title
from studio.errors import StudioError
from studio.evaluation.compared import Compared
from studio.evaluation.entries import Entry
from studio.evaluation.feedback import send_predictions_back
from studio.evaluation.nearest_rows import TrainingData, nearest_rows, training_data
from studio.language import say

SHOWN = 20
LONGEST = 2000
"""Characters of a chain that are compared; a longer one is cut off there."""


def title_list(
    found: Compared, entries: Sequence[Entry], shown: int, rows: Sequence[int], *, key: str
) -> None:
    """Draw titles page by page; the chosen one stands beside them in full."""
    st.markdown(say(f"**{len(rows)} 条标题**", f"**Titles: {len(rows)}**"))
    if not rows:
        st.caption(say("这里没有标题。", "There are no titles here."))
        return
    pages = -(-len(rows) // SHOWN)
    page = 1
    if pages > 1:
        page = int(
            st.number_input(
                say(f"第几页（共 {pages} 页）", f"Page (of {pages})"), 1, pages, key=f"compare-page-{key}"
            )
        )
    listed = rows[(page - 1) * SHOWN : page * SHOWN]
    chosen = st.session_state.get("compare-title", -1)
    chosen = int(chosen) if chosen in rows else listed[0]
    names, detail = st.columns([1, 1.3], gap="medium")
    with names, st.container(height=420 if len(listed) > 6 else "content", border=False, gap="small"):
        for row in listed:
            st.button(
                plain(found.aligned.titles[row]),
                key=f"compare-{key}-{row}",
                type="secondary" if row == chosen else "tertiary",
                on_click=_choose,
                args=(row,),
                width="stretch",
            )
    with detail, st.container(border=True):
        _one_title(found, entries, shown, chosen)


@reporting
def _choose(row: int) -> None:
    st.session_state["compare-title"] = row


def _one_title(found: Compared, entries: Sequence[Entry], shown: int, row: int) -> None:
    (a,), (b,) = (found.predictions(side, [row]) for side in (0, shown))
    st.markdown(f"**{plain(a.title)}**　{say('数据集：', 'dataset: ')}{category_mark(a.label)}")
    if a.label_chain:
        st.markdown(f":small[:gray[{plain(a.label_chain)}]]")
    marked = _differences(_chain(a), _chain(b))
    for column, prediction, name, chain in zip(
        st.columns(2), (a, b), (found.names[0], found.names[shown]), marked, strict=True
    ):
        with column:
            st.markdown(f"{plain(name)}　{_answer(prediction)}")
            st.markdown(f":small[{chain}]" if chain else _no_chain())
    title = find_title(session.store(), a.title)
    if title is not None:
        left, right = st.columns(2)
        with left:
            history_button(title.id, key="compare-history")
        with right:
            if title.note:
                st.caption(plain_stored(title.note))
    _nearest(entries, shown, a.title)
    _send_back_button(found, shown, b)


def _answer(prediction: Prediction) -> str:
    if prediction.predicted is None:
        return f":orange[{say('无法解析', 'unparsed')}]"
    right = prediction.predicted == prediction.label
    mark = ":green[:material/check:]" if right else ":red[:material/close:]"
    return f"{mark} {category_mark(prediction.predicted)}"


def _no_chain() -> str:
    return f":small[:gray[{say('没有思维链（直接打分）', 'none (direct scoring)')}]]"


def _chain(prediction: Prediction) -> str:
    return " ".join((prediction.chain or prediction.text or "").split())[:LONGEST]


def _differences(a: str, b: str) -> tuple[str, str]:
    """Escape two chains for Markdown, with what only one of them says on a coloured ground."""
    if not a or not b:
        return plain(a), plain(b)
    left, right = [], []
    for kind, a_from, a_to, b_from, b_to in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        ground = None if kind == "equal" else "orange"
        left.append(highlighted(a[a_from:a_to], ground))
        right.append(highlighted(b[b_from:b_to], ground))
    return "".join(left), "".join(right)


def _nearest(entries: Sequence[Entry], shown: int, title: str) -> None:
    """Draw the training rows nearest to the title, of either version."""
    workspace = session.workspace()
    sources: dict[TrainingData, list[str]] = {}
    for side, name in ((0, "A"), (shown, "B")):
        data = training_data(workspace, entries[side].runs[0])
        if data is not None:
            sources.setdefault(data, []).append(name)
    if not sources:
        return
    with st.expander(
        say("最近的训练行", "Nearest training rows"), key=f"compare-nearest-{shown}", type="compact"
    ):
        for data, names in sources.items():
            st.caption(f"{'、'.join(names)} · {plain(data.name)}")
            try:
                rows = nearest_rows(data, title)
            except StudioError as error:
                st.caption(plain(error.problem))
                continue
            for each in rows:
                mark, text = category_mark(each.row.category), plain(each.row.title)
                st.markdown(f":small[{each.similarity:.0%}　{mark}　{text}]")
            if not rows:
                st.caption(say("没有相近的训练行。", "No training row is near."))


def _send_back_button(found: Compared, shown: int, prediction: Prediction) -> None:
    if st.button(
        say("送回标注队列", "Send back to the label queue"),
        key=f"compare-send-{prediction.row}",
        icon=":material/undo:",
        type="tertiary",
    ):
        with report_errors():
            send_predictions_back(
                session.store(),
                [prediction],
                run_name=found.names[shown],
                author=session.annotator(),
                scheme=session.scheme(),
            )
            st.success(
                say("已排到标注队列最前面。", "It is at the front of the label queue."),
                icon=":material/check_circle:",
            )
