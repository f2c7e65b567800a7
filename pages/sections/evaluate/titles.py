"""Draw titles with their answers, both think chains, tags and nearest training rows; send some back."""

from collections.abc import Sequence

import streamlit as st

from pages.sections.evaluate.pushers import influences_of, pushers_button
from pages.shared import session
from pages.shared.charts import column_name
from pages.shared.feedback import report_errors
from pages.shared.text import category_mark, category_name, plain
from studio.contract import UNPARSED, Prediction
from studio.evaluation.feedback import send_predictions_back
from studio.evaluation.row_tags import TagFile
from studio.evaluation.tags import tag_name
from studio.language import say
from studio.runs import Run

SHOWN = 30


def title_list(
    run: Run, chosen: Sequence[Prediction], tags: TagFile | None, *, place: str = "", height: int = 300
) -> None:
    """Draw a page of titles, each with its box, and the button that sends the ticked ones back.

    `place` tells the keys of two lists on one page apart; empty for the first.
    """
    picked = tick_titles(run, chosen, tags, place=place, height=height)
    if st.button(
        say(f"送回标注队列（{len(picked)}）", f"Send back to the label queue ({len(picked)})"),
        key=f"{place}send-back",
        type="primary",
        icon=":material/undo:",
        disabled=not picked,
        width="stretch",
    ):
        _send_back(run, picked)


def tick_titles(
    run: Run,
    chosen: Sequence[Prediction],
    tags: TagFile | None,
    *,
    place: str,
    ticked: bool = False,
    height: int = 300,
) -> list[Prediction]:
    """Draw titles, each with its box and what lies behind it; return the ticked ones.

    Args:
        run: that answered them.
        chosen: the answered rows.
        tags: of all rows of the evaluation.
        place: tells the keys of two lists on one page apart; empty for the first.
        ticked: whether the boxes begin ticked.
        height: pixels of the list, in which it scrolls.
    """
    picked = []
    influences = influences_of(run) if any(row.predicted != row.label for row in chosen) else None
    # A few titles need no scroll bar, and no empty room above the button.
    with st.container(height=height if len(chosen) > 3 else "content", border=False, gap="small"):
        for prediction in chosen:
            key = f"{place}{run.id}-{prediction.answer}-{prediction.row}"
            if st.checkbox(plain(prediction.title), value=ticked, key=f"pick-{key}"):
                picked.append(prediction)
            _details(prediction, tags, key)
            if influences is not None and influences.explains(prediction):
                pushers_button(run, prediction, influences, key)
    return picked


def _details(prediction: Prediction, tags: TagFile | None, key: str) -> None:
    """Draw what lies behind a title: answers, chains, tags, nearest training rows."""
    answers = f"{category_name(prediction.label)} → {column_name(prediction.predicted or UNPARSED)}"
    name = f"{plain(answers)}　{say('思维链', 'think chains')}"
    with st.expander(name, key=f"chains-{key}", type="compact"):
        chain = plain(prediction.label_chain) or "–"
        st.markdown(f":small[**{say('数据集', 'Dataset')}** {category_mark(prediction.label)}　{chain}]")
        said = category_mark(prediction.predicted) if prediction.predicted else say("无法解析", "unparsed")
        answer = plain(prediction.chain or prediction.text) or say(
            "没有思维链（直接打分）", "none (direct scoring)"
        )
        st.markdown(f":small[**{say('模型', 'Model')}** {said}　{answer}]")
        if tags is None:
            return
        names = [tag_name(tag) for tag in tags.tags.get(prediction.row, ())]
        if names:
            st.markdown(" ".join(f":gray-badge[{plain(name)}]" for name in names))
        for near in tags.nearest.get(prediction.row, ()):
            st.markdown(
                f":small[{say('相近的训练行', 'near training row')} {near.row + 1}"
                f"（{near.similarity:.0%}）{category_mark(near.category)}　{plain(near.title)}]"
            )


def _send_back(run: Run, picked: Sequence[Prediction]) -> None:
    with report_errors():
        sent = send_predictions_back(
            session.store(),
            picked,
            run_name=run.record.label or run.id,
            author=session.annotator(),
            scheme=session.scheme(),
        )
        st.success(
            say(f"{sent} 条已排到标注队列最前面。", f"{sent} moved to the front of the label queue."),
            icon=":material/check_circle:",
        )
        session.link("label", say("去标注", "Label titles"))
