"""Draw the history of a title in a dialog that opens from everywhere, and restore any state."""

import streamlit as st

from pages.shared import session
from pages.shared.feedback import notify, report_errors, reporting, show_notices
from pages.shared.text import category_mark, local_time, person_colors, person_mark, plain, plain_stored
from studio.annotation import bulk_edits, history
from studio.annotation.history import HistoryEntry
from studio.corpus.titles import Status, Title, get_title
from studio.language import say
from studio.store import Store
from studio.team.people import REVIEWERS

ACTION_NAMES: dict[str, tuple[str, str]] = {
    "import": ("导入", "imported"),
    "annotate": ("标注", "labelled"),
    "agree": ("答案一致", "agreed"),
    "dispute": ("答案不一致", "disputed"),
    "skip": ("跳过", "skipped"),
    "flag": ("存疑", "flagged"),
    "send_back": ("退回", "sent back"),
    "wrong": ("模型答错", "the model was wrong"),
    "review": ("审核", "reviewed"),
    "relabel": ("批量改类", "relabelled"),
    "trash": ("移入回收站", "moved to the trash"),
    "withdraw": ("撤回导入", "import withdrawn"),
    "restore": ("恢复", "restored"),
    "undo": ("撤销", "undid"),
    "answer": ("作答", "answered"),
    "gold": ("金标作答", "answered (gold)"),
}
STATUS_NAMES: dict[Status, tuple[str, str]] = {
    "waiting": ("待标注", "waiting"),
    "decided": ("已定", "decided"),
    "skipped": ("已跳过", "skipped"),
    "flagged": ("存疑", "flagged"),
    "disputed": ("有争议", "disputed"),
    "trashed": ("回收站", "in the trash"),
}
VERDICT_NAMES = {
    "approve": ("通过", "approved"),
    "edit": ("修改", "edited"),
    "send_back": ("退回", "sent back"),
}


def history_button(title_id: int, *, key: str = "history") -> None:
    """Draw a small button that opens the history of a title."""
    if st.button(
        say("历史", "History"),
        key=f"{key}-{title_id}",
        icon=":material/history:",
        type="tertiary",
    ):
        history_dialog(title_id)


def history_dialog(title_id: int) -> None:
    """Open the dialog; one at a time."""

    @st.dialog(say("标题的历史", "History of a title"), width="large")
    def show() -> None:
        if st.session_state.pop("history-moved", False):
            st.rerun()  # the page behind shows the title as it was
        with report_errors():
            show_notices()
            history_section(session.store(), title_id)

    show()


def history_section(db: Store, title_id: int) -> None:
    """Draw the state of a title, its tags, and everything that happened to it, latest first."""
    title = get_title(db, title_id)
    title_head(db, title)
    history_list(db, title)


def title_head(db: Store, title: Title) -> None:
    """Draw a title with where it stands and its tags."""
    st.markdown(f"**{plain(title.text[:400])}**")
    facts = [
        f":gray[{say(f'第 {title.id} 条', f'No. {title.id}')} · {plain_stored(title.source)}]",
        say(*STATUS_NAMES[title.status]),
    ]
    if title.category:
        facts.append(category_mark(title.category))
    facts += [f":gray-badge[{plain(tag)}]" for tag in bulk_edits.tags_of(db, title.id)]
    st.markdown("　".join(facts))


def history_list(db: Store, title: Title) -> None:
    """Draw everything that happened to a title, latest first."""
    colors = person_colors(db)
    may_restore = session.person().role in REVIEWERS
    for index, event in enumerate(history.history(db, title.id)):
        _event(title, event, index, colors, may_restore=may_restore)


def _event(
    title: Title, event: HistoryEntry, index: int, colors: dict[str, str], *, may_restore: bool
) -> None:
    with st.container(border=True, gap=None):
        text, button = st.columns([5, 1], vertical_alignment="center")
        with text:
            st.markdown(_headline(event, colors))
            details = _details(event)
            if details:
                st.caption(details)
            if event.chain:
                st.markdown(f":small[:gray[{plain(event.chain)}]]")
        if event.counts and not event.is_taken_back:
            button.badge(say("现在", "now"), color="green")
        elif may_restore and event.decision_id is not None and event.status is not None:
            button.button(
                say("恢复", "Restore"),
                key=f"restore-{title.id}-{title.revision}-{event.decision_id}-{index}",
                on_click=_restore,
                args=(title.id, title.revision, event.decision_id),
                help=say("把标题恢复到这个状态。", "Restore the title to this state."),
            )


def _headline(event: HistoryEntry, colors: dict[str, str]) -> str:
    parts = [person_mark(event.author, colors), f"**{say(*ACTION_NAMES[event.action])}**"]
    if event.category:
        parts.append(category_mark(event.category))
    elif event.status:
        parts.append(f":gray[→ {say(*STATUS_NAMES[event.status])}]")
    if event.verdict:
        parts.append(f":gray[{say(*VERDICT_NAMES[event.verdict])}]")
    if event.is_taken_back:
        parts.append(f":orange[{say('已撤销', 'undone')}]")
    parts.append(f":gray[:small[{local_time(event.at)}]]")
    return "　".join(parts)


def _details(event: HistoryEntry) -> str:
    parts = []
    if event.suggestion:
        source = event.suggestion_source or ""
        parts.append(say("当时的建议：", "suggested: ") + f"{plain(event.suggestion)} · {plain(source)}")
    if event.active_seconds is not None:
        parts.append(say(f"用时 {event.active_seconds:.1f} 秒", f"{event.active_seconds:.1f} s"))
    if event.addressee:
        parts.append(say("退给 ", "back to ") + plain(event.addressee))
    if event.step_id is not None:
        parts.append(say(f"批量修改 {event.step_id}", f"bulk edit {event.step_id}"))
    if event.note:
        parts.append(f"“{plain_stored(event.note)}”")
    return "　·　".join(parts)


@reporting
def _restore(title_id: int, revision: int, decision_id: int) -> None:
    """Restore an earlier state."""
    history.restore(
        session.store(), title_id, decision_id, author=session.annotator(), seen_revision=revision
    )
    notify(say("已恢复到那个状态。", "The title is restored to that state."))
    st.session_state["history-moved"] = True
