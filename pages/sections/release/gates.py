"""Choose a gate, judge a candidate at it, and save a new one."""

from typing import Any

import streamlit as st

from pages.sections.release.progress import job_progress
from pages.shared import session
from pages.shared.feedback import notify, report_errors, reporting, show_failure
from pages.shared.text import answer_name, plain
from studio.contract import AnswerMode
from studio.datasets.versions import list_versions
from studio.gate import sentences
from studio.gate.gates import Gate, find_gate, list_gates, save_gate
from studio.gate.judging import judge_and_record, last_judgement
from studio.gate.measuring import evaluate_for, last_evaluation
from studio.gate.releasing import require_candidate
from studio.language import say
from studio.releases.models import GateResult, LineCode, Status
from studio.releases.records import current_release
from studio.runs import Run
from studio.store import Store
from studio.workspace import BUNDLED_NAME

ANSWERS: tuple[AnswerMode, ...] = ("direct", "chain")
STATUS_MARKS: dict[Status, str] = {
    "green": ":green[:material/check_circle:]",
    "red": ":red[:material/cancel:]",
    "not_measured": ":orange[:material/help:]",
}
SHARES: tuple[tuple[LineCode, tuple[str, str], float], ...] = (
    ("accuracy", ("准确率区间下端至少，%", "Accuracy, lower end at least, %"), 70.0),
    ("category", ("每个类别召回率至少，%", "Recall of every category at least, %"), 50.0),
    ("flips", ("行为测试翻转率至多，%", "Behavioural flip rate at most, %"), 15.0),
    ("quotes", ("引用在标题里的至少，%", "Quotes in the title at least, %"), 95.0),
    ("sealed", ("封存集准确率区间下端至少，%", "Sealed accuracy, lower end at least, %"), 70.0),
)
"""Lines that ask for a share: what they are called, and a value to start from."""


def choose_gate(db: Store) -> Gate | None:
    """Draw the choice among the saved gates, the newest first; None, with a hint, where there is none."""
    gates = {gate.number: gate for gate in list_gates(db)}
    st.subheader(say("门槛", "Gate"), anchor=False)
    if not gates:
        st.caption(
            say(
                "还没有存过门槛。先存门槛再评估候选：看过分数再定的线，总能画在它下面。",
                "No gate was saved yet. Save it before a candidate is evaluated: a line that is drawn after "
                "the score can always be drawn below it.",
            )
        )
        return None
    if len(gates) == 1:
        return next(iter(gates.values()))
    key = "choose-release-gate"
    if st.session_state.get(key) not in gates:
        st.session_state[key] = next(iter(gates))
    number = st.selectbox(
        say("哪一道门槛", "Which gate"),
        list(gates),
        format_func={each: sentences.gate_name(gate) for each, gate in gates.items()}.__getitem__,
        key=key,
    )
    return gates[number]


def gate_lines(db: Store, gate: Gate | None, candidate: Run | None, *, may_judge: bool) -> GateResult | None:
    """Draw what a gate asks for and how the candidate came out; returns the last judgement, if any."""
    if gate is None:
        return None
    st.caption(
        plain(sentences.gate_name(gate))
        + "　"
        + plain(answer_name(gate.rule.answer))
        + f"　sha256 {gate.sha256[:12]}"
    )
    result = last_judgement(db, gate, candidate.id) if candidate else None
    if result is None:
        st.markdown("\n".join(f"- {plain(sentences.asked(gate.rule, line))}" for line in gate.rule.lines))
    else:
        _outcome(result)
        found = {line.line: line for line in result.lines}
        for code in gate.rule.lines:
            line = found[code]
            st.markdown(
                f"{STATUS_MARKS[line.status]} **{plain(sentences.status_name(line.status))}** "
                f"{plain(sentences.asked(gate.rule, code))}  \n"
                f":small[{plain(sentences.found(line))}]"
            )
        for remark in sentences.remarks(result):
            st.caption(f":material/info: {plain(remark)}")
        _ways_on(gate, result, may_judge=may_judge)
    if candidate is not None:
        _measuring(gate, candidate)
    if candidate is not None and may_judge:
        st.button(
            say("再检查一次", "Check again") if result else say("检查这个候选", "Check this candidate"),
            key="gate-judge",
            type="secondary" if result else "primary",
            icon=":material/rule:",
            help=say(
                "结果和次数都会记入台账，不能更改。",
                "The result and the number of attempts go into the ledger and cannot be changed.",
            ),
            on_click=_judge,
            args=(gate.number, candidate.id),
        )
    return result


def _ways_on(gate: Gate, result: GateResult, *, may_judge: bool) -> None:
    """Offer to measure what is missing, or link to where it can be."""
    if not may_judge:
        return
    whys = {line.why for line in result.lines}
    released = current_release(session.workspace())
    with st.container(horizontal=True):
        if "no_evaluation" in whys:
            _measure_button(gate, result.run, gate.rule.answer, say("评估候选", "Evaluate the candidate"))
        if "no_chain_evaluation" in whys:
            label = say("用思维链评估候选", "Evaluate the candidate with think chains")
            _measure_button(gate, result.run, "chain", label)
        if "released_not_evaluated" in whys and released is not None:
            label = say("评估已发布的", "Evaluate the released model")
            _measure_button(gate, released.release.run, gate.rule.answer, label)
        if "not_tested" in whys:
            label = say("做行为测试", "Run behavioural tests")
            session.link("evaluate", label, run=result.run, view="behaviour")


def _measure_button(gate: Gate, run_id: str, answer: AnswerMode, label: str) -> None:
    st.button(
        label,
        key=f"gate-measure-{answer}-{run_id}",
        icon=":material/play_arrow:",
        on_click=_measure,
        args=(gate.number, run_id, answer),
    )


@reporting
def _measure(number: int, run_id: str, answer: AnswerMode) -> None:
    """Queue the evaluation that the gate asks for."""
    gate = find_gate(session.store(), number)
    assert gate is not None, number
    evaluate_for(session.workspace(), gate.rule, run_id, answer)


def _measuring(gate: Gate, candidate: Run) -> None:
    """Draw how the last evaluation for the gate stands while it goes on, or why it failed; else nothing."""
    workspace = session.workspace()
    released = current_release(workspace)
    for run_id in dict.fromkeys([candidate.id, *([released.release.run] if released else [])]):
        last = last_evaluation(workspace, gate.rule, run_id)
        if last is not None and not last.is_over:
            job_progress(last.id)
            return
        if last is not None and last.failure:
            show_failure(*last.failure)


def _outcome(result: GateResult) -> None:
    sentence = plain(sentences.outcome(result))
    match result.outcome:
        case "passed":
            st.success(sentence, icon=":material/verified:")
        case "failed":
            st.error(sentence, icon=":material/block:")
        case _:
            st.warning(sentence, icon=":material/pending:")


@reporting
def _judge(number: int, run_id: str) -> None:
    """Judge the candidate, and write it down."""
    db, workspace = session.store(), session.workspace()
    gate = find_gate(db, number)
    assert gate is not None, number
    judge_and_record(db, workspace, gate, require_candidate(workspace, run_id), author=session.annotator())


def new_gate(db: Store, *, is_first: bool) -> None:
    """Draw the form that saves a gate."""
    with (
        st.expander(
            say("存一道新门槛", "Save a new gate"), key="gate-new", icon=":material/add:", expanded=is_first
        ),
        st.form("gate-form", border=False),
    ):
        datasets = [version.ref for version in list_versions(db, session.workspace())]
        names = {ref: ref for ref in datasets} | {BUNDLED_NAME: say("内置样例", "bundled samples")}
        left, right = st.columns(2)
        dataset = left.selectbox(
            say("评估集", "Evaluation set"),
            list(names),
            format_func=names.__getitem__,
            key="gate-dataset",
        )
        answer = right.selectbox(
            say("回答方式", "Way of answering"),
            ANSWERS,
            format_func={each: answer_name(each) for each in ANSWERS}.__getitem__,
            key="gate-answer",
        )
        not_worse = st.checkbox(
            say("准确率不比已发布的差", "Accuracy not worse than the released model's"),
            value=True,
            key="gate-not_worse",
        )
        shares = _shares()
        forgetting = st.checkbox(
            say("遗忘检查没有发现退步", "The forgetting probe shows no loss"), key="gate-forgetting"
        )
        if st.form_submit_button(
            say("存下门槛", "Save the gate"),
            key="gate-save",
            icon=":material/lock:",
            help=say("存了就不能改；可以再存一道。", "It cannot be changed; you can save another one."),
        ):
            with report_errors():
                save_gate(
                    db,
                    session.workspace(),
                    dataset=dataset,
                    author=session.annotator(),
                    answer=answer,
                    not_worse=not_worse,
                    forgetting=forgetting,
                    **shares,
                )
                notify(say("门槛已存下。", "The gate is saved."))
                st.rerun()


def _shares() -> dict[str, Any]:
    """Draw the lines that ask for a share; an empty box asks for nothing."""
    asked: dict[str, Any] = {}
    with st.grid(3, min_column_width=200):
        margin = st.number_input(
            say("最多低几个百分点", "Points below it at most"),
            value=None,
            min_value=0.0,
            max_value=50.0,
            step=0.5,
            key="gate-margin",
            placeholder=say("不是偶然的退步才算", "only a loss beyond chance"),
            help=say(
                "填了：差的 95% 区间要排除更大的退步，标题少时很难做到。",
                "Given: the 95 % interval of the difference has to exclude a larger loss, which takes many "
                "titles.",
            ),
        )
        asked["margin"] = None if margin is None else margin / 100
        for code, label, value in SHARES:
            share = st.number_input(
                say(*label),
                value=value if code == "accuracy" else None,
                min_value=0.5,
                max_value=99.9,
                step=1.0,
                key=f"gate-{code}",
                placeholder=say("不要求", "not asked for"),
            )
            asked[code] = None if share is None else share / 100
    return asked
