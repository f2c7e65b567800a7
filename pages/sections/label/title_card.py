"""What the Label page draws: the title, the row of actions, the decisions at the side."""

import streamlit as st

from pages.sections.label import actions as label_queue
from pages.sections.label import put_aside
from pages.shared import shell
from pages.shared.guidelines import guidelines
from studio.annotation import annotations
from studio.annotation.annotations import Suggested
from studio.corpus.titles import Title, count_by_status
from studio.language import say
from studio.store import Store
from studio.team import progress

KIND_ICONS = {"skip": ":material/skip_next:", "flag": ":material/flag:"}


def title_card(title: Title, *, height: int = 176) -> None:
    """The title, large, and why it waits or what it was labelled; always of one height, so nothing jumps."""
    with st.container(border=True, height=height, vertical_alignment="center", gap="small"):
        st.header(shell.plain(title.text), anchor=False)
        facts = [f":gray[{say(f'第 {title.id} 条', f'No. {title.id}')}]"]
        if title.category:
            facts.append(say("现为 ", "now ") + shell.category_mark(title.category))
        if title.status in ("skipped", "flagged"):
            facts.append(say("已跳过", "skipped") if title.status == "skipped" else say("已标记", "flagged"))
        if title.note:
            facts.append(f":orange[:material/info: {shell.plain_stored(title.note)}]")
        st.markdown(f":small[{'　'.join(facts)}]")


def digit_buttons(title: Title, suggested: Suggested | None) -> None:
    """One button a category; its digit labels the title and brings the next."""
    # English names are longer: fewer columns.
    width = int(say("96", "148"))
    with st.grid(5, min_column_width=width, gap="small"):
        for category in shell.scheme().categories:
            st.button(
                shell.category_mark(category.name),
                key=f"digit-{category.key}-{title.id}-{title.revision}",
                shortcut=category.key,
                on_click=label_queue.decide,
                args=(title.id, title.revision, category.name, suggested),
                width="stretch",
            )


def actions(title: Title | None, suggested: Suggested | None) -> None:
    """Skip, flag, undo and, where something is suggested, accept it."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if title and suggested:
            st.button(
                say("接受建议：", "Accept: ") + shell.category_name(suggested.category),
                key=f"accept-{title.id}-{title.revision}",
                shortcut="Enter",
                icon=":material/done_all:",
                type="primary",
                on_click=label_queue.decide,
                args=(title.id, title.revision, suggested.category, suggested),
            )
        if title:
            put_aside.put_aside(title)
        undo_button()


def undo_button(*, with_key: bool = True) -> None:
    """Take the last decision back; beside a text box only by mouse."""
    st.button(
        say("撤销", "Undo"),
        key="undo",
        shortcut="U" if with_key else None,
        icon=":material/undo:",
        on_click=label_queue.undo,
    )


def pace_line(db: Store) -> None:
    """How far and how fast the annotator is."""
    pace = progress.pace(db, shell.annotator())
    parts = [say(f"今天 {pace.today} 条", f"{pace.today} today")]
    if pace.median_seconds is not None:
        parts.append(say(f"中位 {pace.median_seconds:.1f} 秒/条", f"median {pace.median_seconds:.1f} s each"))
    parts.append(say(f"还有 {pace.waiting} 条待标注", f"{pace.waiting} waiting"))
    st.caption("　·　".join(parts))


SIDES = {"recent": ("最近十条", "Last ten"), "rules": ("标注规则", "Guidelines")}


def side_panel(db: Store) -> None:
    """Beside the work: the last ten decisions, or the rules, whichever the annotator chose."""
    side = st.segmented_control(
        say("旁边显示", "Beside the title"),
        list(SIDES),
        key="choose-label-side",
        default="recent",
        required=True,
        format_func=lambda name: say(*SIDES[name]),
        label_visibility="collapsed",
        persist_state="session",
    )
    if side == "rules":
        guidelines()
    else:
        recent_decisions(db)


def recent_decisions(db: Store) -> None:
    """The annotator's last ten decisions; a click puts one on screen again."""
    answers = annotations.recent(db, author=shell.annotator())
    if not answers:
        st.caption(
            say(
                "标注过的标题会列在这里，点一下可以改。", "What you label is listed here; click to change it."
            )
        )
    with st.container(gap=None):
        for answer in answers:
            mark = shell.category_mark(answer.category) if answer.category else KIND_ICONS[answer.kind]
            st.button(
                f"{mark}　:gray[{shell.plain(answer.text)}]",
                key=f"reopen-{answer.title_id}-{answer.revision}",
                on_click=label_queue.open_title,
                args=(answer.title_id,),
                type="tertiary",
                width="stretch",
                wrap=False,
                help=shell.plain(answer.text),
            )


def empty_queue(db: Store) -> None:
    """Nothing waits for this person: say what to do next."""
    waiting = count_by_status(db)["waiting"]
    if waiting:
        st.info(
            say(
                f"没有等您标注的标题了；还有 {waiting} 条在别人屏幕上，或您已答过、在等别人。",
                f"No title waits for you; {waiting} are on other screens, or wait for a second answer.",
            ),
            icon=":material/hourglass_empty:",
        )
    else:
        st.success(say("没有等待标注的标题了。", "No title is waiting."), icon=":material/task_alt:")
    with st.container(horizontal=True):
        st.page_link(
            shell.page_path("home"), label=say("导入更多标题", "Import more titles"), icon=":material/upload:"
        )
        st.page_link(
            shell.page_path("datasets"),
            label=say("去冻结数据集版本", "Freeze a dataset version"),
            icon=":material/lock:",
        )
