"""Release: may this candidate ship? Judged at a gate, signed by name, and one press to go back."""

import streamlit as st

from pages.sections.release.candidate import against_released, choose_candidate
from pages.sections.release.gates import choose_gate, gate_lines, new_gate
from pages.sections.release.in_force import in_force, list_all
from pages.sections.release.lineage import lineage_box
from pages.sections.release.sealed import sealed_box
from pages.sections.release.sign import sign_section
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from studio.language import say
from studio.team.rights import has_right

header(
    say("发布", "Release"),
    say(
        "候选能不能用：先存下门槛，再评估，逐条检查，签名发布；不对就退回上一个。",
        "May it ship? Save the gate, then evaluate, check line by line, sign; go back if it was wrong.",
    ),
)
with report_errors():
    db = session.store()
    may_release = has_right(session.person(), "release")
    in_force(db, may_change=may_release)
    candidate = choose_candidate()
    comparison = st.container()
    if not may_release:
        st.info(
            say(
                "存门槛、打开封存的评估集和签发由分析员或管理员来做。",
                "An analyst or admin saves gates, opens sealed sets and signs.",
            ),
            icon=":material/lock:",
        )
    gate = choose_gate(db)
    if candidate is not None:
        with comparison:
            against_released(db, candidate, gate)
    result = gate_lines(db, gate, candidate, may_judge=may_release)
    if may_release:
        new_gate(db, is_first=gate is None)
    if candidate is not None:
        sealed_box(db, candidate, may_open=may_release)
        if may_release:
            sign_section(db, candidate, gate, result)
        lineage_box(db, candidate)
    list_all(db, may_change=may_release)
