"""The rules of the scheme, shown beside the work: definitions, borderline titles, pair rules."""

import streamlit as st

from pages.shared import shell
from studio.language import say
from studio.samples.scheme import Category, Scheme


def guidelines() -> None:
    """Everything the annotators have agreed on, in a panel that scrolls by itself."""
    scheme = shell.scheme()
    categories, pairs = st.tabs(
        [say("十个类别", "The categories"), say("易混类别", "Confused pairs")],
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
                st.markdown(f"{shell.category_mark(one)} / {shell.category_mark(other)}")
                st.caption(shell.plain(text))


def _definition(category: Category) -> None:
    st.markdown(
        f"**{shell.category_mark(category.name)}** `{category.key}`　{shell.plain(category.definition)}"
    )
    examples = (
        f"- {shell.plain(example.title)}  \n  :gray[{shell.plain(example.why)}]"
        for example in category.borderline
    )
    st.markdown(":small[" + say("边界例子", "Borderline examples") + "]\n" + "\n".join(examples))


def pair_rules(scheme: Scheme, category: str, rivals: set[str]) -> None:
    """The written rules between a category and those it is weighed against."""
    for rival in sorted(rivals - {category}, key=scheme.names.index):
        rule = scheme.rule(category, rival)
        if rule:
            st.caption(f":material/balance: {category} / {rival}：{shell.plain(rule)}")
