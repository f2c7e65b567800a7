"""Draw the counts: by kind, by category, by what was confused, and what was left out."""

import streamlit as st

from pages.shared.elements import table
from pages.shared.text import category_name
from studio.language import say
from studio.preferences.pairs import kind_name
from studio.preferences.selection import Selection
from studio.samples.preferences import too_few


def summary(everything: Selection, found: Selection) -> None:
    """Draw how many pairs there are and pass the filters, and of what."""
    total, shown = len(everything.pairs), len(found.pairs)
    st.markdown(
        say(f"**{shown} 个偏好对**", f"**{shown} preference pairs**")
        + ("" if shown == total else say(f"　共 {total} 个", f"　of {total}"))
        + f"　:gray[{_left_out(everything)}]"
    )
    if not found.pairs:
        return
    if (reason := too_few([pair.chosen.category for pair in found.pairs])) is not None:
        st.caption(say(*reason))
    count = say("对数", "pairs")
    with st.expander(say("按来源、类别和混淆", "By source, category and confusion"), key="pairs-counts"):
        left, middle, right = st.columns(3)
        with left:
            table(
                [
                    {say("来自", "from"): kind_name(kind), count: number}
                    for kind, number in found.by_kind.items()
                ],
                hide_index=True,
                alt=say("按来源", "By source"),
            )
        with middle:
            table(
                [
                    {say("选中的类别", "chosen category"): category_name(name), count: number}
                    for name, number in found.by_category.items()
                ],
                hide_index=True,
                alt=say("按类别", "By category"),
            )
        with right:
            table(
                [
                    {
                        say("该是", "right"): category_name(chosen),
                        say("不该是", "wrong"): category_name(rejected),
                        count: number,
                    }
                    for (chosen, rejected), number in found.by_confused.items()
                ],
                hide_index=True,
                alt=say("按混淆的两个类别", "By the two categories that were confused"),
            )


def _left_out(selection: Selection) -> str:
    return say(
        f"没有收：{selection.near_duplicates} 个近似重复，{selection.evaluated} 个的标题要用来评估",
        f"left out: {selection.near_duplicates} near duplicates, {selection.evaluated} about titles that are"
        " evaluated",
    )
