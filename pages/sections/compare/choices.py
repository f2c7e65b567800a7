"""Choose the runs that are compared: A, B and up to four more. The address keeps them."""

from collections.abc import Sequence

import streamlit as st

from pages.shared import session
from pages.shared.elements import choose_one
from pages.shared.run_names import data_name
from pages.shared.text import answer_name, run_option
from studio.evaluation.compared import MOST, names_of
from studio.evaluation.entries import Entry, list_entries, seed_groups
from studio.language import say
from studio.workspace import Workspace


def choose_entries(workspace: Workspace) -> tuple[list[Entry], int, bool]:
    """Draw the choices; returns the chosen entries, which of them is B now, and whether common rows do.

    Fewer than two entries: there is nothing to compare yet, and the page has said what to do.
    """
    single = list_entries(workspace)
    options = {entry.key: entry for entry in [*seed_groups(workspace, single), *single]}
    if len(options) < 2:
        _nothing_yet()
        return [], 1, False
    keys = list(options)
    a_first, b_first = _first_choice(single)
    st.session_state.setdefault("choose-compare-a", a_first)
    st.session_state.setdefault("choose-compare-b", b_first)
    for parameter in ("a", "b"):
        if st.session_state[f"choose-compare-{parameter}"] not in options:  # it was deleted meanwhile
            st.session_state[f"choose-compare-{parameter}"] = {"a": a_first, "b": b_first}[parameter]
        session.follow_address(parameter, f"choose-compare-{parameter}", options)
    left, right = st.columns(2)
    a = left.selectbox(
        say("A（原来的）", "A (before)"),
        keys,
        format_func=lambda key: _option(options[key]),
        key="choose-compare-a",
    )
    b = right.selectbox(
        say("B（新的）", "B (after)"),
        keys,
        format_func=lambda key: _option(options[key]),
        key="choose-compare-b",
    )
    if a == b:
        st.info(
            say("A 和 B 是同一个。请另选一个。", "A and B are the same; choose another one."),
            icon=":material/info:",
        )
        return [], 1, False
    session.keep_address("a", a)
    session.keep_address("b", b)
    more = _more([key for key in keys if key not in (a, b)], options)
    common = _common()
    entries = [options[key] for key in (a, b, *more)]
    return entries, _shown(entries), common


def _first_choice(entries: Sequence[Entry]) -> tuple[str, str]:
    """Choose the newest evaluation as B, and as A the next one that was asked the same."""
    newest = entries[0]
    alike = [
        entry
        for entry in entries[1:]
        if entry.n == newest.n
        and entry.answer == newest.answer
        and entry.runs[0].spec.dataset_dir == newest.runs[0].spec.dataset_dir
    ]
    return (alike or entries[1:])[0].key, newest.key


def _option(entry: Entry) -> str:
    """Name an entry unlike any other: Streamlit finds a choice again by this text."""
    first = entry.runs[0]
    name = run_option(first)
    if len(entry.runs) > 1:
        name = say("{name} 等 {n} 个种子", "{name} and {more} other seeds", name=name, n=len(entry.runs),
                   more=len(entry.runs) - 1)  # fmt: skip
    parts = [name, answer_name(entry.answer), data_name(first), f"{entry.accuracy:.1%}", f"n={entry.n}"]
    return " · ".join(dict.fromkeys(map(str, parts)))


def _more(keys: Sequence[str], options: dict[str, Entry]) -> list[str]:
    """Draw the choice of further runs; they are in the address, too."""
    asked = [key for key in st.query_params.get_all("c") if key in keys]
    if st.session_state.get("followed-c") != asked:
        st.session_state["choose-compare-more"] = asked[: MOST - 2]
        st.session_state["followed-c"] = asked
    if keys:
        known = [key for key in st.session_state.get("choose-compare-more", []) if key in keys]
        st.session_state["choose-compare-more"] = known
    chosen: list[str] = (
        st.multiselect(
            say("再加几个（可选）", "More runs (optional)"),
            keys,
            format_func=lambda key: _option(options[key]),
            max_selections=MOST - 2,
            placeholder=say("最多再加 4 个", "up to 4 more"),
            key="choose-compare-more",
        )
        if keys
        else []
    )
    if chosen != asked:
        if chosen:
            st.query_params["c"] = chosen
        else:
            st.query_params.pop("c", None)
        st.session_state["followed-c"] = chosen
    return chosen


def _common() -> bool:
    """Return whether the address asks for the rows that all share."""
    return st.query_params.get("rows") == "common"


def _shown(entries: Sequence[Entry]) -> int:
    """Draw the choice of which run A is held against, where there are several; returns its place."""
    if len(entries) == 2:
        return 1
    names = names_of(entries)
    places = list(range(1, len(entries)))
    return choose_one(
        say("A 与哪个相比", "A against"),
        places,
        key="choose-compare-shown",
        format_func=lambda place: names[place] if place < len(names) else "",
    )


def choose_view() -> str:
    """Draw the choice of what is shown below the verdict; only that is computed."""
    names = {
        "changes": say("修好与弄错", "Fixed and broken"),
        "matrix": say("混淆矩阵的变化", "Change of the matrix"),
        "categories": say("逐类", "Per category"),
    }
    session.follow_address("view", "choose-compare-view", names)
    view = choose_one(
        say("看什么", "View"),
        list(names),
        key="choose-compare-view",
        format_func=lambda each: names[each],
        label_visibility="collapsed",
    )
    session.keep_address("view", view)
    return view


def _nothing_yet() -> None:
    st.info(
        say(
            "要有两次评估才能比较。再评估一个模型，或用另一种回答方式再评估一次。",
            "Two evaluations are needed. Evaluate another model, or the same one by the other way of "
            "answering.",
        ),
        icon=":material/compare_arrows:",
    )
    session.link("evaluate", say("去评估", "Evaluate"))
