"""What people ask of a run that is there: to end.

This module starts nothing and knows no queue.
"""

from studio.runs.job import Job, get_job
from studio.workspace import Workspace


def cancel(workspace: Workspace, run_id: str) -> None:
    """Ask a run to end: at once when it waits, at its next step when it runs.

    A run that is over stays as it is.
    """
    run = get_job(workspace, run_id)
    if not run.is_over:
        (run.folder / "cancel").touch()


def is_cancel_wanted(run: Job) -> bool:
    """Whether somebody asked the run to end."""
    return (run.folder / "cancel").exists()
