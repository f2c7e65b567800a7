"""Runs: what was asked of a worker, where it stands, what it brought back.

    job      a run as it stands, read from its folder
    making   new runs
    asking   what people ask of a run that is there
    output   what it brings back

Nothing here starts a process or knows a queue.
"""

from studio.runs.asking import cancel, is_cancel_wanted
from studio.runs.job import (
    Job,
    JobSpec,
    Run,
    RunCard,
    RunState,
    get_job,
    get_run,
    list_jobs,
    list_runs,
    unreadable_runs,
)
from studio.runs.making import prepare_job, prepare_run
from studio.runs.output import (
    Phase,
    RunProgress,
    load_predictions,
    load_scores,
    progress,
    read_events,
    read_log,
    require_done,
    trained_model,
)

__all__ = [
    "Job",
    "JobSpec",
    "Phase",
    "Run",
    "RunCard",
    "RunProgress",
    "RunState",
    "cancel",
    "get_job",
    "get_run",
    "is_cancel_wanted",
    "list_jobs",
    "list_runs",
    "load_predictions",
    "load_scores",
    "prepare_job",
    "prepare_run",
    "progress",
    "read_events",
    "read_log",
    "require_done",
    "trained_model",
    "unreadable_runs",
]
