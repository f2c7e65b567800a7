"""Runs: what was asked of a worker, where it stands, what it brought back.

A run is a folder. Its state is derived from what is there, never stored:

    lock of `alive` held        running
    result.json                 done, failed or cancelled, as the result says
    no result, `cancel`         cancelled: it never began, or had to be killed
    no result, `alive`          lost: somebody killed the worker
    no result, no `alive`       queued

This module starts nothing and knows no queue.
"""

import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from studio import contract, workers
from studio.contract import (
    AnswerMode,
    DownloadSpec,
    DraftSpec,
    EvaluateSpec,
    Event,
    Prediction,
    Progress,
    RangeTestSpec,
    Result,
    ScoreFile,
    Step,
    SweepSpec,
    TrainSpec,
)
from studio.disk import guard_disk
from studio.errors import DiskFull, InputError, RunFailed, UnreadableFile
from studio.language import say
from studio.lines import TAIL_BYTES, read_lines, read_tail
from studio.workspace import SAMPLE_RUN, Workspace

log = logging.getLogger(__name__)

RunState = Literal["queued", "running", "done", "failed", "cancelled", "paused", "lost"]
Phase = Literal[
    "waiting",
    "loading",
    "training",
    "evaluating",
    "saving",
    "drafting",
    "downloading",
    "verifying",
    "sweeping",
]
JobSpec = TrainSpec | EvaluateSpec | DraftSpec | DownloadSpec | RangeTestSpec | SweepSpec

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_job_spec: TypeAdapter[JobSpec] = TypeAdapter(Annotated[JobSpec, Field(discriminator="kind")])
_prediction: TypeAdapter[Prediction] = TypeAdapter(Prediction)


@dataclass(frozen=True, kw_only=True)
class Job:
    """Work in a run folder as it stood when it was read; paths in `spec` are absolute."""

    id: str
    folder: Path
    spec: JobSpec
    state: RunState
    result: Result | None
    created_at: datetime
    label: str
    version: str | None
    recorded: bool

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state not in ("queued", "running")

    @property
    def failure(self) -> tuple[str, str] | None:
        """Problem and remedy of a run that failed or was lost; None for the others."""
        if self.state == "lost":
            return (
                say(
                    "训练进程在完成前被终止（例如内存不足或被系统杀死）。",
                    "The worker was killed before it finished.",
                ),
                say(
                    "请重新开始一次；若再次发生，减小批大小或 cutoff_len，并查看日志。",
                    "Start it again; if it happens again, lower the batch size or cutoff_len and read the log.",
                ),
            )
        if self.state == "failed" and self.result:
            return self.result.message, self.result.remedy
        return None


@dataclass(frozen=True, kw_only=True)
class Run(Job):
    """A job that runs a model of ours: a training or an evaluation."""

    spec: TrainSpec | EvaluateSpec


@dataclass(frozen=True, kw_only=True)
class RunProgress:
    """How far a run is; `done` of `total` in the unit of its phase (steps, rows)."""

    phase: Phase
    done: int
    total: int
    eta_seconds: float | None
    answer: AnswerMode | None
    last: Step | None

    @property
    def fraction(self) -> float:
        """`done / total` of the phase, 0 to 1; 0 while the total is unknown."""
        return min(1.0, self.done / self.total) if self.total else 0.0


class RunCard(BaseModel):
    """run.json: what people say about a run, and what the worker need not know."""

    id: str
    label: str = ""
    created_at: datetime
    version: str | None = None


def prepare_run(
    workspace: Workspace, spec: TrainSpec | EvaluateSpec, *, label: str = "", version: str | None = None
) -> Run:
    """Make the folder of a new run; it is queued once it is submitted.

    Args:
        version: dataset version as `name@3`, when the rows come from one.
    """
    run = prepare_job(workspace, spec, label=label, version=version)
    assert isinstance(run, Run), run
    return run


def prepare_job(
    workspace: Workspace,
    spec: JobSpec,
    *,
    label: str = "",
    version: str | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Job:
    """Make the folder of a new job, with the files that its worker reads beside the spec."""
    now = datetime.now().astimezone()
    folder = _new_folder(workspace.runs, f"{now:%Y%m%d-%H%M%S}-{spec.kind}")
    card = RunCard(id=folder.name, label=label, created_at=now, version=version)
    try:
        with guard_disk(folder):
            (folder / "run.json").write_text(card.model_dump_json(indent=2), encoding="utf-8")
            for name, content in (files or {}).items():
                (folder / name).write_bytes(content)
            # spec.json last and in one step: a folder is a run when it has one.
            draft = folder / ".spec.json"
            draft.write_text(_absolute(spec, Path.cwd()).model_dump_json(indent=2), encoding="utf-8")
            draft.rename(folder / "spec.json")
    except (OSError, DiskFull):
        shutil.rmtree(folder)
        raise
    return _read_run(folder)


def list_runs(workspace: Workspace, *, sample: Path = SAMPLE_RUN) -> list[Run]:
    """Every readable run, newest first; the recorded sample run, if there, last."""
    recorded = _readable_run(sample, recorded=True) if (sample / "spec.json").exists() else None
    found = [*list_jobs(workspace), *([recorded] if recorded else [])]
    return [run for run in found if isinstance(run, Run)]


def list_jobs(workspace: Workspace) -> list[Job]:
    """Every readable job of this workspace, whatever its kind, newest first."""
    found = [job for job in map(_readable_run, _run_folders(workspace)) if job]
    return sorted(found, key=lambda job: (job.created_at, job.id), reverse=True)


def unreadable_runs(workspace: Workspace) -> list[UnreadableFile]:
    """Why folders that look like runs are not in `list_runs`."""
    problems = []
    for folder in _run_folders(workspace):
        try:
            _read_run(folder)
        except UnreadableFile as error:
            problems.append(error)
    return problems


def get_run(workspace: Workspace, run_id: str, *, sample: Path = SAMPLE_RUN) -> Run:
    """The run of that id.

    Raises:
        InputError: there is none.
        UnreadableFile: its spec cannot be read.
    """
    run = get_job(workspace, run_id, sample=sample)
    if not isinstance(run, Run):
        raise _no_run(run_id)
    return run


def get_job(workspace: Workspace, run_id: str, *, sample: Path = SAMPLE_RUN) -> Job:
    """The job of that id, whatever its kind.

    Raises:
        InputError: there is none.
        UnreadableFile: its spec cannot be read.
    """
    if run_id == sample.name and (sample / "spec.json").exists():
        return _read_run(sample, recorded=True)
    folder = workspace.runs / run_id
    if not _ID.fullmatch(run_id) or not (folder / "spec.json").exists():
        raise _no_run(run_id)
    return _read_run(folder)


def _no_run(run_id: str) -> InputError:
    return InputError(
        say(f"没有名为 {run_id} 的运行。", f"There is no run {run_id}."),
        remedy=say("用 news-studio runs 查看所有运行。", "See all runs with: news-studio runs"),
    )


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


def require_done(run: Job) -> None:
    """Nothing when the run is done.

    Raises:
        RunFailed: it is not, with its own problem and remedy where it has them.
    """
    if run.state == "done":
        return
    problem, remedy = run.failure or (
        say(
            f"运行 {run.id} 没有结果（状态：{run.state}）。",
            f"Run {run.id} has no result (state: {run.state}).",
        ),
        say("请等它完成，或重新开始一次。", "Wait until it is done, or start it again."),
    )
    raise RunFailed(problem, remedy=remedy)


def trained_model(run: Run) -> tuple[Path, Path | None]:
    """Model folder and adapter folder that a run trained or evaluated.

    The adapter is None for a full fine-tuning (its checkpoint is the model) and for
    an evaluation of the base alone.

    Raises:
        RunFailed: a training run without a checkpoint.
    """
    if isinstance(run.spec, EvaluateSpec):
        return run.spec.model_name_or_path, run.spec.adapter_name_or_path
    if run.result is None or run.result.checkpoint is None:
        require_done(run)
        raise RunFailed(
            say(f"运行 {run.id} 没有保存检查点。", f"Run {run.id} saved no checkpoint."),
            remedy=say("请重新训练。", "Train again."),
        )
    checkpoint = run.folder / run.result.checkpoint
    has_adapter = (checkpoint / "adapter_config.json").exists()
    return (run.spec.model_name_or_path, checkpoint) if has_adapter else (checkpoint, None)


def read_events(run: Run) -> list[Event]:
    """Every event so far, in order."""
    return list(read_lines(run.folder / "metrics.jsonl", contract.event))


def progress(run: Job) -> RunProgress:
    """How far the run is, from its latest events; `waiting` before the first."""
    phase: Phase = "waiting"
    done, total, eta, answer, last = 0, 0, None, None, None
    for event in read_lines(run.folder / "metrics.jsonl", contract.event, tail_bytes=TAIL_BYTES):
        if isinstance(event, Step):
            phase, done, total, eta, answer = (
                "training",
                event.step,
                event.total_steps,
                event.eta_seconds,
                None,
            )
            last = event
        elif isinstance(event, Progress):
            phase, done, total = event.phase, event.done, event.total
            eta, answer = event.eta_seconds, event.answer
    return RunProgress(phase=phase, done=done, total=total, eta_seconds=eta, answer=answer, last=last)


def read_log(run: Job, tail: int = 200) -> str:
    """The last `tail` lines of the worker's words; empty before it began."""
    return read_tail(run.folder / "log.txt", tail)


def load_scores(run: Run) -> ScoreFile | None:
    """What the run measured; None when it measured nothing (yet).

    Raises:
        UnreadableFile: scores.json is not what a worker writes.
    """
    path = run.folder / "scores.json"
    if not path.exists():
        return None
    try:
        return ScoreFile.model_validate_json(_read(path))
    except ValidationError as error:
        raise _unreadable(path, error) from error


def load_predictions(run: Run, answer: AnswerMode) -> list[Prediction]:
    """The answered rows of one way of answering, in the order of the evaluated file."""
    rows = [row for row in read_lines(run.folder / "predictions.jsonl", _prediction) if row.answer == answer]
    return sorted(rows, key=lambda row: row.row)


def _run_folders(workspace: Workspace) -> list[Path]:
    return [path.parent for path in workspace.runs.glob("*/spec.json")]


def _readable_run(folder: Path, recorded: bool = False) -> Job | None:
    try:
        return _read_run(folder, recorded=recorded)
    except UnreadableFile as error:
        log.warning("%s", error)
        return None


def _read_run(folder: Path, recorded: bool = False) -> Job:
    # The lock before the result: a worker that ends in between must not look lost.
    started, alive = workers.was_started(folder), workers.is_alive(folder)
    result_file, card_file = folder / "result.json", folder / "run.json"
    try:
        result = Result.model_validate_json(_read(result_file)) if result_file.exists() else None
        # A recorded run was made in the repository and names its paths from there.
        spec = _absolute(_job_spec.validate_json(_read(folder / "spec.json")), SAMPLE_RUN.parent.parent)
        card = RunCard.model_validate_json(_read(card_file)) if card_file.exists() else _bare_card(folder)
    except ValidationError as error:
        raise _unreadable(folder, error) from error
    kind = Run if isinstance(spec, TrainSpec | EvaluateSpec) else Job
    return kind(
        id=folder.name,
        folder=folder,
        spec=spec,  # type: ignore[arg-type]  # a Run's spec is one of those two
        state=_state(started, alive, result, (folder / "cancel").exists()),
        result=result,
        created_at=card.created_at,
        label=card.label,
        version=card.version,
        recorded=recorded,
    )


def _state(started: bool, alive: bool, result: Result | None, cancel_wanted: bool) -> RunState:
    if alive:
        return "running"
    if result:
        return result.status
    if cancel_wanted:
        return "cancelled"
    return "lost" if started else "queued"


def _bare_card(folder: Path) -> RunCard:
    modified = datetime.fromtimestamp((folder / "spec.json").stat().st_mtime).astimezone()
    return RunCard(id=folder.name, created_at=modified)


def _absolute(spec: JobSpec, base: Path) -> JobSpec:
    names = ("model_name_or_path", "adapter_name_or_path", "dataset_dir", "key_file", "target")
    paths = {name: getattr(spec, name, None) for name in names}
    changes: dict[str, object] = {name: base / path for name, path in paths.items() if path}
    if isinstance(spec, RangeTestSpec):
        changes["train"] = _absolute(spec.train, base)
    if isinstance(spec, SweepSpec):
        changes["runs"] = tuple(base / run for run in spec.runs)
    return spec.model_copy(update=changes)


def _new_folder(parent: Path, name: str) -> Path:
    for number in range(1, 1000):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError(f"a thousand runs named {name} within a second")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UnreadableFile:
    return UnreadableFile(
        say(f"运行文件 {path} 无法读取：{error}", f"The run file {path} cannot be read: {error}"),
        remedy=say(
            "它可能来自另一个版本的工作室，或已损坏；可将该文件夹移走。",
            "It may come from another version of the studio or be damaged; move the folder away.",
        ),
    )
