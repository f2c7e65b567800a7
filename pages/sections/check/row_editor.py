"""Draw one row of a checked file: as it is in the file, as texts to edit, and what is still wrong."""

import json

import streamlit as st

from pages.sections.check.source import Desk
from pages.shared import session
from pages.shared.text import SEVERITY_ICONS, category_name, plain
from studio.ingest.check_session import Place, as_edit, judge_edit
from studio.language import say
from studio.samples.canonical import write_answer, write_question
from studio.validation.repair import Edit
from studio.validation.rows import Judged

LONGEST = 20_000
"""Characters of a row that are shown as it stands in the file."""


def row_editor(desk: Desk, place: Place, item: Judged) -> None:
    """Draw the row, its edit, and buttons to keep the edit, to leave the row out, or to undo that."""
    name = f"{place[0]}-{place[1]}"
    with st.container(border=True):
        with st.expander(say("文件里的这一行", "The row in the file")):
            st.code(_record(item), language="json", wrap_lines=True)
        kept = desk.edits.get(place)
        start = kept or as_edit(item, session.scheme())
        if place in desk.edits and kept is None:
            st.warning(say("这一行不会写进修复后的副本。", "This row is left out of the repaired copy."))
        _fill(name, start)
        question = st.text_input(say("问题", "Question"), key=f"check-question-{name}")
        answer = st.text_area(say("答案", "Answer"), key=f"check-answer-{name}", height=170)
        edit = Edit(question=question, answer=answer)
        _remaining(item, edit)
        with st.container(horizontal=True):
            _proposals(item, edit, name)
            if st.button(
                say("保留修改", "Keep edit"),
                key=f"check-keep-{name}",
                type="primary",
                disabled=edit == start and place not in desk.edits,
            ):
                _set(desk, place, edit)
            if st.button(say("去掉这一行", "Leave row out"), key=f"check-drop-{name}"):
                _set(desk, place, None)
            if place in desk.edits and st.button(say("撤销修改", "Undo edit"), key=f"check-undo-{name}"):
                del desk.edits[place]
                desk.copy = None
                _refill(name, as_edit(item, session.scheme()))
                st.rerun()


def _record(item: Judged) -> str:
    text = json.dumps(item.row.record, ensure_ascii=False, indent=2, default=str)
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _fill(name: str, start: Edit) -> None:
    """Fill the boxes with the row; a lone surrogate cannot go to a browser."""
    waiting = st.session_state.pop(f"check-refill-{name}", None)
    for part, text in (("question", start.question), ("answer", start.answer)):
        key = f"check-{part}-{name}"
        if waiting is not None:
            st.session_state[key] = _shown(getattr(waiting, part))
        else:
            st.session_state.setdefault(key, _shown(text))


def _shown(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _refill(name: str, edit: Edit) -> None:
    """Fill the boxes with other text in the next run: they cannot change in this one."""
    st.session_state[f"check-refill-{name}"] = edit


def _remaining(item: Judged, edit: Edit) -> None:
    """Draw what is wrong with the row as it stands in the boxes."""
    problems = judge_edit(item, edit, session.scheme()).problems
    lines = [f"{SEVERITY_ICONS[each.severity]} {plain(each.message)}" for each in problems]
    st.markdown(
        "  \n".join(lines)
        or f":green[:material/check:] {say('这一行本身没有问题。', 'The row itself has no problems.')}"
    )


def _proposals(item: Judged, edit: Edit, name: str) -> None:
    """Draw the button that writes the safe repair or the proposed category into the boxes."""
    judged = judge_edit(item, edit, session.scheme())
    meant = [each.repair or each.proposal for each in judged.problems if each.code == "answer_not_category"]
    category = judged.category or next((each for each in meant if each), None)
    answer, scheme = judged.answer, session.scheme()
    if category is None or answer is None or answer.form in ("repeated", "unclosed"):
        return
    better = Edit(
        question=write_question(scheme.prompt, judged.title),
        answer=write_answer(answer.chain or "", category),
    )
    if better != edit and st.button(
        say(
            f"改成规范形式：{category_name(category)}",
            f"Rewrite in canonical form: {category_name(category)}",
        ),
        key=f"check-propose-{name}",
        icon=":material/auto_fix_high:",
    ):
        _refill(name, better)
        st.rerun()


def _set(desk: Desk, place: Place, edit: Edit | None) -> None:
    desk.edits[place] = edit
    desk.copy = None
    st.rerun()
