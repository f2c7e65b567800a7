"""Draw where a model comes from, step by step."""

import streamlit as st

from pages.shared import session
from pages.shared.text import plain
from studio.gate.lineage import lineage
from studio.language import say
from studio.runs import Run
from studio.store import Store


def lineage_box(db: Store, candidate: Run) -> None:
    """Draw every step from the titles to the release, with hashes and the command that repeats it."""
    box = st.expander(
        say("来历", "Lineage"), key="release-lineage", icon=":material/account_tree:", on_change="rerun"
    )
    if not box.open:
        return
    with box:
        for step in lineage(db, session.workspace(), candidate):
            facts = "  \n".join(f":gray[{plain(name)}] {plain(value)}" for name, value in step.facts)
            st.markdown(f"**{plain(step.name)}**  \n{facts}")
            if step.command:
                st.code(step.command, language=None)
