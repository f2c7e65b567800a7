"""Start sweeps and range tests as jobs, and read their results.

`learning_rate` interprets the numbers; `jobs` runs the work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio import runs
from studio.contract import HeldOut, RangeTestSpec, Step, SweepSpec, TrainSpec
from studio.errors import InputError
from studio.jobs import queue
from studio.language import say
from studio.runs import DeviceChoice, Job, Run
from studio.training.learning_rate import Recommendation, Tried, recommend, show, tried
from studio.training.presets import checked_spec
from studio.workspace import Workspace

Value = float | int | str | bool

NOT_SWEPT = (
    "format_version",
    "kind",
    "stage",
    "model_name_or_path",
    "dataset_dir",
    "dataset",
    "eval_dataset",
)
"""Fields that cannot be swept, as their runs could not be compared: other data, or another task."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepView:
    """A sweep so far: its members in order, their measurements, and the recommendation."""

    job: Job
    field: str
    members: tuple[Run, ...]
    tried: tuple[Tried, ...]
    recommendation: Recommendation | None


def start_sweep(
    workspace: Workspace,
    base: TrainSpec,
    field: str,
    values: Sequence[Any],
    *,
    version: str | None = None,
    place: DeviceChoice = runs.ANY_DEVICE,
) -> Job:
    """Queue a hyperparameter sweep: one training for each value, one after the other in one worker.

    Members keep one checkpoint and are not evaluated after training: held-out loss and category
    accuracy are measured on the way.

    Raises:
        InputError: the field cannot be swept, a value is invalid, or nothing is held out.
    """
    if field not in TrainSpec.model_fields or field in NOT_SWEPT:
        raise InputError(
            say(f"{field} 不能扫描。", f"{field} cannot be swept."),
            remedy=say(
                "请选训练设置里的一个字段，例如 learning_rate。",
                "Choose a training setting, such as learning_rate.",
            ),
        )
    if not base.has_held_out:
        raise InputError(
            say("没有留出的样本，无法比较。", "No rows are held out, so the runs could not be compared."),
            remedy=say("请选评估集，或填写 val_size。", "Choose held-out rows, or give val_size."),
        )
    members = [_member(base, field, value) for value in values]
    if len({spec.model_dump_json() for _, spec in members}) < max(2, len(members)):
        raise InputError(
            say("至少要有两个不同的值。", "A sweep needs at least two different values."),
            remedy=say("例如 1e-4, 2e-4, 4e-4。", "For example 1e-4, 2e-4, 4e-4."),
        )
    label = f"{field}: {', '.join(show(_value(spec, field)) for _, spec in members)}"
    job, _ = runs.prepare_sweep(workspace, members, field=field, label=label, version=version, place=place)
    queue.submit(workspace, job)
    return job


def _member(base: TrainSpec, field: str, value: Any) -> tuple[str, TrainSpec]:
    changes = {"evaluate_after": (), "save_total_limit": 1, field: value}
    spec = checked_spec({**base.model_dump(), **changes})
    return f"{field} = {show(_value(spec, field))}", spec


def _value(spec: TrainSpec, field: str) -> Value:
    value = getattr(spec, field)
    return value if isinstance(value, float | int | str) else str(value)


def list_sweeps(workspace: Workspace) -> list[Job]:
    """List the sweeps of the workspace, newest first; learning curves over other data are none."""
    return [
        job
        for job in runs.list_jobs(workspace)
        if isinstance(job.spec, SweepSpec) and job.spec.field not in NOT_SWEPT
    ]


def view_sweep(workspace: Workspace, job: Job) -> SweepView:
    """Collect the measurements of a sweep so far; the recommendation comes once it is over."""
    assert isinstance(job.spec, SweepSpec), job.spec
    found = {run.folder.name: run for run in runs.list_runs(workspace)}
    members = tuple(found[path.name] for path in job.spec.runs if path.name in found)
    measured = [_tried(run, job.spec.field) for run in members if run.state == "done"]
    points = tuple(point for point in measured if point)
    return SweepView(
        job=job,
        field=job.spec.field,
        members=members,
        tried=points,
        recommendation=recommend(points, field=job.spec.field) if job.is_over else None,
    )


def _tried(run: Run, field: str) -> Tried | None:
    assert isinstance(run.spec, TrainSpec), run.spec
    held_out = [event for event in runs.read_events(run) if isinstance(event, HeldOut)]
    return tried(run.id, _value(run.spec, field), held_out, best=run.spec.load_best_model_at_end)


def start_range_test(
    workspace: Workspace,
    train: TrainSpec,
    *,
    lowest: float = 1e-6,
    highest: float = 1e-1,
    steps: int = 80,
    version: str | None = None,
    place: DeviceChoice = runs.ANY_DEVICE,
) -> Job:
    """Queue a learning-rate range test of this training.

    Raises:
        InputError: the lowest rate is not below the highest.
    """
    if lowest >= highest:
        raise InputError(
            say("最低学习率要小于最高学习率。", "The lowest rate must be below the highest."),
            remedy=say("例如 1e-6 到 0.1。", "For example 1e-6 to 0.1."),
        )
    spec = RangeTestSpec(train=train, lowest=lowest, highest=highest, steps=steps)
    job = runs.prepare_job(workspace, spec, version=version, place=place)
    queue.submit(workspace, job)
    return job


def list_range_tests(workspace: Workspace) -> list[Job]:
    """List the range tests of the workspace, newest first."""
    return [job for job in runs.list_jobs(workspace) if isinstance(job.spec, RangeTestSpec)]


def range_points(job: Job) -> list[Step]:
    """Read the curve of a range test so far."""
    return [event for event in runs.read_events(job) if isinstance(event, Step)]
