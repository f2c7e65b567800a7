"""Draw what differs between two frozen versions."""

from collections.abc import Sequence

import streamlit as st

from pages.shared import session
from pages.shared.elements import table
from pages.shared.text import category_name, plain
from pages.shared.token_preview import SPLIT_NAMES
from studio.datasets.diff import CHANGES, RowChange, VersionDiff, diff_versions
from studio.datasets.versions import Version
from studio.language import say
from studio.samples.title_text import Split
from studio.store import Store

CHANGE_NAMES: dict[RowChange, tuple[str, str]] = {
    "added": ("新增", "added"),
    "removed": ("移除", "removed"),
    "relabelled": ("改类别", "relabelled"),
    "chain": ("改思维链", "chain edited"),
    "moved": ("换划分", "moved"),
}
SHOWN_ROWS = 500
TALLEST = 10
"""Rows up to which the table is as tall as they are; more scroll in it."""


def difference_section(db: Store, versions: Sequence[Version]) -> None:
    """Draw the choice of two versions and what differs between them."""
    st.subheader(say("比较两个版本", "Compare two versions"), anchor=False)
    by_ref = {version.ref: version for version in versions}
    refs = list(by_ref)
    with st.container(horizontal=True):
        before = st.selectbox(say("从", "From"), refs, index=1, key="choose-diff-before", width=220)
        after = st.selectbox(say("到", "To"), refs, index=0, key="choose-diff-after", width=220)
    found = diff_versions(db, by_ref[before], by_ref[after])
    st.markdown(plain(found.sentence))
    if found.rows:
        _difference_tables(found)


def _difference_tables(found: VersionDiff) -> None:
    counts = found.per_category
    table(
        [
            {say("类别", "category"): category_name(name)}
            | {say(*CHANGE_NAMES[change]): counts[name].get(change, 0) for change in CHANGES}
            for name in session.scheme().names
            if name in counts
        ],
        hide_index=True,
        height="content",
        alt=say("每个类别的变化", "Changes per category"),
    )
    kinds = st.pills(
        say("只看", "Show"),
        [change for change in CHANGES if found.count(change)],
        selection_mode="multi",
        format_func=lambda change: say(*CHANGE_NAMES[change]),
        key="diff-kinds",
    )
    rows = [row for row in found.rows if not kinds or set(kinds) & set(row.changes)]
    table(
        [
            {
                say("变化", "change"): say("、", ", ").join(
                    say(*CHANGE_NAMES[change]) for change in row.changes
                ),
                say("标题", "title"): row.text,
                say("原类别", "category before"): category_name(row.category_before or ""),
                say("现类别", "category after"): category_name(row.category_after or ""),
                say("原划分", "split before"): _split_name(row.split_before),
                say("现划分", "split after"): _split_name(row.split_after),
            }
            for row in rows[:SHOWN_ROWS]
        ],
        hide_index=True,
        height="content" if len(rows) <= TALLEST else 420,
        alt=say("有变化的行", "Rows that differ"),
    )
    if len(rows) > SHOWN_ROWS:
        st.caption(
            say(
                f"共 {len(rows)} 行，这里列出前 {SHOWN_ROWS} 行；"
                "全部用 news-studio dataset diff --json 查看。",
                f"The first {SHOWN_ROWS} of {len(rows)} rows; list all with news-studio dataset diff --json",
            )
        )


def _split_name(split: Split | None) -> str:
    """Name the split of a row; empty for a row that this version has not."""
    return "" if split is None else say(*SPLIT_NAMES[split])
