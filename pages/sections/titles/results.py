"""Draw the search for titles, and a page of what was found.

Selected titles are kept with the revision that was on screen, across pages of the list:
whatever is done to them is done to what the person saw.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.sections.titles import bulk_edits
from pages.sections.titles.address import ORDERS, clear_filters, key_of, read_address, write_address
from pages.sections.titles.one_title import open_title
from pages.shared import session
from pages.shared.elements import clear_filters_button
from pages.shared.feedback import reporting
from pages.shared.text import category_mark, category_name, local_time, plain
from pages.shared.title_history import STATUS_NAMES
from studio.annotation.bulk_edits import list_tags, tags_of
from studio.corpus.search import Count, Query, count_found, list_import_batches, list_sources, search
from studio.corpus.titles import STATUSES, Title, count_by_status
from studio.language import say
from studio.messages import shown
from studio.store import Store
from studio.team.people import list_people

T = TypeVar("T")
SIZES = (25, 50, 100)
ORDER_NAMES = {
    "oldest": ("先导入的在前", "Oldest first"),
    "newest": ("后导入的在前", "Newest first"),
    "changed": ("最近改动在前", "Last changed first"),
}
PAGES = "titles-pages"
"""Session key: where each page of the list that was turned to begins; the last is on screen."""


def search_form(db: Store) -> Query:
    """Draw the filters of the search; a change goes back to the first page."""
    read_address()
    first = st.columns([2.4, 1, 1, 1])
    first[0].text_input(
        say("文字", "Text"),
        key="titles-text",
        placeholder=say("标题里的字", "words in the title"),
        on_change=_begin,
    )
    _choice(first[1], "status", say("状态", "Status"), STATUSES, lambda name: say(*STATUS_NAMES[name]))
    _choice(first[2], "category", say("类别", "Category"), session.scheme().names, category_name)
    _choice(first[3], "author", say("定类人", "Decided by"), _names(db), str)
    is_narrowed = any(
        st.session_state[key_of(name)] is not None for name in ("batch", "source", "tag", "chain")
    )
    with st.expander(say("更多筛选", "More filters"), expanded=is_narrowed, type="compact"):
        second = st.columns([2.4, 1, 1, 1])
        batches = {
            number: f"{shown(source)} · {local_time(at)}" for number, source, at in list_import_batches(db)
        }
        _choice(
            second[0],
            "batch",
            say("导入", "Import"),
            list(batches),
            lambda each: batches.get(each, str(each)),
        )
        _choice(
            second[1], "source", say("来源", "Source"), list_sources(db), lambda source: shown(source) or ""
        )
        _choice(second[2], "tag", say("标记", "Tag"), list_tags(db), str)
        _choice(
            second[3],
            "chain",
            say("思维链", "Think chain"),
            (True, False),
            lambda has: say("有", "written") if has else say("没有", "none"),
        )
    state = st.session_state
    return Query(
        text=(state["titles-text"] or "").strip(),
        **{field: state[key_of(name)] for field, name in _FIELDS.items()},
    )


_FIELDS = {
    "status": "status",
    "category": "category",
    "author": "author",
    "source": "source",
    "batch_id": "batch",
    "tag": "tag",
    "has_chain": "chain",
}


def _names(db: Store) -> list[str]:
    return ["import", *(person.name for person in list_people(db))]


def _choice(
    column: DeltaGenerator, name: str, label: str, options: Sequence[T], format_func: Callable[[T], str]
) -> T | None:
    """Draw a select box that may stay empty; a link may name what is no option any more."""
    key = key_of(name)
    chosen = st.session_state.get(key)
    if chosen is not None and chosen not in options:
        options = [*options, chosen]
    return column.selectbox(
        label,
        options,
        index=None,
        key=key,
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
    order = st.session_state[key_of("order")]
    found = search(db, query, after=starts[-1], limit=size, order=order)
    count = _count(db, query)
    _found_line(db, query, count)
    if may_edit:
        bulk_edits.bar(query, found.titles, count)
    if not found.titles:
        st.info(say("没有符合条件的标题。", "No title matches."), icon=":material/search_off:")
    _rows(db, found.titles, may_edit=may_edit)
    if found.read_to is not None:
        st.caption(
            say(
                "标题很多，还没有查完；按“下一页”继续查找。",
                "Not all titles have been searched yet; “Next page” continues.",
            )
        )
    _pager(found.after, len(starts), count, size)
    write_address()


def _count(db: Store, query: Query) -> Count:
    """Count what is found: read off the counters where only a status is asked for."""
    if query in (Query(), Query(status=query.status)):
        by_status = count_by_status(db)
        by_status["trashed"] *= query.status == "trashed"
        titles = by_status[query.status] if query.status else sum(by_status.values())
        return Count(titles=titles, is_whole=True)
    return count_found(db, query)


def _found_line(db: Store, query: Query, count: Count) -> None:
    """Draw how many titles are found and of how many, the order, and the way back to all."""
    by_status = count_by_status(db)
    trashed = by_status.pop("trashed")
    found, total = bulk_edits.found_text(count), f"{sum(by_status.values()):,}"
    text = say(f"找到 **{found}** 条，共 {total} 条", f"**{found}** found of {total}")
    if trashed and query.status is None:
        text += say(f"，回收站里另有 {trashed:,} 条", f", {trashed:,} more in the trash")
    order_names = {order: say(*names) for order, names in ORDER_NAMES.items()}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(text, width="stretch")
        if query != Query():
            clear_filters_button(key="titles-clear", on_click=_clear)
        st.selectbox(
            say("顺序", "Order"),
            ORDERS,
            key=key_of("order"),
            format_func=order_names.__getitem__,
            label_visibility="collapsed",
            on_change=_begin,
            width=170,
        )


@reporting
def _clear() -> None:
    """Find everything again."""
    clear_filters()
    _begin()


def _rows(db: Store, titles: Sequence[Title], *, may_edit: bool) -> None:
    gold = bulk_edits.gold_among(db, titles)
    with st.container(gap=None):
        for title in titles:
            with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
                if may_edit:
                    bulk_edits.tick(title)
                st.markdown(_row_text(db, title, is_gold=title.id in gold), width="stretch")
                st.button(
                    say("打开", "Open"),
                    key=f"open-{title.id}",
                    icon=":material/open_in_full:",
                    type="tertiary",
                    on_click=_open,
                    args=(title.id,),
                )


@reporting
def _open(title_id: int) -> None:
    """Open a title in place of the list."""
    open_title(title_id)


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


def _pager(after: int | None, page: int, count: Count, size: int) -> None:
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
        pages = f"{max(1, -(-count.titles // size)):,}{'' if count.is_whole else '+'}"
        st.caption(say(f"第 {page} / {pages} 页", f"page {page} of {pages}"))


@reporting
def _turn(after: int) -> None:
    """Turn to the next page."""
    st.session_state[PAGES].append(after)


@reporting
def _turn_back() -> None:
    """Turn back to the page before."""
    st.session_state[PAGES].pop()
