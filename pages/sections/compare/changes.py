"""List what was fixed and what broke."""

from collections.abc import Sequence

import streamlit as st

from pages.sections.compare.titles import title_list
from pages.shared import session
from pages.shared.elements import choose_one
from pages.shared.text import category_name
from studio.evaluation.compared import Compared
from studio.evaluation.entries import Entry
from studio.language import say

KINDS = ("fixed", "broken", "both_wrong")


def changes_section(found: Compared, entries: Sequence[Entry], shown: int) -> None:
    """Draw the list of fixed, broken or still wrong titles, of all categories or one."""
    comparison = found.comparisons[shown - 1]
    wrong = [found.sides[side].answers != found.aligned.label for side in (0, shown)]
    rows = {
        "fixed": comparison.fixed_rows.tolist(),
        "broken": comparison.broken_rows.tolist(),
        "both_wrong": (wrong[0] & wrong[1]).nonzero()[0].tolist(),
    }
    names = {
        "fixed": say(f"修好 {len(rows['fixed'])}", f"fixed {len(rows['fixed'])}"),
        "broken": say(f"弄错 {len(rows['broken'])}", f"broken {len(rows['broken'])}"),
        "both_wrong": say(f"都错 {len(rows['both_wrong'])}", f"wrong in both {len(rows['both_wrong'])}"),
    }
    left, right = st.columns([1.6, 1])
    session.follow_address("show", "choose-compare-kind", KINDS)
    with left:
        kind = choose_one(
            say("哪些标题", "Titles"), KINDS, key="choose-compare-kind", format_func=lambda each: names[each]
        )
    session.keep_address("show", kind)
    everything = say("所有类别", "every category")
    categories = [each.name for each in comparison.per_category]
    session.follow_address("category", "choose-compare-category", categories)
    category = right.selectbox(
        say("类别", "Category"),
        ["", *categories],
        format_func=lambda name: category_name(name) if name else everything,
        key="choose-compare-category",
    )
    if category:
        session.keep_address("category", category)
        position = found.aligned.categories.index(category)
        chosen = [row for row in rows[kind] if found.aligned.label[row] == position]
    else:
        st.query_params.pop("category", None)
        chosen = rows[kind]
    title_list(found, entries, shown, chosen, key=f"changes-{kind}")
