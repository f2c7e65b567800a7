"""What can be done to many titles at once on the Titles page, and the list of what was done."""

from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared import shell
from studio.annotation import bulk_edits as steps
from studio.annotation.bulk_edits import EditOutcome, StepAction
from studio.corpus.titles import Title
from studio.language import say
from studio.store import Store
from studio.team import gold

TICKED = "titles-ticked"
"""Session key: the ticked titles, each with the revision that was on screen when it was ticked."""

STEP_NAMES: dict[StepAction, tuple[str, str]] = {
    "relabel": ("改为", "relabelled as"),
    "trash": ("移入回收站", "moved to the trash"),
    "restore": ("移出回收站", "taken out of the trash"),
    "tag": ("加标记", "tagged"),
    "untag": ("去标记", "untagged"),
    "undo": ("撤销", "took back"),
}


def ticked() -> dict[int, int]:
    """The ticked titles with their revisions."""
    found: dict[int, int] = st.session_state.setdefault(TICKED, {})
    return found


def tick(place: DeltaGenerator, title: Title, label: str) -> None:
    """A title with its tick. A title that moved on since it was ticked has a box of its own, unticked."""
    key = f"tick-{title.id}-{title.revision}"
    is_ticked = ticked().get(title.id) == title.revision
    # Only where it differs: what a run writes comes back late and would undo a tick made meanwhile.
    if bool(st.session_state.get(key)) != is_ticked:
        st.session_state[key] = is_ticked
    place.checkbox(label, key=key, on_change=_tick, args=(title.id, title.revision, key))


def _tick(title_id: int, revision: int, key: str) -> None:
    """Callback: remember or forget a tick."""
    if st.session_state[key]:
        ticked()[title_id] = revision
    else:
        ticked().pop(title_id, None)


def gold_among(db: Store, titles: Sequence[Title]) -> set[int]:
    """Which of these titles are gold."""
    return gold.among(db, [title.id for title in titles])


def bar(titles: Sequence[Title]) -> None:
    """The actions for the ticked titles; nothing is ticked, nothing can be pressed."""
    count = len(ticked())
    with st.container(border=True, horizontal=True, vertical_alignment="bottom", key="titles-bar"):
        st.button(
            say("勾选本页", "Tick this page"),
            key="titles-tick-page",
            icon=":material/select_all:",
            disabled=not titles,
            on_click=_tick_page,
            args=({title.id: title.revision for title in titles},),
        )
        st.button(
            say(f"取消勾选（{count}）", f"Untick ({count})"),
            key="titles-untick",
            disabled=not count,
            on_click=_untick,
        )
        category = st.selectbox(
            say("改为", "Relabel as"),
            shell.scheme().names,
            index=None,
            key="choose-titles-relabel",
            format_func=shell.category_name,
            placeholder=say("改为哪一类", "category"),
            label_visibility="collapsed",
            width=150,
        )
        _action(
            "relabel", say("改类别", "Relabel"), ":material/label:", disabled=not count or category is None
        )
        st.text_input(
            say("标记", "Tag"),
            key="titles-tag-name",
            placeholder=say("标记名", "tag"),
            label_visibility="collapsed",
            width=130,
        )
        _action("tag", say("加标记", "Tag"), ":material/new_label:", disabled=not count)
        _action("untag", say("去标记", "Untag"), ":material/label_off:", disabled=not count)
        _action("gold", say("设为金标", "Mark as gold"), ":material/star:", disabled=not count)
        _action("trash", say("移入回收站", "Trash"), ":material/delete:", disabled=not count)
        _action("restore", say("移出回收站", "Restore"), ":material/restore_from_trash:", disabled=not count)


def _action(name: str, label: str, icon: str, *, disabled: bool) -> None:
    st.button(label, key=f"titles-{name}", icon=icon, disabled=disabled, on_click=_move, args=(name,))


def _tick_page(titles: dict[int, int]) -> None:
    """Callback: tick what is on screen."""
    ticked().update(titles)


def _untick() -> None:
    """Callback: forget all ticks."""
    ticked().clear()


def _move(name: str) -> None:
    """Callback: do it to the ticked titles, as they were seen, and say what became of it."""
    seen, author, db = dict(ticked()), shell.annotator(), shell.store()
    with shell.report_errors(later=True):
        if name == "gold":
            marked = gold.mark_gold(db, seen, author=author)
            shell.notify(
                say(
                    f"{marked} 条设为金标；未定的标题不能作金标。",
                    f"{marked} marked as gold; only decided titles can be.",
                )
            )
        else:
            shell.notify(_told(_ACTIONS[name](db, seen, author)))
        ticked().clear()


def _relabel(db: Store, seen: dict[int, int], author: str) -> EditOutcome:
    category = st.session_state["choose-titles-relabel"]
    assert category is not None, "the button is disabled without one"
    return steps.relabel(db, seen, category=category, author=author)


def _tag(db: Store, seen: dict[int, int], author: str) -> EditOutcome:
    return steps.tag(db, seen, st.session_state.get("titles-tag-name") or "", author=author)


def _untag(db: Store, seen: dict[int, int], author: str) -> EditOutcome:
    return steps.untag(db, seen, st.session_state.get("titles-tag-name") or "", author=author)


_ACTIONS: dict[str, Callable[[Store, dict[int, int], str], EditOutcome]] = {
    "relabel": _relabel,
    "tag": _tag,
    "untag": _untag,
    "trash": lambda db, seen, author: steps.trash(db, seen, author=author),
    "restore": lambda db, seen, author: steps.take_from_trash(db, seen, author=author),
}


def _told(outcome: EditOutcome) -> str:
    text = say(f"改动了 {outcome.moved} 条。", f"{outcome.moved} changed.")
    if outcome.passed_over:
        text += say(
            f"{outcome.passed_over} 条没有改：之后又有改动，或本来就是这样。",
            f" {outcome.passed_over} left alone: moved on since, or like that already.",
        )
    return text


def recent_steps(db: Store) -> None:
    """The latest steps, each with the button that takes it back."""
    found = steps.recent_edits(db)
    if not found:
        return
    st.subheader(say("最近的批量步骤", "Latest bulk steps"), anchor=False)
    colors = shell.person_colors(db)
    for step in found:
        text, button = st.columns([6, 1], vertical_alignment="center")
        what = say(*STEP_NAMES[step.action])
        note = shell.plain(step.note or "")
        text.markdown(
            f"{shell.person_mark(step.author, colors)}　**{what}** {note}　"
            + say(f"{step.titles} 条", f"{step.titles} titles")
            + f"　:gray[:small[{shell.local_time(step.at)}]]"
        )
        button.button(
            say("已撤销", "Undone") if step.is_undone else say("撤销", "Undo"),
            key=f"undo-step-{step.id}",
            icon=":material/undo:",
            disabled=step.is_undone,
            on_click=_undo,
            args=(step.id,),
            width="stretch",
        )


def _undo(step_id: int) -> None:
    """Callback: take a step back."""
    with shell.report_errors(later=True):
        shell.notify(_told(steps.undo_edit(shell.store(), step_id, author=shell.annotator())))
