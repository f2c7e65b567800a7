"""Draw the proof of an export: the verdict, the table, and the first title whose chain differs."""

import streamlit as st

from pages.shared.elements import table
from pages.shared.text import plain
from studio.contract import Divergence, ExportReport
from studio.evaluation.export_proof import (
    divergence_tokens,
    fallback_note,
    penalty_note,
    proof_line,
    proof_table,
)
from studio.language import say


def proof_view(report: ExportReport) -> None:
    """Draw whether an export is proven, and by what."""
    proof = report.proof
    show = st.success if proof.proven else st.error if proof.runtime and proof.titles else st.warning
    icon = ":material/verified:" if proof.proven else ":material/report:"
    show(plain(proof_line(proof)), icon=icon)
    for note in (penalty_note(report), fallback_note(report)):
        if note:
            st.info(plain(note), icon=":material/tune:")
    if not proof.runtime:
        return
    table(
        (
            {say("项目", "What"): name, say("检查点", "Checkpoint"): before, say("导出", "Export"): after}
            for name, before, after in proof_table(proof)
        ),
        hide_index=True,
        width="stretch",
        height="content",
    )
    if proof.first_divergence is not None:
        with st.expander(say("第一处不同", "First divergence"), key="export-divergence"):
            _divergence(proof.first_divergence)


def _divergence(found: Divergence) -> None:
    st.markdown(plain(found.title))
    before, after = divergence_tokens(found)
    for column, name, prompt, tokens in zip(
        st.columns(2),
        (say("检查点", "Checkpoint"), say("导出", "Export")),
        (found.prompt_before, found.prompt_after),
        (before, after),
        strict=True,
    ):
        with column:
            st.caption(say(f"{name}：提示", f"{name}: prompt"))
            st.code(prompt, language=None, wrap_lines=True)
            st.caption(say(f"{name}：词元，[ ] 里开始不同", f"{name}: tokens, differing from [ ] on"))
            st.code(tokens, language=None, wrap_lines=True)
    if found.prompt_before != found.prompt_after:
        st.warning(
            say("两边的提示不同：先看模板。", "The prompts differ: look at the template first."),
            icon=":material/difference:",
        )
