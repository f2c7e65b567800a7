"""Draw the title under review, its answers side by side, one key for each, and the forms."""

from collections.abc import Mapping

import streamlit as st

from pages.sections.review import actions
from pages.shared import keyboard, session, title_clock
from pages.shared.digit_buttons import digit_buttons
from pages.shared.feedback import fragment
from pages.shared.guidelines import pair_rules
from pages.shared.text import (
    SEVERITY_ICONS,
    category_mark,
    category_name,
    local_time,
    person_colors,
    person_mark,
    plain,
    plain_stored,
)
from pages.shared.title_history import history_button
from studio.annotation import review
from studio.annotation.review import Case, Queue, StandingAnswer
from studio.language import say
from studio.samples.chain_lint import lint_chain
from studio.store import Store
from studio.team.settings import LabelSettings, load_settings

TAKE_KEYS = "ABDEFGHIJK"
"""One letter an answer. Streamlit keeps C and R for itself; T, N and U are actions."""

LONGEST_SHOWN = 400
"""Characters of a title: a title of a million would be all that the page shows."""

WHY = {
    "disputed": (":material/call_split: 有争议", ":material/call_split: disputed"),
    "flagged": (":material/flag: 存疑", ":material/flag: flagged"),
    "decided": (":material/shuffle: 抽查", ":material/shuffle: spot check"),
}


@fragment
def review_case(queue: Queue) -> None:
    """Draw the next title of a queue in one fragment: a press redraws only this part."""
    db = session.store()
    settings = load_settings(db)
    case = review.next_case(db, queue=queue, author=session.annotator(), settings=settings)
    _queue_line(db, settings)
    if case is None:
        _nothing_left(queue, settings)
        _undo_button()
        return
    title_clock.start("review", case.title)
    colors = person_colors(db)
    # While a comment is typed, its letters and digits must decide nothing.
    typing = st.session_state.get(actions.ASKING) == (case.title.id, case.title.revision)
    _title_card(case)
    _answers(case, colors, disabled=typing)
    _digits(case, disabled=typing)
    _actions(case, queue, disabled=typing)
    if typing:
        _comment_form(case, colors)
    _edit_form(case)


def _queue_line(db: Store, settings: LabelSettings) -> None:
    waiting = review.waiting(db, author=session.annotator(), settings=settings)
    spot_check = f"{waiting.spot_check}+" if waiting.spot_check >= 1000 else str(waiting.spot_check)
    st.caption(
        say(
            f"争议 **{waiting.disputed}**　·　存疑 **{waiting.flagged}**　·　待抽查 **{spot_check}**"
            f"（抽查 {settings.review_rate:.0%}，不含自己的）",
            f"Disputed **{waiting.disputed}**　·　flagged **{waiting.flagged}**　·　"
            f"to spot-check **{spot_check}** ({settings.review_rate:.0%} sampled, your own excluded)",
        )
    )


def _nothing_left(queue: Queue, settings: LabelSettings) -> None:
    if queue == "adjudicate":
        text = say("没有等待裁定的标题了。", "No titles left to adjudicate.")
    elif not settings.review_rate:
        text = say("抽查比例是 0，不抽查。", "The spot-check rate is 0: nothing is sampled.")
    else:
        text = say("没有要抽查的标题了。", "No titles left to spot-check.")
    st.success(text, icon=":material/task_alt:")
    st.caption(
        say(
            "两个人的答案不同、有人标“存疑”，或抽查抽到别人标的标题时，会出现在这里。",
            "Titles appear here when answers differ, when somebody flags one, or when one that "
            "others decided "
            "is sampled.",
        )
    )
    with st.container(horizontal=True):
        session.link("label", say("去标注", "Label titles"))
        session.link("team", say("看团队进度", "See team progress"))


def _title_card(case: Case) -> None:
    title = case.title
    with st.container(border=True, gap="small"):
        st.header(plain(title.text[:LONGEST_SHOWN]), anchor=False)
        facts = [say(*WHY[title.status]), f":gray[{say(f'第 {title.id} 条', f'No. {title.id}')}]"]
        if title.category:
            facts.append(say("现为 ", "now ") + category_mark(title.category))
        elif title.proposal:
            facts.append(say("建议 ", "proposed ") + category_mark(title.proposal))
        if title.note:
            facts.append(f":orange[{plain_stored(title.note)}]")
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f":small[{'　'.join(facts)}]", width="content")
            history_button(title.id)


def _answers(case: Case, colors: Mapping[str, str], *, disabled: bool) -> None:
    """Draw all answers side by side, each with its key."""
    if not case.answers:
        return
    for start in range(0, len(case.answers), 4):
        row = case.answers[start : start + 4]
        columns = st.columns(max(2, len(row)), gap="small")
        for offset, (column, answer) in enumerate(zip(columns, row, strict=False)):
            letter = TAKE_KEYS[start + offset] if start + offset < len(TAKE_KEYS) else None
            with column.container(border=True, height="stretch"):
                _answer(case, answer, letter, colors, disabled=disabled)


def _answer(
    case: Case, answer: StandingAnswer, letter: str | None, colors: Mapping[str, str], *, disabled: bool
) -> None:
    title = case.title
    seconds = f"{answer.active_seconds:.0f} s · " if answer.active_seconds is not None else ""
    st.markdown(f"{person_mark(answer.author, colors)}　:gray[:small[{seconds}{local_time(answer.at)}]]")
    if answer.category is None:
        word = say("存疑", "flagged") if answer.kind == "flag" else say("跳过", "skipped")
        st.markdown(f":orange[{word}]　{plain_stored(answer.reason)}")
        return
    st.markdown(f"**{category_mark(answer.category)}**")
    if answer.chain:
        st.markdown(f":small[{plain(answer.chain)}]")
    else:
        st.caption(say("没有写思维链", "no think chain"))
    st.button(
        say("取这个答案", "Take this answer"),
        key=f"take-{answer.annotation_id}-{title.id}-{title.revision}",
        shortcut=letter,
        disabled=disabled,
        on_click=actions.decide,
        args=(title.id, title.revision, answer.category, answer.chain or case.chain_for(answer.category)),
        width="stretch",
    )


def _digits(case: Case, *, disabled: bool) -> None:
    """Draw one button a category; its digit decides at once."""
    title = case.title
    digit_buttons(
        f"{title.id}-{title.revision}",
        actions.decide,
        lambda category: (title.id, title.revision, category, case.chain_for(category)),
        disabled=disabled,
    )


def _actions(case: Case, queue: Queue, *, disabled: bool) -> None:
    title, version = case.title, f"{case.title.id}-{case.title.revision}"
    with st.container(horizontal=True, gap="small"):
        if case.favoured:
            approve = say("通过：", "Approve: ") + category_name(case.favoured)
            st.button(
                approve,
                key=f"approve-{version}",
                shortcut="Enter",
                disabled=disabled,
                type="primary",
                icon=":material/done_all:",
                on_click=actions.decide,
                args=(title.id, title.revision, case.favoured, case.chain_for(case.favoured)),
            )
        st.button(
            say("退回", "Send back"),
            key=f"back-{version}",
            shortcut="T",
            disabled=disabled,
            icon=":material/reply:",
            on_click=actions.ask_comment,
            args=(title.id, title.revision),
        )
        st.button(
            say("下一条", "Next"),
            key=f"next-{version}",
            shortcut="N",
            disabled=disabled,
            icon=":material/skip_next:",
            on_click=actions.pass_on,
            args=(queue,),
        )
        _undo_button(disabled=disabled)


def _undo_button(*, disabled: bool = False) -> None:
    st.button(
        say("撤销", "Undo"),
        key="review-undo",
        shortcut="U",
        disabled=disabled,
        icon=":material/undo:",
        on_click=actions.undo,
    )


def _comment_form(case: Case, colors: Mapping[str, str]) -> None:
    """Draw the form for the comment, and whom the title goes back to."""
    title, version = case.title, f"{case.title.id}-{case.title.revision}"
    names = list(dict.fromkeys(answer.author for answer in case.answers)) or [title.author or ""]
    with st.form(f"send-back-{version}", enter_to_submit=False):
        st.text_area(
            say("给标注员的说明（会显示在标题旁）", "Comment for the annotator, shown beside the title"),
            key=f"review-comment-{version}",
            height=80,
            max_chars=300,
            placeholder=say(
                "例如：主角是球队，不是公司。", "For example: it is about the team, not the company."
            ),
        )
        anyone = ""
        st.pills(
            say("退给", "Send back to"),
            [*names, anyone],
            default=names[-1],
            key=f"review-addressee-{version}",
            required=True,
            format_func=lambda name: person_mark(name, colors) if name else say("任何人", "anyone"),
        )
        with st.container(horizontal=True):
            st.form_submit_button(
                say("退回", "Send back"),
                key=f"send-{version}",
                type="primary",
                shortcut="Ctrl+Enter",
                on_click=actions.send_back,
                args=(title.id, title.revision),
            )
            st.form_submit_button(
                say("取消", "Cancel"),
                key=f"keep-{version}",
                shortcut="Esc",
                on_click=actions.close_comment,
            )
    keyboard.focus_on(f"review-comment-{version}")


def _edit_form(case: Case) -> None:
    """Draw the form for another category and chain; only once it is opened."""
    version = f"{case.title.id}-{case.title.revision}"
    expander = st.expander(
        say("改类别和思维链", "Edit category and think chain"), key=f"edit-{version}", on_change="rerun"
    )
    if expander.open:
        with expander, st.form(f"edit-form-{version}", border=False, enter_to_submit=False):
            _edit_fields(case, version)
    _remarks(case)


def _edit_fields(case: Case, version: str) -> None:
    title = case.title
    st.pills(
        say("类别", "Category"),
        session.scheme().names,
        default=case.favoured if case.favoured in session.scheme().names else None,
        key=f"review-category-{version}",
        format_func=category_mark,
        wrap=True,
    )
    st.text_area(
        say("思维链", "Think chain"),
        value=(case.chain_for(case.favoured) if case.favoured else title.chain) or "",
        key=f"review-chain-{version}",
        height=130,
    )
    st.form_submit_button(
        say("保存", "Save"),
        key=f"review-save-{version}",
        on_click=actions.save_edit,
        args=(title.id, title.revision),
    )


def _remarks(case: Case) -> None:
    """Draw the lint findings of the chain that would be kept, and the rule between the answers."""
    answered = list(dict.fromkeys(answer.category for answer in case.answers if answer.category))
    for index, category in enumerate(answered):
        pair_rules(session.scheme(), category, set(answered[index + 1 :]))
    chain = case.chain_for(case.favoured) if case.favoured else None
    if chain and case.favoured:
        for finding in lint_chain(case.title.text, chain, case.favoured, session.scheme()):
            st.caption(f"{SEVERITY_ICONS[finding.severity]} {plain(finding.message)}")
