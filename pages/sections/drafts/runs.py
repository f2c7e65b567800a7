"""Draw the runs in which a teacher drafted: the newest live, what it cost, what became of its drafts."""

import streamlit as st

from pages.sections.drafts.endpoint import price_text
from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import live_fragment, reporting, show_failure
from pages.shared.text import PHASE_NAMES, state_name, time_left
from studio import runs
from studio.contract import DraftSpec
from studio.jobs import queue
from studio.language import say
from studio.runs import Job
from studio.store import Store
from studio.teacher import drafts
from studio.teacher import runs as teacher_runs
from studio.teacher.runs import Outcome

SHOWN_FAILURES = 50


def latest_run(db: Store) -> None:
    """Draw the newest run in detail, live while it goes on, and offer the ones before."""
    found = teacher_runs.draft_runs(session.workspace())
    if not found:
        return
    st.subheader(say("起草任务", "Runs"), anchor=False)
    by_id = {job.id: job for job in found}
    if st.session_state.get("choose-draft-run") not in by_id or not found[0].is_over:
        st.session_state["choose-draft-run"] = found[0].id
    chosen = st.selectbox(
        say("查看", "Watch"),
        list(by_id),
        format_func=lambda run_id: f"{by_id[run_id].created_at:%m-%d %H:%M:%S} · {run_id}",
        key="choose-draft-run",
        label_visibility="collapsed",
    )
    if by_id[chosen].is_over:
        _panel(db, by_id[chosen])
    else:
        _live_panel(chosen)


@live_fragment
def _live_panel(run_id: str) -> None:
    """Draw a run that goes on; when it is over, the page once more, without the clock."""
    job = runs.get_job(session.workspace(), run_id)
    if job.is_over:
        st.rerun()
    queue.ensure_job_process(session.workspace())
    db = session.store()
    drafts.take_in(db, session.workspace())
    _panel(db, job)


def _panel(db: Store, job: Job) -> None:
    outcome = teacher_runs.outcome(job)
    if job.failure:
        show_failure(*job.failure)
    if not job.is_over:
        _progress(job)
    _numbers(db, job, outcome)
    with st.container(horizontal=True):
        if job.is_over and job.state != "done":
            st.button(
                say("继续", "Resume"),
                key=f"draft-resume-{job.id}",
                icon=":material/resume:",
                help=say(
                    "只为还没有草稿的标题起草，失败的会重试；接口和设置与这次相同。",
                    "Drafts only titles without a draft and retries failed ones, "
                    "with this run's endpoint and settings.",
                ),
                on_click=_resume,
                args=(job,),
            )
        if drafts.count_pending(db):
            st.button(
                say("去审阅草稿", "Review the drafts"),
                key=f"draft-review-{job.id}",
                icon=":material/rate_review:",
                on_click=_choose_review,
            )
    if st.session_state.pop("go-to-review", False):
        st.switch_page(session.page_path("label"))
    _failures(outcome)
    with st.expander(say("日志", "Log"), key=f"draft-log-{job.id}"):
        st.code(runs.read_log(job) or say("还没有内容", "nothing yet"), language=None)


def _progress(job: Job) -> None:
    now = runs.progress(job)
    left = "" if now.eta_seconds is None else f"　·　{time_left(now.eta_seconds)}"
    name = state_name(job.state) if job.state == "queued" else say(*PHASE_NAMES[now.phase])
    st.progress(now.fraction, text=f"{name} {now.done} / {now.total}{left}")
    st.button(
        say("取消", "Cancel"),
        key=f"draft-cancel-{job.id}",
        icon=":material/stop:",
        on_click=_cancel,
        args=(job.id,),
        disabled=runs.is_cancel_wanted(job),
    )


@reporting
def _cancel(job_id: str) -> None:
    """Cancel the run; the drafts that are there stay."""
    runs.cancel(session.workspace(), job_id)


def _numbers(db: Store, job: Job, outcome: Outcome) -> None:
    answers = drafts.draft_outcomes(db, job.id)
    with st.container(horizontal=True):
        st.metric(say("状态", "State"), state_name(job.state))
        st.metric(say("草稿", "Drafts"), f"{outcome.drafted} / {outcome.titles}")
        st.metric(say("有提示", "With remarks"), outcome.with_remarks)
        st.metric(say("失败", "Failed"), len(outcome.failed))
        st.metric(
            say("接受 / 改后接受 / 拒绝", "Accepted / edited / rejected"),
            f"{answers.accepted} / {answers.edited} / {answers.rejected}",
        )
        if outcome.cost.prompt_tokens or not outcome.drafted:
            st.metric(
                say("实际词元", "Tokens used"),
                f"{outcome.cost.prompt_tokens:,} + {outcome.cost.completion_tokens:,}",
            )
            st.metric(say("实际费用", "Actual cost"), price_text(outcome.cost.price))
        else:
            st.metric(say("实际词元", "Tokens used"), say("接口未返回", "not reported"))


def _failures(outcome: Outcome) -> None:
    if not outcome.failed:
        return
    with st.expander(
        say(f"{len(outcome.failed)} 条没有草稿", f"{len(outcome.failed)} without a draft"),
        key="draft-failures",
    ):
        table(
            [
                {say("标题", "Title"): line.title, say("原因", "Reason"): line.problem}
                for line in outcome.failed[:SHOWN_FAILURES]
            ],
            hide_index=True,
        )


@reporting
def _resume(job: Job) -> None:
    """Resume with what is missing, with the endpoint of the run and the key as it is now."""
    workspace = session.workspace()
    assert isinstance(job.spec, DraftSpec), job.spec.kind
    settings = job.spec.model_dump(exclude={"format_version", "kind", "key_file", "key_env"})
    spec = teacher_runs.draft_spec(workspace, **settings)
    teacher_runs.resume(session.store(), workspace, job, spec, session.scheme())


@reporting
def _choose_review() -> None:
    """Open the Label page in think-chain mode with the drafts first."""
    st.session_state["choose-label-mode"] = "chain"
    st.session_state["choose-review-drafts"] = True
    st.session_state["go-to-review"] = True
