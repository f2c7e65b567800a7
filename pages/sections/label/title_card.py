"""Draw the title on screen, the actions for it, and what to do when nothing waits."""

import streamlit as st

from pages.sections.label import actions, put_aside
from pages.shared import session
from pages.shared.text import (
    category_mark,
    category_name,
    local_time,
    person_colors,
    person_mark,
    plain,
    plain_stored,
)
from studio.annotation.annotations import Suggested
from studio.annotation.sent_back import SentBack, sent_back
from studio.corpus.titles import Title, count_by_status
from studio.language import say
from studio.store import Store


def title_card(db: Store, title: Title, *, height: int = 176) -> None:
    """Draw the title and why it waits or what it was labelled; always of one height, so nothing jumps."""
    returned = sent_back(db, title, author=session.annotator())
    with st.container(border=True, height=height, vertical_alignment="center", gap="small"):
        st.header(plain(title.text), anchor=False)
        facts = [f":gray[{say(f'第 {title.id} 条', f'No. {title.id}')}]"]
        if title.category:
            facts.append(say("现为 ", "now ") + category_mark(title.category))
        if title.status in ("skipped", "flagged"):
            facts.append(say("已跳过", "skipped") if title.status == "skipped" else say("存疑", "flagged"))
        if title.note and returned is None:
            facts.append(f":orange[:material/info: {plain_stored(title.note)}]")
        st.markdown(f":small[{'　'.join(facts)}]")
    if returned is not None:
        _sent_back(db, returned)


def _sent_back(db: Store, returned: SentBack) -> None:
    """Say that the title was sent back, by whom, with what comment, and what was answered before."""
    who = person_mark(returned.by, person_colors(db))
    head = say("退回", "Sent back") + f"　{who}　:gray[:small[{local_time(returned.at)}]]"
    if not returned.addressee:
        head += "　:gray[:small[" + say("退给任何人", "to anyone") + "]]"
    elif returned.addressee != session.annotator():
        head += "　:gray[:small[" + say("退给 ", "to ") + plain(returned.addressee) + "]]"
    lines = [f"**{head}**", f"“{plain_stored(returned.comment)}”"]
    if returned.category:
        label = (
            say("您当时的答案：", "Your answer was: ") if returned.is_own else say("当时定为：", "It was: ")
        )
        when = f"　:gray[:small[{local_time(returned.answered_at)}]]" if returned.answered_at else ""
        lines.append(label + category_mark(returned.category) + when)
        if returned.chain:
            lines.append(f":small[:gray[{plain(returned.chain)}]]")
    st.warning("  \n".join(lines), icon=":material/reply:")


def action_row(title: Title | None, suggested: Suggested | None, former: str | None) -> None:
    """Draw skip, flag, undo and, where something is suggested, accept; or the box for the reason.

    What a title was before it was sent back can be kept, but is not recommended.
    """
    if title and put_aside.is_asking(title):
        put_aside.reason_box(title)
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if title and former:
            st.button(
                say("仍是：", "Keep: ") + category_name(former),
                key=f"keep-{title.id}-{title.revision}",
                shortcut="Enter",
                on_click=actions.decide,
                args=(title.id, title.revision, former),
            )
        if title and suggested:
            st.button(
                say("接受建议：", "Accept: ") + category_name(suggested.category),
                key=f"accept-{title.id}-{title.revision}",
                shortcut="Enter",
                icon=":material/done_all:",
                type="primary",
                on_click=actions.decide,
                args=(title.id, title.revision, suggested.category, suggested),
            )
        if title:
            put_aside.put_aside(title)
        undo_button()


def undo_button(*, modifier: str = "") -> None:
    """Draw the button that undoes the last decision; beside a text box its key takes a modifier."""
    st.button(
        say("撤销", "Undo"),
        key="undo",
        shortcut=f"{modifier}U",
        icon=":material/undo:",
        on_click=actions.undo,
    )


def empty_queue(db: Store) -> None:
    """Draw what to do next when nothing waits for this person."""
    waiting = count_by_status(db)["waiting"]
    if waiting:
        st.info(
            say(
                f"没有等您标注的标题了；还有 {waiting} 条在别人屏幕上，或您已标过、在等别人。",
                f"No title is waiting for you; {waiting} are on other people's screens or need a second "
                "label.",
            ),
            icon=":material/hourglass_empty:",
        )
    else:
        st.success(say("没有等待标注的标题了。", "No titles are waiting."), icon=":material/task_alt:")
    with st.container(horizontal=True):
        session.link("home", say("导入更多标题", "Import more titles"), icon=":material/upload:")
        session.link("datasets", say("去数据集页", "Go to Datasets"), icon=":material/dataset:")
