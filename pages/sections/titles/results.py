"""Draw the search for titles, and a page of what was found.

Selected titles are kept with the revision that was on screen, across pages of the list:
whatever is done to them is done to what the person saw.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.sections.titles import bulk_edits
from pages.shared import session
from pages.shared.feedback import reporting
from pages.shared.text import category_mark, category_name, local_time, plain
from pages.shared.title_history import STATUS_NAMES, history_button
from studio.annotation.bulk_edits import list_tags, tags_of
from studio.corpus.search import Query, list_import_batches, list_sources, search
from studio.corpus.titles import STATUSES, Title, count_by_status
from studio.language import say
from studio.messages import shown
from studio.store import Store
from studio.team.people import list_people

T = TypeVar("T")
SIZES = (25, 50, 100)
PAGES = "titles-pages"
"""Session key: where each page of the list that was turned to begins; the last is on screen."""


def search_form(db: Store) -> Query:
    """Draw the filters of the search; a change goes back to the first page."""
    first = st.columns([2.2, 1, 1, 1])
    text = first[0].text_input(
        say("文字", "Text"),
        key="titles-text",
        placeholder=say("标题里的字", "words in the title"),
        on_change=_begin,
    )
    status = _choice(
        first[1], "status", say("状态", "Status"), STATUSES, lambda name: say(*STATUS_NAMES[name])
    )
    category = _choice(first[2], "category", say("类别", "Category"), session.scheme().names, category_name)
    author = _choice(first[3], "author", say("定类人", "Decided by"), _names(db), str)
    second = st.columns([2.2, 1, 1, 1])
    batches = {
        number: f"{shown(source)} · {local_time(at)}" for number, source, at in list_import_batches(db)
    }
    batch = _choice(second[0], "batch", say("导入", "Import"), list(batches), lambda each: batches[each])
    source = _choice(
        second[1],
        "source",
        say("来源", "Source"),
        list_sources(db),
        lambda source: shown(source) or "",
    )
    tag = _choice(second[2], "tag", say("标记", "Tag"), list_tags(db), str)
    chain = _choice(
        second[3],
        "chain",
        say("思维链", "Think chain"),
        (True, False),
        lambda has: say("有", "written") if has else say("没有", "none"),
    )
    return Query(
        text=(text or "").strip(),
        status=status,
        category=category,
        author=author,
        source=source,
        batch_id=batch,
        tag=tag,
        has_chain=chain,
    )


def _names(db: Store) -> list[str]:
    return ["import", *(person.name for person in list_people(db))]


def _choice(
    column: DeltaGenerator, name: str, label: str, options: Sequence[T], format_func: Callable[[T], str]
) -> T | None:
    """Draw a select box that may stay empty."""
    return column.selectbox(
        label,
        options,
        index=None,
        key=f"choose-titles-{name}",
        format_func=format_func,
        placeholder=say("不限", "any"),
        on_change=_begin,
    )


@reporting
def _begin() -> None:
    """Go back to the first page."""
    st.session_state.pop(PAGES, None)


def result_list(db: Store, query: Query, *, may_edit: bool) -> None:
    """Draw a page of what was found, each title with its box, and the bar that edits the selected ones."""
    if not sum(count_by_status(db).values()):
        st.info(
            say("工作区里还没有标题，先去导入。", "There are no titles yet: import some."),
            icon=":material/upload:",
        )
        session.link("home", say("去导入", "Import titles"))
        return
    starts = st.session_state.setdefault(PAGES, [0])
    size = st.session_state.setdefault("choose-titles-size", SIZES[0])
    found = search(db, query, after=starts[-1], limit=size)
    if may_edit:
        bulk_edits.bar(found.titles)
    if not found.titles:
        st.info(say("没有符合条件的标题。", "No title matches."), icon=":material/search_off:")
    _rows(db, found.titles, may_edit=may_edit)
    if found.read_to is not None:
        st.caption(
            say(
                f"标题很多，目前查到第 {found.read_to} 条；按“下一页”继续查找。",
                f"Searched up to No. {found.read_to} so far; “Next page” continues.",
            )
        )
    _pager(found.after, len(starts))


def _rows(db: Store, titles: Sequence[Title], *, may_edit: bool) -> None:
    gold = bulk_edits.gold_among(db, titles)
    with st.container(gap=None):
        for title in titles:
            tick, history = st.columns([9, 1], vertical_alignment="center")
            label = _row_text(db, title, is_gold=title.id in gold)
            if may_edit:
                bulk_edits.tick(tick, title, label)
            else:
                tick.markdown(label)
            with history:
                history_button(title.id, key="row-history")


def _row_text(db: Store, title: Title, *, is_gold: bool) -> str:
    mark = (
        category_mark(title.category)
        if title.category in session.scheme().names
        else f":gray-badge[{say(*STATUS_NAMES[title.status])}]"
    )
    parts = [f"{mark}　{plain(title.text[:120])}"]
    parts += [":orange-badge[" + say("金标", "gold") + "]"] if is_gold else []
    parts += [f":gray-badge[{plain(name)}]" for name in tags_of(db, title.id)]
    who = "" if title.author in (None, "import") else f" · {plain(title.author or '')}"
    chain = say(" · 有思维链", " · chain") if title.chain and title.status == "decided" else ""
    return f"{' '.join(parts)}　:gray[:small[{title.id}{who}{chain}]]"


def _pager(after: int | None, page: int) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            say("上一页", "Previous page"),
            key="titles-previous",
            icon=":material/chevron_left:",
            disabled=page == 1,
            on_click=_turn_back,
        )
        st.button(
            say("下一页", "Next page"),
            key="titles-next",
            icon=":material/chevron_right:",
            disabled=after is None,
            on_click=_turn,
            args=(after,),
        )
        st.selectbox(
            say("每页", "Per page"),
            SIZES,
            key="choose-titles-size",
            on_change=_begin,
            width=110,
            label_visibility="collapsed",
        )
        st.caption(say(f"第 {page} 页", f"page {page}"))


@reporting
def _turn(after: int) -> None:
    """Turn to the next page."""
    st.session_state[PAGES].append(after)


@reporting
def _turn_back() -> None:
    """Turn back to the page before."""
    st.session_state[PAGES].pop()
