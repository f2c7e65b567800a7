"""Draw the guidelines of the scheme: definitions, borderline titles, pair rules."""

import streamlit as st

from pages.shared import session
from pages.shared.text import category_mark, plain
from studio.language import say
from studio.samples.scheme import Category, Scheme


def guidelines() -> None:
    """Draw all guidelines in a panel that scrolls by itself."""
    scheme = session.scheme()
    categories, pairs = st.tabs(
        [say("类别定义", "Categories"), say("易混类别", "Confused pairs")],
        key="guidelines_tab",
        on_change="rerun",
    )
    if categories.open:
        with categories.container(height=460, border=False):
            for category in scheme.categories:
                _definition(category)
    if pairs.open:
        with pairs.container(height=460, border=False):
            for pair, text in scheme.rules.items():
                one, other = sorted(pair, key=scheme.names.index)
                st.markdown(f"{category_mark(one)} / {category_mark(other)}")
                st.caption(plain(text))


def _definition(category: Category) -> None:
    st.markdown(f"**{category_mark(category.name)}** `{category.key}`　{plain(category.definition)}")
    examples = (
        f"- {plain(example.title)}  \n  :gray[{plain(example.why)}]" for example in category.borderline
    )
    st.markdown(":small[" + say("边界例子", "Borderline examples") + "]\n" + "\n".join(examples))


def pair_rules(scheme: Scheme, category: str, rivals: set[str]) -> None:
    """Draw the written rules between a category and those it is compared with."""
    for rival in sorted(rivals - {category}, key=scheme.names.index):
        rule = scheme.rule(category, rival)
        if rule:
            st.caption(f":material/balance: {category} / {rival}：{plain(rule)}")
