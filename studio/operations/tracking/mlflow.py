"""Write runs into an MLflow file store: one experiment, a run each with metrics, parameters and tags."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from studio.operations.tracking.record import TrackedRun
from studio.runs import RunState

EXPERIMENT = "news-studio"
ALLOWED = "MLFLOW_ALLOW_FILE_STORE"
"""Since 3.17 MLflow opens file stores only where this is set; its own web interface asks for it as well."""
_AT_ONCE = 1000
_LONGEST_PARAM, _LONGEST_TAG = 6000, 5000
_STATES: dict[RunState, str] = {
    "done": "FINISHED",
    "failed": "FAILED",
    "lost": "FAILED",
    "cancelled": "KILLED",
    "paused": "KILLED",
    "queued": "SCHEDULED",
    "running": "RUNNING",
}
_T = TypeVar("_T")


def write_file_store(tracked: Sequence[TrackedRun], out: Path) -> None:
    """Write the runs into a file store.

    Raises:
        ImportError: mlflow is not installed.
    """
    with _file_store_allowed():
        # Here: an extra, and heavy.
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param, RunTag

        client = MlflowClient(tracking_uri=out.absolute().as_uri())
        experiment = client.create_experiment(EXPERIMENT)
        for run in tracked:
            began, ended = _milliseconds(run.started), _milliseconds(run.ended or run.started)
            made = client.create_run(experiment, start_time=began, run_name=run.name).info.run_id
            metrics = [
                Metric(_key(point.metric), point.value, _milliseconds(point.at), point.step)
                for point in run.points
                if not math.isinf(point.value)
            ]
            last = max((point.step for point in run.points), default=0)
            metrics += [Metric(_key(name), value, ended, last) for name, value in run.scores.items()]
            for part in _parts(metrics, _AT_ONCE):
                client.log_batch(made, metrics=part)
            params = [Param(_key(name), value[:_LONGEST_PARAM]) for name, value in run.params.items()]
            for some in _parts(params, 100):
                client.log_batch(made, params=some)
            tags = [RunTag(_key(name), value[:_LONGEST_TAG]) for name, value in run.tags.items()]
            for few in _parts(tags, 100):
                client.log_batch(made, tags=few)
            client.set_terminated(made, _STATES[run.state], ended)


@contextmanager
def _file_store_allowed() -> Iterator[None]:
    before = os.environ.get(ALLOWED)
    os.environ[ALLOWED] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[ALLOWED]
        else:
            os.environ[ALLOWED] = before


def _parts(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _key(name: str) -> str:
    """Replace what MLflow refuses in a name: all but letters, digits and _ - . : / and space."""
    return "".join(char if char.isalnum() or char in "_-./: " else "_" for char in name)[:250]
