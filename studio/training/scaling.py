"""Train on nested parts of a dataset, forecast what more rows bring, and check it against what came.

A sweep of trainings with the recipe of a run, on a quarter, half, three quarters and all of its rows, each
with three seeds; the base model is loaded once. Whole stories are taken, so that no part has a copy of what
another lacks. The forecast is kept in the sweep's folder:

    runs/<sweep>/forecast.json
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from studio import runs
from studio.contract import SweepSpec, TrainSpec
from studio.datasets.subsets import write_subset
from studio.errors import InputError, StudioError
from studio.evaluation.neighbours import TrainingRow
from studio.evaluation.scaling import Expected, Forecast, Trained, forecast
from studio.evaluation.training_rows import labelled_rows
from studio.jobs import queue
from studio.language import say
from studio.runs import Job, Run
from studio.samples.scheme import Scheme
from studio.samples.similarity import group_near
from studio.system.atomic import in_one_step
from studio.team.rights import require_right
from studio.training.presets import checked_spec
from studio.workspace import Workspace

SHARES = (0.25, 0.5, 0.75, 1.0)
SEEDS = 3
FEWEST = 80
"""Training rows below which a quarter is too little to learn from."""
FIELD = "dataset_dir"
"""What the members of such a sweep differ in, beside the seed."""
TAG = "scaling"
_OF_THE_CURVE = {"dataset_dir", "seed", "evaluate_after", "save_total_limit", "eval_limit"}
"""Fields that do not belong to the recipe."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A learning curve so far; `forecast` is None while it is not done."""

    job: Job
    done: int
    trainings: int
    forecast: Forecast | None


@dataclass(frozen=True, kw_only=True)
class Check:
    """A later training of the same recipe on more rows: what came, beside what was forecast."""

    run: Run
    rows: int
    accuracy: float
    expected: Expected

    @property
    def is_within(self) -> bool:
        """Whether it came as forecast."""
        return self.expected.low <= self.accuracy <= self.expected.high


def start_curve(workspace: Workspace, run: Run, scheme: Scheme) -> Job:
    """Queue the trainings of a learning curve with the recipe of a training run.

    Raises: as `prepare_curve`.
    """
    job = prepare_curve(workspace, run, scheme)
    queue.submit(workspace, job)
    return job


def prepare_curve(workspace: Workspace, run: Run, scheme: Scheme) -> Job:
    """Make the folders of the trainings of a learning curve; nothing is queued.

    Raises:
        InputError: it is no training with held-out rows, or has too few rows.
        UnreadableFile: its dataset cannot be split.
        NotAllowed: the person may not run jobs.
    """
    require_right("run_jobs")
    spec = run.spec
    if not isinstance(spec, TrainSpec) or spec.stage != "sft" or not spec.eval_dataset:
        raise InputError(
            say(
                "只有带评估集的训练才能画数据曲线。",
                "Only a training with held-out rows has a learning curve.",
            ),
            remedy=say("请选一次这样的训练。", "Choose such a training."),
        )
    rows = labelled_rows(spec.dataset_dir, spec.dataset, scheme).rows
    if len(rows) < FEWEST:
        raise InputError(
            say(
                f"只有 {len(rows)} 条训练数据，至少要 {FEWEST} 条。",
                f"{len(rows)} training rows, at least {FEWEST}.",
            ),
            remedy=say("请先标注更多。", "Label more first."),
        )
    members = []
    for number in range(SEEDS):
        order = story_order(rows, seed=number)
        for share in SHARES:
            kept = sorted(order[: round(share * len(order))])
            folder = spec.dataset_dir if share == 1 else write_subset(workspace, spec.dataset_dir, kept)
            changes = {"evaluate_after": ("direct",), "save_total_limit": 1, "dataset_dir": folder}
            member = checked_spec({**spec.model_dump(), **changes, "seed": spec.seed + number})
            members.append((f"{share:.0%} · seed {spec.seed + number}", member))
    label = f"{TAG}: {run.record.label or run.id}"
    job, made = runs.prepare_sweep(workspace, members, field=FIELD, label=label, version=run.version)
    runs.change_record(job.folder, tags=(TAG, run.id))
    for member_run in made:
        runs.change_record(member_run.folder, tags=(TAG,))
    return job


def story_order(rows: Sequence[TrainingRow], *, seed: int) -> list[int]:
    """Shuffle rows by story: near copies stay side by side, in the same order for the same seed."""
    first = list(range(len(rows)))
    for group in group_near([row.title for row in rows]):
        for index in group:
            first[index] = group[0]

    def place(index: int) -> tuple[bytes, int]:
        return hashlib.sha256(f"{seed}\0{rows[first[index]].title}".encode()).digest(), index

    return [rows[index].row for index in sorted(range(len(rows)), key=place)]


def last_curve(workspace: Workspace, run: Run, scheme: Scheme) -> Curve | None:
    """Find the last learning curve with the recipe of a run, and forecast once it is over; None: none yet."""
    for job in runs.list_jobs(workspace):
        if isinstance(job.spec, SweepSpec) and job.spec.field == FIELD and run.id in job.record.tags:
            members = _members(workspace, job)
            done = [each for each in members if each.state == "done"]
            found = _forecast(job, done, run, scheme) if job.is_over and done else None
            return Curve(job=job, done=len(done), trainings=len(job.spec.runs), forecast=found)
    return None


def _members(workspace: Workspace, job: Job) -> list[Run]:
    assert isinstance(job.spec, SweepSpec), job.spec
    names = {path.name for path in job.spec.runs}
    return [run for run in runs.list_runs(workspace) if run.id in names]


def _forecast(job: Job, members: Sequence[Run], run: Run, scheme: Scheme) -> Forecast | None:
    """Read the kept forecast, or make and keep it."""
    file = job.folder / "forecast.json"
    try:
        return Forecast.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        pass
    trained: list[Trained] = []
    labels: dict[str, str] = {}
    for each in members:
        assert isinstance(each.spec, TrainSpec), each.spec
        answers = runs.load_predictions(each, "direct")
        labels |= {row.title: row.label for row in answers}
        trained.append(
            Trained(
                rows=len(labelled_rows(each.spec.dataset_dir, each.spec.dataset, scheme).rows),
                seed=each.spec.seed,
                wrong={row.title: row.predicted != row.label for row in answers},
            )
        )
    assert isinstance(run.spec, TrainSpec), run.spec
    whole = labelled_rows(run.spec.dataset_dir, run.spec.dataset, scheme).rows
    found = forecast(trained, labels, Counter(row.category for row in whole))
    if found is not None:
        with in_one_step(file) as draft:
            draft.write_text(found.model_dump_json(), encoding="utf-8")
    return found


def steps_note(run: Run) -> str | None:
    """Warn of a recipe with a fixed number of steps, where more rows are no more training; None else."""
    steps = getattr(run.spec, "max_steps", -1)
    if steps <= 0:
        return None
    return say(
        f"这份设置固定训练 {steps} 步，数据再多也不多训练：曲线只反映数据更多样的好处。"
        "按轮数训练的设置才看得全。",
        f"This recipe stops after {steps} steps, however many rows there are: the curve shows what more "
        "varied rows bring, not longer training. A recipe by epochs shows both.",
    )


def checks(workspace: Workspace, curve: Curve, run: Run, scheme: Scheme) -> list[Check]:
    """Compare the forecast with later trainings of the same recipe on more rows and the same titles."""
    if curve.forecast is None or not isinstance(run.spec, TrainSpec):
        return []
    recipe = run.spec.model_dump(exclude=_OF_THE_CURVE)
    largest = max(each.rows for each in curve.forecast.measured)
    found = []
    for other in runs.list_runs(workspace):
        if not isinstance(other.spec, TrainSpec) or other.created_at <= curve.job.created_at:
            continue
        if other.spec.model_dump(exclude=_OF_THE_CURVE) != recipe:
            continue
        check = _check(other, curve.forecast, scheme)
        if check is not None and check.rows > largest:
            found.append(check)
    return found


def _check(other: Run, kept: Forecast, scheme: Scheme) -> Check | None:
    assert isinstance(other.spec, TrainSpec), other.spec
    try:
        answers = runs.load_predictions(other, "direct")
    except StudioError:
        return None
    titles = set(kept.titles)
    same = [row for row in answers if row.title in titles]
    if len(same) < 0.9 * len(titles):
        return None
    rows = len(labelled_rows(other.spec.dataset_dir, other.spec.dataset, scheme).rows)
    return Check(
        run=other,
        rows=rows,
        accuracy=sum(row.predicted == row.label for row in same) / len(same),
        expected=kept.accuracy_at(rows),
    )
