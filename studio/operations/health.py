"""Tell a monitor how the studio is: `/healthz` for whether it works, `/metrics` for its numbers.

No title, name or answer is in either, only counts. A model server has a `/metrics` of its own.
"""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from studio import runs
from studio.errors import StudioError
from studio.jobs import queue as jobs
from studio.operations.database_copies import list_copies
from studio.store import read_only, require_usable
from studio.workspace import Workspace

FREE_BYTES_WANTED = 1 << 30
RECENT_ANSWERS = 1000


@dataclass(frozen=True, kw_only=True)
class Health:
    """Whether the studio works, by part; a part is well or named in `problems` with the reason."""

    database: bool
    jobs: bool
    disk: bool
    problems: dict[str, str]

    @property
    def is_well(self) -> bool:
        """Whether every part works."""
        return not self.problems

    def to_json(self) -> dict[str, object]:
        """Build the document of `/healthz`."""
        parts = {"database": self.database, "jobs": self.jobs, "disk": self.disk}
        return {"status": "ok" if self.is_well else "degraded", **parts, "problems": self.problems}


def check_health(workspace: Workspace) -> Health:
    """Check that the database can be written, that somebody works the queue, and that the disk has room."""
    problems = {}
    try:
        require_usable(workspace.database)
        _require_writable(workspace)
    except (StudioError, sqlite3.Error) as error:
        problems["database"] = error.problem if isinstance(error, StudioError) else str(error)
    waiting = any(run.state == "queued" for run in runs.list_unfinished(workspace))
    if waiting and not jobs.job_process(workspace).is_alive():
        problems["jobs"] = "jobs wait and no job process is alive"
    free = shutil.disk_usage(workspace.home).free
    if free < FREE_BYTES_WANTED:
        problems["disk"] = f"{free / 2**30:.2f} GiB free, {FREE_BYTES_WANTED / 2**30:.0f} wanted"
    return Health(
        database="database" not in problems,
        jobs="jobs" not in problems,
        disk="disk" not in problems,
        problems=problems,
    )


def _require_writable(workspace: Workspace) -> None:
    """Take the write lock for a moment; whoever holds it for longer than a press may is a problem too."""
    if workspace.database.exists():
        with closing(sqlite3.connect(workspace.database, timeout=2, isolation_level=None)) as db:
            db.execute("begin immediate")
            db.execute("rollback")


def metrics_text(workspace: Workspace) -> bytes:
    """Write the numbers of a workspace and of this process in Prometheus' text form."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector):
        collector(registry=registry)
    registry.register(_WorkspaceCollector(workspace))
    return generate_latest(registry)


class _WorkspaceCollector(Collector):
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def collect(self) -> Iterator[Metric]:
        yield from _jobs(self.workspace)
        yield from _files(self.workspace)
        if self.workspace.database.exists():
            with closing(read_only(self.workspace.database)) as db:
                yield from _titles(db)
                yield from _answers(db)


def _jobs(workspace: Workspace) -> Iterator[Metric]:
    by_state = GaugeMetricFamily("news_studio_jobs", "Jobs by kind and state.", labels=["kind", "state"])
    for (kind, state), count in Counter(
        (job.spec.kind, job.state) for job in runs.list_jobs(workspace)
    ).items():
        by_state.add_metric([kind, state], count)
    yield by_state
    yield GaugeMetricFamily(
        "news_studio_job_process_up",
        "1 while a process works the queue.",
        value=jobs.job_process(workspace).is_alive(),
    )


def _files(workspace: Workspace) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "news_studio_disk_free_bytes",
        "Bytes free on the disk of the workspace.",
        value=shutil.disk_usage(workspace.home).free,
    )
    if workspace.database.exists():
        size = workspace.database.stat().st_size
        yield GaugeMetricFamily("news_studio_database_bytes", "Size of the database.", value=size)
    if copies := list_copies(workspace):
        age = (datetime.now(UTC) - copies[0].made_at).total_seconds()
        yield GaugeMetricFamily("news_studio_copy_age_seconds", "Age of the newest copy.", value=age)


def _titles(db: sqlite3.Connection) -> Iterator[Metric]:
    by_status = GaugeMetricFamily("news_studio_titles", "Titles by status.", labels=["status"])
    for status, count in db.execute("select status, sum(titles) from counts group by status"):
        by_status.add_metric([status], count)
    yield by_status
    by_category = GaugeMetricFamily("news_studio_decided", "Decided titles by category.", labels=["category"])
    for category, count in db.execute("select category, titles from counts where status = 'decided'"):
        by_category.add_metric([category], count)
    yield by_category


def _answers(db: sqlite3.Connection) -> Iterator[Metric]:
    (count,) = db.execute("select coalesce(sum(answers), 0) from answer_counts").fetchone()
    yield GaugeMetricFamily("news_studio_annotations", "Annotations that stand, of everybody.", value=count)
    recent = sorted(
        seconds
        for (seconds,) in db.execute(
            "select active_seconds from annotations where active_seconds is not null"
            " order by id desc limit ?",
            [RECENT_ANSWERS],
        )
    )
    if recent:
        name = "news_studio_label_seconds"
        spent = GaugeMetricFamily(
            name, f"Seconds at a title, of the last {RECENT_ANSWERS} answers.", labels=["quantile"]
        )
        for share in (0.5, 0.95):
            spent.add_metric([str(share)], recent[round(share * (len(recent) - 1))])
        yield spent
