"""Choose a candidate, and compare it with the released model."""

import streamlit as st

from pages.shared import session
from pages.shared.text import plain, run_option
from studio.errors import NotComparable
from studio.evaluation.wear import record_comparison, wear_of
from studio.gate.gates import Gate
from studio.gate.judging import AgainstReleased, against_release
from studio.gate.releasing import list_candidates
from studio.language import say
from studio.runs import Run
from studio.store import Store


def choose_candidate() -> Run | None:
    """Draw the choice among the runs that can be released; None, with a hint, where there is none."""
    candidates = {run.id: run for run in list_candidates(session.workspace())}
    if not candidates:
        st.info(
            say(
                "还没有可以发布的运行：要完整训练一次，试跑和扫描里的都不算。",
                "No run can be released yet: train one to its end. Trial runs and sweeps do not count.",
            ),
            icon=":material/model_training:",
        )
        session.link("train", say("去训练", "Train"))
        return None
    key = "choose-release-candidate"
    if st.session_state.get(key) not in candidates:
        st.session_state[key] = next(iter(candidates))
    session.follow_address("run", key, candidates)
    chosen = st.selectbox(
        say("候选", "Candidate"),
        list(candidates),
        format_func={run_id: run_option(run) for run_id, run in candidates.items()}.__getitem__,
        key=key,
    )
    session.keep_address("run", chosen)
    return candidates[chosen]


def against_released(db: Store, candidate: Run, gate: Gate | None) -> None:
    """Draw how the candidate compares with the released model; nothing before the first release."""
    try:
        against = against_release(db, session.workspace(), candidate, gate)
    except NotComparable as error:
        st.caption(plain(error.problem))
        return
    if against is None:
        return
    comparison = against.compared.comparisons[0]
    record_comparison(db, against.compared.rows_sha256, against.entries, author=session.annotator())
    color = {"better": "green", "worse": "red"}.get(comparison.verdict.code, "gray")
    st.markdown(f":{color}[:material/compare_arrows:] **{plain(comparison.verdict.sentence)}**")
    low, high = comparison.interval
    facts = say(
        f"修好 {comparison.fixed} 条，弄错 {comparison.broken} 条；差 {comparison.difference * 100:+.1f} 点"
        f"（95% 区间 {low * 100:+.1f} … {high * 100:+.1f}）。",
        f"{comparison.fixed} fixed, {comparison.broken} broken; difference "
        f"{comparison.difference * 100:+.1f} points (95 % interval {low * 100:+.1f} … {high * 100:+.1f}).",
    )
    st.caption(f"{plain(facts)} {plain(_worn(db, against))}")
    a, b = against.entries
    session.link("compare", say("逐条看", "See the titles"), a=a.key, b=b.key)


def _worn(db: Store, against: AgainstReleased) -> str:
    wear = wear_of(db, against.compared.rows_sha256)
    return say(
        f"这些标题已用于 {wear.comparisons} 次比较（{wear.evaluations} 个评估）。",
        f"These titles have served {wear.comparisons} comparisons of {wear.evaluations} evaluations.",
    )
