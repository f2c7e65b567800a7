"""Draw the table of the runs that were found, and the choice of one.

The chosen run lives in a select box; a click in the table only sets it. So the page works with the keyboard
and a screen reader as well.
"""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.sections.runs.filters import FILTERS, OPEN, clear, is_narrowed
from pages.shared import session
from pages.shared.elements import choosing_table, clear_filters_button
from pages.shared.feedback import live_fragment, reporting
from pages.shared.run_controls import KIND_NAMES
from pages.shared.run_names import base_label, data_label, method_label
from pages.shared.text import duration, run_name, run_option, state_name
from studio import runs
from studio.contract import Scores
from studio.jobs import queue
from studio.language import say
from studio.training.run_table import RunRow

TABLE = "runs-table"
_LISTED = "runs-listed"
"""Session key: ids in the order of the table that is on screen, for the click in it."""


def run_list(rows: Sequence[RunRow], found: Sequence[RunRow]) -> None:
    """Draw how many were found, and a table with a line each."""
    if all(row.run.recorded for row in rows):
        st.info(
            say(
                "还没有自己的运行；下面只有内置的记录。",
                "No runs of your own yet; below is only the recorded one.",
            ),
            icon=":material/model_training:",
        )
        session.link("train", say("去训练", "Train"))
    with st.container(horizontal=True, vertical_alignment="center"):
        count = say(
            f"找到 **{len(found)}** 个运行，共 {len(rows)} 个", f"**{len(found)}** runs found of {len(rows)}"
        )
        st.markdown(count, width="stretch")
        if is_narrowed():
            clear_filters_button(key="runs-clear", on_click=clear)
    st.session_state[_LISTED] = [row.run.id for row in found]
    if not found:
        st.info(say("没有符合条件的运行。", "No run matches."), icon=":material/search_off:")
        return
    choosing_table(
        (_cells(row) for row in found),
        key=TABLE,
        hide_index=True,
        placeholder="",
        height="content" if len(found) <= 12 else 460,
        on_select=_take_click,
        alt=say("所有运行", "All runs"),
    )


def watch(rows: Sequence[RunRow]) -> None:
    """Draw the page again when a run that goes on has another state."""
    going = tuple((row.run.id, row.run.state) for row in rows if not row.run.is_over)
    if going:
        _watch_states(going)


@live_fragment
def _watch_states(before: tuple[tuple[str, str], ...]) -> None:
    """Look at the runs that go on, and at nothing else, every two seconds."""
    workspace = session.workspace()
    queue.ensure_job_process(workspace)
    known = {run.id: run.state for run in runs.list_unfinished(workspace)}
    if any(known.get(run_id) != state for run_id, state in before):
        st.rerun()


def choose_row(rows: Sequence[RunRow], found: Sequence[RunRow]) -> RunRow | None:
    """Draw the choice of a run among those found; one that the address names is there in any case."""
    by_id = {row.run.id: row for row in found}
    key = FILTERS.key(OPEN)
    asked = st.session_state.get(key)
    if asked and asked not in by_id:
        hidden = next((row for row in rows if row.run.id == asked), None)
        if hidden is None:
            st.session_state[key] = None
            st.warning(
                say("地址里的运行已不在这里。", "The run of this address is not here any more."),
                icon=":material/link_off:",
            )
        else:
            by_id[asked] = hidden
    if not by_id:
        return None
    names = {run_id: run_option(row.run) for run_id, row in by_id.items()}
    chosen = st.selectbox(
        say("看哪一个", "Open"),
        list(names),
        index=None,
        key=key,
        format_func=names.__getitem__,
        placeholder=say("点表里的一行，或在这里选", "click a line of the table, or choose here"),
    )
    return by_id[chosen] if chosen else None


@reporting
def _take_click() -> None:
    """Put the clicked line into the select box."""
    clicked = st.session_state[TABLE].selection.rows
    listed = st.session_state.get(_LISTED, [])
    if clicked and clicked[0] < len(listed):
        st.session_state[FILTERS.key(OPEN)] = listed[clicked[0]]


def _cells(row: RunRow) -> dict[str, Any]:
    run = row.run
    best = row.best
    return {
        say("名称", "name"): run_name(run),
        say("标签", "tags"): ", ".join(run.record.tags),
        say("状态", "state"): state_name(run.state),
        say("思维链准确率", "chain accuracy"): _accuracy(row.scores.get("chain")),
        say("直接打分准确率", "direct accuracy"): _accuracy(row.scores.get("direct")),
        "n": best.n if best else None,
        say("宏 F1", "macro F1"): f"{best.macro_f1:.1%}" if best else "",
        say("方法", "method"): method_label(row.method) if row.method else "–",
        say("基座", "base"): base_label(row.base),
        say("数据", "data"): data_label(row.data),
        say("学习率", "rate"): f"{row.learning_rate:g}" if row.learning_rate is not None else "",
        say("种子", "seed"): row.seed,
        say("种类", "kind"): say(*KIND_NAMES[run.spec.kind]),
        say("用时", "time"): duration(row.seconds) if row.seconds is not None else "",
        say("开始", "started"): f"{run.created_at:%m-%d %H:%M}",
    }


def _accuracy(scores: Scores | None) -> str:
    """Format an accuracy with its interval."""
    if scores is None:
        return ""
    low, high = scores.accuracy_interval
    return f"{scores.accuracy:.1%} ({low:.0%}–{high:.0%})"
