"""Draw how a preference training compares with the checkpoint that it started from."""

import streamlit as st

from pages.shared.feedback import report_errors
from pages.shared.text import plain
from studio.evaluation.against_start import against_start, conclusion
from studio.language import say
from studio.runs import Run


def draw_outcome(run: Run) -> None:
    """Draw the conclusion and the paired comparison by each way of answering; nothing for other runs."""
    if run.state != "done":
        return
    with report_errors():
        found = against_start(run)
        if not found:
            return
        shown = st.success if any(each.has_won for each in found) else st.warning
        lines = [
            f"- {say('思维链', 'chain') if each.answer == 'chain' else say('直接', 'direct')}："
            f"{plain(each.comparison.verdict.sentence)}"
            for each in found
        ]
        shown("\n".join([conclusion(found), "", *lines]), icon=":material/balance:")
