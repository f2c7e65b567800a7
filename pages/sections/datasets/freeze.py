"""Draw what a freeze would take now, its form, and the warnings that somebody has to accept."""

from collections.abc import Sequence

import streamlit as st

from pages.shared import charts, session
from pages.shared.elements import choose_one
from pages.shared.feedback import report_errors
from pages.shared.files import uploaded_path
from pages.shared.text import plain
from studio.corpus.titles import category_counts, count_by_status, count_without_chain
from studio.datasets.eval_list import read_eval_list
from studio.datasets.freeze_process import FreezeRequest, freeze_apart
from studio.datasets.outlook import Outlook, freeze_outlook
from studio.datasets.versions import Chainless
from studio.errors import FreezeRefused
from studio.language import say
from studio.store import Store

REASONS = "freeze-reasons"
"""Session key: the warnings of the last press that nobody has accepted yet."""
SHOWN_REASONS = 20
MOST_TITLES = 5000
"""Decided titles up to which the page computes the outlook each time it is drawn."""


def freeze_section(db: Store) -> None:
    """Draw what would be frozen now, and the button that does it."""
    counts = count_by_status(db)
    if not counts["decided"]:
        st.info(
            say(
                "还没有已定的标题，先去标注或导入带答案的数据。",
                "No title is decided yet: label some, or import labelled data.",
            )
        )
        session.link("label", say("去标注", "Label titles"))
        return
    summary, form = st.columns([1, 1.1], gap="large")
    with summary:
        st.markdown(
            say(
                f"现在冻结会收进 **{counts['decided']}** 条已定标题；"
                f"**{counts['waiting']}** 条还在等待，不会收进去。",
                f"Freezing now takes **{counts['decided']}** decided titles; **{counts['waiting']}** are "
                "still waiting and stay out.",
            )
        )
        st.altair_chart(
            charts.category_bars(category_counts(db), session.scheme()),
            alt=say("已定标题的类别", "Decided titles per category"),
        )
        outlook = _outlook(db, counts["decided"])
        for sentence in outlook.sentences if outlook else []:
            st.caption(f":material/info: {plain(sentence)}")
    with form:
        _freeze_form(count_without_chain(db))


def _outlook(db: Store, decided: int) -> Outlook | None:
    """Compute what a freeze with the defaults would take; of very many titles, it is left to the freeze."""
    if decided > MOST_TITLES:
        return None
    return freeze_outlook(db, st.session_state.get("freeze-name") or "news", scheme=session.scheme())


def _freeze_form(without_chain: int) -> None:
    if without_chain:
        session.link(
            "drafts", say(f"先写这 {without_chain} 条思维链", f"Write these {without_chain} chains first")
        )
    with st.form("freeze"):
        name = st.text_input(say("名称", "Name"), value="news", key="freeze-name")
        share = st.number_input(
            say("评估集比例", "Evaluation share"),
            value=None,
            min_value=0.01,
            max_value=0.9,
            step=0.05,
            key="freeze-share",
            placeholder=say("自动", "automatic"),
            help=say(
                "留空：导入时已有划分的照原样，没有的取 0.2。近似重复的标题总在同一边。",
                "Empty: a split that came with the import is kept, else 0.2. Near duplicates stay together.",
            ),
        )
        with st.expander(say("更多", "More"), key="freeze-more"):
            seed = st.number_input(say("随机种子", "Seed"), value=42, step=1, key="freeze-seed")
            listed = st.file_uploader(
                say("固定的评估标题（每行一个）", "A fixed list of evaluation titles, one per line"),
                key="freeze-list",
            )
            sealed = st.number_input(
                say("封存比例", "Sealed share"),
                value=None,
                min_value=0.01,
                max_value=0.9,
                step=0.05,
                key="freeze-sealed",
                placeholder=say("不封存", "none"),
                help=say(
                    "取一份从没用过的标题封存：不训练、不评估，发布前才打开一次，同一件新闻不会分在两边。",
                    "Seals titles that no version has used: neither trained nor evaluated on, opened once "
                    "before a release. Stories are never split.",
                ),
            )
            resplit = st.checkbox(
                say("重新划分训练集和评估集", "Split into training and evaluation anew"),
                key="freeze-resplit",
                help=say(
                    "不勾选：进过评估集的标题一直留在评估集，各版本的分数才可比。",
                    "Off: a title that was in an evaluation set stays in it, so that the scores of all "
                    "versions can be compared.",
                ),
            )
        chainless: Chainless = "keep"
        if without_chain:
            chainless = choose_one(
                say(
                    f"{without_chain} 条已定标题没有思维链",
                    f"{without_chain} decided titles have no think chain",
                ),
                ("keep", "leave_out"),
                format_func=lambda choice: (
                    say("收进去，训练成直接回答", "take them, as direct answers")
                    if choice == "keep"
                    else say("不收", "leave them out")
                ),
                key="freeze-chainless",
            )
        pressed = st.form_submit_button(
            say("冻结", "Freeze"),
            key="freeze-now",
            type="primary",
            icon=":material/lock:",
            help=say(
                "像报纸定版：把现在已定的标题存成一个不再改变的版本；以后的标注进下一个版本。",
                "Stores the titles decided now as a version that never changes; what is labelled later goes "
                "into the next one.",
            ),
        )
    accepted = _accept_button() if st.session_state.get(REASONS) and not pressed else False
    if pressed or accepted:
        eval_titles: Sequence[str] = ()
        with report_errors():
            if listed is not None:
                with uploaded_path(listed) as path:
                    eval_titles = read_eval_list(path, session.scheme())
            _freeze(
                FreezeRequest(
                    name=name.strip(),
                    eval_share=share,
                    seed=int(seed),
                    eval_titles=tuple(eval_titles),
                    resplit=resplit,
                    accept_warnings=accepted,
                    chainless=chainless,
                    sealed_share=sealed,
                    author=session.annotator(),
                )
            )


def _freeze(request: FreezeRequest) -> None:
    st.session_state.pop(REASONS, None)
    try:
        with st.spinner(say("正在检查并冻结……", "Checking and freezing ...")):
            version, notes = freeze_apart(session.workspace(), request)
    except FreezeRefused as refused:
        if not refused.can_accept:
            st.markdown(_list(refused.reasons[:SHOWN_REASONS]))
            raise
        st.session_state[REASONS] = refused.reasons
        st.rerun()
    st.success(
        say(
            f"已冻结 {version.ref}：训练 {version.rows['train']} 条，评估 {version.rows['eval']} 条。",
            f"Frozen as {version.ref}: {version.rows['train']} for training, {version.rows['eval']} for "
            "evaluation.",
        )
    )
    for note in notes:
        st.info(plain(note), icon=":material/info:")
    session.link("train", say("用它训练", "Train on it"))


def _accept_button() -> bool:
    """Draw the warnings of the last press; whether somebody accepts them."""
    reasons = st.session_state[REASONS]
    st.warning(
        f"{say('冻结前请确认：', 'Please confirm before freezing:')}\n\n{_list(reasons)}",
        icon=":material/warning:",
    )
    return st.button(
        say(f"忽略这 {len(reasons)} 个警告并冻结", f"Freeze despite {len(reasons)} warnings"),
        key="freeze-accept",
        icon=":material/lock:",
    )


def _list(reasons: Sequence[str]) -> str:
    return "\n".join(f"- {plain(reason)}" for reason in reasons)
