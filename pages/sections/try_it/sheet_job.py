"""Draw one classification of a sheet: its progress, what came out, the file to download."""

from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from pages.sections.try_it.sheet_rows import sheet_rows
from pages.shared import charts, session
from pages.shared.feedback import live_fragment, notify, reporting, show_failure
from pages.shared.run_controls import run_controls
from pages.shared.text import PHASE_NAMES, state_name, time_left
from studio import runs
from studio.classification.results import LOW, Classified, Summary, load_classified, summarize
from studio.classification.writing import file_name, write_classified
from studio.jobs import queue
from studio.language import say
from studio.runs import Job


def sheet_job(job: Job) -> None:
    """Draw a classification: while it runs its progress, afterwards its rows, also those of one cut short."""
    if not job.is_over:
        _live(job.id)
        return
    if job.failure:
        show_failure(*job.failure)
    if job.state != "done":
        run_controls(job)
    classified = load_classified(job)
    _numbers(classified)
    with st.container(horizontal=True):
        _download(job)
        _delete_button(job)
    sheet_rows(job, classified)


@live_fragment
def _live(job_id: str) -> None:
    """Draw the progress; when the job is over, the page once more."""
    workspace = session.workspace()
    job = runs.get_job(workspace, job_id)
    if job.is_over:
        st.rerun()
    queue.ensure_job_process(workspace)
    now = runs.progress(job)
    left = "" if now.eta_seconds is None else f"　·　{time_left(now.eta_seconds)}"
    name = state_name(job.state) if job.state == "queued" else say(*PHASE_NAMES[now.phase])
    count = f" {now.done:,} / {now.total:,}" if now.total else ""
    st.progress(now.fraction, text=f"{name}{count}{left}")
    run_controls(job)


def _numbers(classified: Classified) -> None:
    """Draw what came out, in rows of the sheet, and how they spread over the categories."""
    threshold = classified.threshold
    summary = summarize(classified, below=LOW if threshold is None else threshold)
    outcomes = summary.outcomes
    with st.container(horizontal=True):
        st.metric(say("行", "Rows"), f"{summary.rows:,}")
        st.metric(say("不同的标题", "Different titles"), f"{summary.titles:,}")
        st.metric(say("有类别", "Answered"), f"{outcomes['answer']:,}")
        if threshold is not None:
            st.metric(
                say(f"请人工判断（低于 {threshold:.0%}）", f"For a person (below {threshold:.0%})"),
                f"{outcomes['abstain']:,}",
            )
        else:
            st.metric(say(f"置信度低于 {LOW:.0%}", f"Confidence below {LOW:.0%}"), f"{summary.low:,}")
        st.metric(say("读不出类别", "No category"), f"{outcomes['unparsed']:,}")
        st.metric(say("出错", "Errors"), f"{outcomes['error']:,}")
        if outcomes["open"]:
            st.metric(say("还没有回答", "Not answered yet"), f"{outcomes['open']:,}")
    _distribution(summary)


def _distribution(summary: Summary) -> None:
    if not summary.categories:
        return
    with st.expander(say("类别分布", "Categories"), key="sheet-categories", icon=":material/bar_chart:"):
        st.altair_chart(
            charts.category_bars(summary.categories, session.scheme()),
            alt=say("各类别的行数", "Rows of each category"),
        )


def _download(job: Job) -> None:
    """Offer the sheet with its answers, which is written once somebody takes it."""
    name = Path(file_name(job))
    st.download_button(
        say(f"下载 {name.suffix.removeprefix('.')}", f"Download {name.suffix.removeprefix('.')}"),
        partial(_written, job, name.suffix),
        file_name=f"{name.stem}_{date.today():%Y%m%d}{name.suffix}",
        key=f"sheet-download-{job.id}",
        icon=":material/download:",
        on_click="ignore",
    )


def _delete_button(job: Job) -> None:
    """Draw the button that asks first: the sheet leaves the list with everything that was answered."""
    with st.popover(say("删除", "Delete"), icon=":material/delete:", key=f"sheet-delete-{job.id}"):
        st.markdown(
            say(
                "表和它的回答移到回收站；在“运行”页可以恢复。",
                "The sheet and its answers move to the trash; restore them on the Runs page.",
            )
        )
        st.button(
            say("移到回收站", "Move to the trash"),
            key=f"sheet-delete-sure-{job.id}",
            type="primary",
            on_click=_delete,
            args=(job.id,),
        )


@reporting
def _delete(job_id: str) -> None:
    """Move the classification to the trash."""
    runs.delete(session.workspace(), job_id)
    notify(say("已移到回收站。", "Moved to the trash."))


def _written(job: Job, suffix: str) -> bytes:
    session.use_language()
    with TemporaryDirectory(prefix="news-studio-") as folder:
        out = Path(folder) / f"classified{suffix}"
        write_classified(job, out)
        return out.read_bytes()
