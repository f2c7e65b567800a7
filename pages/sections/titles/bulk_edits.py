"""Draw what can be done to many titles at once, and the latest bulk edits, each with its undo."""

from collections.abc import Callable, Sequence

import streamlit as st

from pages.shared import session
from pages.shared.feedback import notify, reporting
from pages.shared.text import category_name, local_time, person_colors, person_mark, plain, spoken
from studio.annotation import bulk_edits
from studio.annotation.bulk_edits import EditOutcome, StepAction
from studio.corpus.search import Count, Query, find_revisions
from studio.corpus.titles import Title
from studio.language import say
from studio.store import Store
from studio.team import gold

TICKED = "titles-ticked"
"""Session key: the ticked titles, each with the revision that was on screen when it was ticked."""

MOST = 20_000
"""Titles that one edit takes: about ten seconds, in one transaction."""

ACTION_NAMES: dict[StepAction, tuple[str, str]] = {
    "relabel": ("改为", "relabelled as"),
    "trash": ("移入回收站", "moved to the trash"),
    "restore": ("移出回收站", "restored from the trash"),
    "tag": ("加标记", "tagged"),
    "untag": ("去标记", "untagged"),
    "undo": ("撤销", "undid"),
}


def found_text(found: Count) -> str:
    """Format how many titles were found, as far as was counted."""
    return f"{found.titles:,}{'' if found.is_whole else '+'}"


def ticked() -> dict[int, int]:
    """Return the selected titles with their revisions."""
    found: dict[int, int] = st.session_state.setdefault(TICKED, {})
    return found


def tick(title: Title) -> None:
    """Draw the box of a title; one that moved on since it was selected has another box, empty."""
    key = f"tick-{title.id}-{title.revision}"
    is_ticked = ticked().get(title.id) == title.revision
    # Only where it differs: what a run writes comes back late and would undo a tick made meanwhile.
    if bool(st.session_state.get(key)) != is_ticked:
        st.session_state[key] = is_ticked
    st.checkbox(
        say("选择：", "Select: ") + spoken(title.text[:80]),
        key=key,
        label_visibility="collapsed",
        on_change=_tick,
        args=(title.id, title.revision, key),
    )


@reporting
def _tick(title_id: int, revision: int, key: str) -> None:
    """Select or deselect a title."""
    if st.session_state[key]:
        ticked()[title_id] = revision
    else:
        ticked().pop(title_id, None)


def gold_among(db: Store, titles: Sequence[Title]) -> set[int]:
    """Return which of these titles are gold."""
    return gold.among(db, [title.id for title in titles])


def bar(query: Query, titles: Sequence[Title], found: Count) -> None:
    """Draw the ways to select titles, and the actions for the selected ones."""
    count = len(ticked())
    with st.container(border=True, horizontal=True, vertical_alignment="bottom", key="titles-bar"):
        st.button(
            say("选择本页", "Select page"),
            key="titles-tick-page",
            icon=":material/select_all:",
            disabled=not titles,
            on_click=_tick_page,
            args=({title.id: title.revision for title in titles},),
        )
        if found.titles > len(titles):
            st.button(
                say(f"选择找到的全部（{found_text(found)}）", f"Select all found ({found_text(found)})"),
                key="titles-tick-found",
                icon=":material/library_add_check:",
                on_click=_tick_found,
                args=(query,),
            )
        st.button(
            say(f"清除选择（{count}）", f"Clear selection ({count})"),
            key="titles-untick",
            disabled=not count,
            on_click=_untick,
        )
        if not count:
            return
        category = st.selectbox(
            say("改为", "Relabel as"),
            session.scheme().names,
            index=None,
            key="choose-titles-relabel",
            format_func=category_name,
            placeholder=say("改为哪一类", "category"),
            label_visibility="collapsed",
            width=150,
        )
        _action("relabel", say("改类别", "Relabel"), ":material/label:", disabled=category is None)
        st.text_input(
            say("标记", "Tag"),
            key="titles-tag-name",
            placeholder=say("标记名", "tag"),
            label_visibility="collapsed",
            width=130,
        )
        _action("tag", say("加标记", "Tag"), ":material/new_label:")
        _action("untag", say("去标记", "Untag"), ":material/label_off:")
        _action(
            "gold",
            say("设为金标", "Mark as gold"),
            ":material/star:",
            help=say(
                "金标：类别已有定论的标题，混在标注队列里，用来衡量每个人的准确率。",
                "Gold: titles whose category is certain; mixed into the queue, they measure each person's "
                "accuracy.",
            ),
        )
        _action("trash", say("移入回收站", "Trash"), ":material/delete:")
        _action("restore", say("移出回收站", "Restore"), ":material/restore_from_trash:")


def _action(name: str, label: str, icon: str, *, disabled: bool = False, help: str | None = None) -> None:
    st.button(
        label, key=f"titles-{name}", icon=icon, disabled=disabled, help=help, on_click=_edit, args=(name,)
    )


@reporting
def _tick_page(titles: dict[int, int]) -> None:
    """Select what is on screen."""
    ticked().update(titles)


@reporting
def _tick_found(query: Query) -> None:
    """Select all that the filters find, as they stand now."""
    everything = find_revisions(session.store(), query, limit=MOST + 1)
    if len(everything) > MOST:
        notify(
            say(
                f"一次最多选 {MOST:,} 条，已选前 {MOST:,} 条；其余的请之后再选，或缩小筛选范围。",
                f"At most {MOST:,} can be selected at once: these are the first. Select the rest afterwards, "
                "or narrow the filters.",
            )
        )
        everything = dict(list(everything.items())[:MOST])
    st.session_state[TICKED] = everything


@reporting
def _untick() -> None:
    """Clear the selection."""
    ticked().clear()


@reporting
def _edit(name: str) -> None:
    """Edit the selected titles as they were seen, and report the outcome."""
    seen, author, db = dict(ticked()), session.annotator(), session.store()
    if name == "gold":
        marked = gold.mark_gold(db, seen, author=author)
        notify(
            say(
                f"{marked} 条设为金标；未定的标题不能作金标。",
                f"{marked} marked as gold; only decided titles can be.",
            )
        )
    else:
        notify(_outcome_text(_ACTIONS[name](db, seen, author)))
    ticked().clear()


def _relabel(db: Store, seen: dict[int, int], author: str) -> EditOutcome:
    category = st.session_state["choose-titles-relabel"]
    if category is None:  # the button is disabled in the browser only
        return EditOutcome(step_id=None, moved=0, passed_over=len(seen))
    return bulk_edits.relabel(db, seen, category=category, author=author)


def _tag(db: Store, seen: dict[int, int], author: str) -> EditOutcome:
    return bulk_edits.tag(db, seen, st.session_state.get("titles-tag-name") or "", author=author)


def _untag(db: Store, seen: dict[int, int], author: str) -> EditOutcome:
    return bulk_edits.untag(db, seen, st.session_state.get("titles-tag-name") or "", author=author)


_ACTIONS: dict[str, Callable[[Store, dict[int, int], str], EditOutcome]] = {
    "relabel": _relabel,
    "tag": _tag,
    "untag": _untag,
    "trash": lambda db, seen, author: bulk_edits.trash(db, seen, author=author),
    "restore": lambda db, seen, author: bulk_edits.take_from_trash(db, seen, author=author),
}


def _outcome_text(outcome: EditOutcome) -> str:
    text = say(f"改动了 {outcome.moved} 条。", f"{outcome.moved} changed.")
    if outcome.passed_over:
        text += say(
            f"{outcome.passed_over} 条没有改：之后又有改动，或本来就是如此。",
            f" {outcome.passed_over} not changed: edited since, or already like that.",
        )
    return text


def recent_edits(db: Store) -> None:
    """Draw the latest bulk edits, each with its undo."""
    found = bulk_edits.recent_edits(db)
    if not found:
        return
    st.subheader(say("最近的批量修改", "Recent bulk edits"), anchor=False)
    colors = person_colors(db)
    for edit in found:
        text, button = st.columns([6, 1], vertical_alignment="center")
        what = say(*ACTION_NAMES[edit.action])
        note = plain(category_name(edit.note or "") if edit.action == "relabel" else edit.note or "")
        text.markdown(
            f"{person_mark(edit.author, colors)}　**{what}** {note}　"
            + say(f"{edit.titles} 条", "1 title" if edit.titles == 1 else f"{edit.titles} titles")
            + f"　:gray[:small[{local_time(edit.at)}]]"
        )
        button.button(
            say("已撤销", "Undone") if edit.is_undone else say("撤销", "Undo"),
            key=f"undo-step-{edit.id}",
            icon=":material/undo:",
            disabled=edit.is_undone,
            on_click=_undo,
            args=(edit.id,),
            width="stretch",
        )


@reporting
def _undo(step_id: int) -> None:
    """Undo a bulk edit."""
    notify(_outcome_text(bulk_edits.undo_edit(session.store(), step_id, author=session.annotator())))
