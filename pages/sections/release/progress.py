"""Draw the progress of a job that the page waits for."""

import streamlit as st

from pages.shared import session
from pages.shared.feedback import live_fragment
from pages.shared.run_controls import run_controls
from pages.shared.text import state_name
from studio import runs
from studio.jobs import queue


@live_fragment
def job_progress(job_id: str) -> None:
    """Draw the progress of a job; when it is over, the page once more."""
    workspace = session.workspace()
    job = runs.get_job(workspace, job_id)
    if job.is_over:
        st.rerun()
    queue.ensure_job_process(workspace)
    now = runs.progress(job)
    count = f" · {now.done} / {now.total}" if now.total else ""
    st.progress(now.fraction, text=f"{state_name(job.state)}{count}")
    run_controls(job)
