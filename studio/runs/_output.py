"""Read what a run brings back: progress, curve, log, scores, predictions, the trained model."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from studio import contract
from studio.contract import (
    AnswerMode,
    CalibrationFile,
    DamagedCheckpoints,
    EvaluateSpec,
    Event,
    Prediction,
    Progress,
    ScoreFile,
    Step,
)
from studio.errors import InputError, RunFailed
from studio.language import say
from studio.runs._job import Job, Run, read_bytes, unreadable
from studio.system.documents import read_whole
from studio.system.jsonl import TAIL_BYTES, read_lines, read_tail
from studio.workspace import Workspace

Phase = Literal[
    "waiting",
    "loading",
    "training",
    "evaluating",
    "classifying",
    "saving",
    "drafting",
    "downloading",
    "verifying",
    "sweeping",
    "proving",
]

_prediction: TypeAdapter[Prediction] = TypeAdapter(Prediction)


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
        say(
            f"用 news-studio runs resume {run.id} 继续它。",
            f"Resume it: news-studio runs resume {run.id}",
        )
        if run.state == "paused"
        else say("请等它完成，或重新开始一次。", "Wait until it is done, or start it again."),
    )
    raise RunFailed(problem, remedy=remedy)


def trained_model(run: Run) -> tuple[Path, Path | None]:
    """Model folder and adapter folder that a run trained or evaluated.

    The adapter is None for a full fine-tuning (its checkpoint is the model) and for
    an evaluation of the base alone.

    Raises:
        RunFailed: a training run without a checkpoint, or an endpoint's model, which is not here.
    """
    if isinstance(run.spec, EvaluateSpec) and run.spec.imported:
        raise RunFailed(
            say(
                f"{run.id} 是导入的答案，这里没有它的模型。",
                f"{run.id} holds imported answers; its model is not here.",
            ),
            remedy=say("请选自己训练或评估的运行。", "Choose a run that was trained or evaluated here."),
        )
    if isinstance(run.spec, EvaluateSpec):
        if run.spec.model_name_or_path is None:
            raise RunFailed(
                say(
                    f"评估 {run.id} 的模型在接口上，不在这里。",
                    f"The model of evaluation {run.id} is at an endpoint, not here.",
                ),
                remedy=say("请选择一个本地的运行或模型。", "Choose a run or a model of this machine."),
            )
        return run.spec.model_name_or_path, run.spec.adapter_name_or_path
    if run.result is None or run.result.checkpoint is None:
        require_done(run)
        raise RunFailed(
            say(f"运行 {run.id} 没有保存检查点。", f"Run {run.id} saved no checkpoint."),
            remedy=say("请重新训练。", "Train again."),
        )
    checkpoint = run.folder / run.result.checkpoint
    if not checkpoint.exists():
        raise RunFailed(
            say(
                f"运行 {run.id} 的检查点 {checkpoint.name} 已丢弃或被移走。",
                f"The checkpoint {checkpoint.name} of run {run.id} was discarded or moved.",
            ),
            remedy=say("请重新训练。", "Train again."),
        )
    has_adapter = (checkpoint / "adapter_config.json").exists()
    return (run.spec.model_name_or_path, checkpoint) if has_adapter else (checkpoint, None)


def checkpoints(run: Run) -> list[str]:
    """List the names of a training's checkpoints that can be used, the earliest first."""
    found = [path.name for path in run.folder.glob("checkpoints/step_*") if path.is_dir()]
    return sorted(found)


def model_at(run: Run, checkpoint: str) -> tuple[Path, Path | None]:
    """Model folder and adapter folder of one checkpoint of a training, as `trained_model` returns them.

    Raises:
        InputError: it has no such checkpoint.
    """
    known = checkpoints(run)
    if checkpoint not in known:
        raise InputError(
            say(
                f"运行 {run.id} 没有检查点 {checkpoint}。",
                f"Run {run.id} has no checkpoint {checkpoint}.",
            ),
            remedy=say(
                f"可用的检查点：{'、'.join(known) or '无'}。", f"It has: {', '.join(known) or 'none'}."
            ),
        )
    folder = run.folder / "checkpoints" / checkpoint
    is_adapter = (folder / "adapter_config.json").exists()
    return (run.spec.model_name_or_path, folder) if is_adapter else (folder, None)  # type: ignore[return-value]


def read_events(run: Job) -> list[Event]:
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
    """Read the last `tail` lines of the worker's log; empty before it began."""
    return read_tail(run.folder / "log.txt", tail)


def load_scores(run: Job) -> ScoreFile | None:
    """Load the scores of the run; None when it measured nothing (yet).

    Raises:
        UnreadableFile: scores.json is not what a worker writes.
    """
    path = run.folder / "scores.json"
    if not path.exists():
        return None
    try:
        state = path.stat()
        return _read_scores(path, state.st_size, state.st_mtime_ns)
    except ValidationError as error:
        raise unreadable(path, error) from error


@lru_cache(maxsize=1000)
def _read_scores(path: Path, size: int, written: int) -> ScoreFile:
    """Cache by path, length and time of the file: lists of runs ask for all of them at every press."""
    return ScoreFile.model_validate_json(read_bytes(path))


def damaged_checkpoints(run: Job) -> DamagedCheckpoints | None:
    """Read which checkpoints a resumed training passed over as damaged; None: none."""
    try:
        return DamagedCheckpoints.model_validate_json(read_whole(run.folder / contract.DAMAGED))
    except (OSError, ValueError):
        return None


def load_calibration(run: Job) -> CalibrationFile | None:
    """Load how the confidence of a run's model is computed and what it refuses; None: nobody chose it.

    Raises:
        UnreadableFile: calibration.json is not what the studio writes.
    """
    path = run.folder / contract.CALIBRATION
    if not path.exists():
        return None
    try:
        return CalibrationFile.model_validate_json(read_bytes(path))
    except ValidationError as error:
        raise unreadable(path, error) from error


def calibration_file(workspace: Workspace, run_id: str | None) -> Path | None:
    """Return where the calibration of a run is once somebody chose it; None for what is no run."""
    return None if run_id is None else workspace.runs / run_id / contract.CALIBRATION


def load_predictions(run: Run, answer: AnswerMode) -> list[Prediction]:
    """Load the answered rows of one way of answering, in the order of the evaluated file."""
    rows = [row for row in read_lines(run.folder / "predictions.jsonl", _prediction) if row.answer == answer]
    return sorted(rows, key=lambda row: row.row)
