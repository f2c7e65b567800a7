"""Make, read and steer run folders. Nothing here starts a process or knows a queue.

_creation  Create run folders: spec, record, retry of an earlier one.
_job       Read a run folder: its state, its spec, its result; list and find runs.
_output    Read what a run brings back: progress, curve, log, scores, predictions, the trained model.
_record    Read and write run.json: label, position in the queue, device.
_requests  Ask something of a run: cancel, pause, resume, move, discard.
"""

from studio.runs._creation import (
    ANYWHERE,
    Place,
    can_retry,
    prepare_job,
    prepare_retry,
    prepare_run,
    prepare_sweep,
)
from studio.runs._job import (
    Job,
    JobSpec,
    Run,
    RunState,
    get_job,
    get_run,
    list_jobs,
    list_runs,
    list_unfinished,
    read_folder,
    unreadable_runs,
)
from studio.runs._output import (
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
from studio.runs._record import RAY, RunRecord, change_record
from studio.runs._requests import (
    Move,
    can_pause,
    cancel,
    discard,
    finish_discards,
    in_order,
    is_cancel_wanted,
    is_pause_wanted,
    make_ready_to_go_on,
    move,
    pause,
    put_on,
    throw_away_if_wanted,
    waiting,
    why_not_resumable,
)

__all__ = [
    "ANYWHERE",
    "RAY",
    "Job",
    "JobSpec",
    "Move",
    "Phase",
    "Place",
    "Run",
    "RunProgress",
    "RunRecord",
    "RunState",
    "can_pause",
    "can_retry",
    "cancel",
    "change_record",
    "discard",
    "finish_discards",
    "get_job",
    "get_run",
    "in_order",
    "is_cancel_wanted",
    "is_pause_wanted",
    "list_jobs",
    "list_runs",
    "list_unfinished",
    "load_predictions",
    "load_scores",
    "make_ready_to_go_on",
    "move",
    "pause",
    "prepare_job",
    "prepare_retry",
    "prepare_run",
    "prepare_sweep",
    "progress",
    "put_on",
    "read_events",
    "read_folder",
    "read_log",
    "require_done",
    "throw_away_if_wanted",
    "trained_model",
    "unreadable_runs",
    "waiting",
    "why_not_resumable",
]
