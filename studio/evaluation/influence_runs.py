"""Start the influence of training rows on wrong answers as a job, find the last one, and read its result."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from studio import runs
from studio.contract import AnswerMode, InfluenceFile, InfluenceSpec, Prediction, TrainSpec
from studio.errors import InputError, StudioError, UnreadableFile
from studio.evaluation.training_rows import DatasetRows, trained_rows
from studio.jobs import queue
from studio.language import say
from studio.runs import Job, Run
from studio.samples.scheme import Scheme
from studio.system.documents import READ_FAULTS, one_line, read_whole
from studio.team.rights import require_right
from studio.workspace import Workspace

MOST_TARGETS = 500
"""Wrong answers that are explained unless more are asked for."""
SHOWN = 5
"""Rows that are listed for an answer in each direction."""
SUSPECTED_SHARE = 0.1
"""Share of the training rows that is listed as suspected: in it planted errors were counted."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Pusher:
    """A training row and what it did to an answer.

    `effect` is relative to the strongest row for that answer, -1 to 1: above 0 it pushed the wrong answer
    up against the label of the dataset, below it held against it.
    """

    row: int
    title: str
    category: str
    chain: str
    effect: float


@dataclass(frozen=True, kw_only=True)
class SuspectedRow:
    """A training row whose label the other rows contradict; `suspicion` is 0 to 1, `loss` in nats."""

    row: int
    title: str
    category: str
    chain: str
    suspicion: float
    support: float
    loss: float


class Influences:
    """The influences of one job, with the training rows that they are about."""

    def __init__(self, file: InfluenceFile, arrays: dict[str, Floats], taught: DatasetRows) -> None:
        self.file = file
        self._arrays = arrays
        self._places = {(each.answer, each.row): place for place, each in enumerate(file.targets)}
        self._taught = {
            each.row: (each.title, each.category, chain)
            for each, chain in zip(taught.rows, taught.chains, strict=True)
        }

    def explains(self, answered: Prediction) -> bool:
        """Whether this answer was a target, and is still the same one."""
        place = self._places.get((answered.answer, answered.row))
        return place is not None and self.file.targets[place].predicted == answered.predicted

    def pushers(
        self, answers: Sequence[Prediction], *, limit: int = SHOWN
    ) -> tuple[list[Pusher], list[Pusher]]:
        """List the rows that pushed hardest for wrong answers and against them; of several, on average.

        Each answer counts alike, whatever the size of its own numbers.
        """
        places = [self._places[each.answer, each.row] for each in answers if self.explains(each)]
        if not places:
            return [], []
        effects = self._arrays["influence"][places]
        largest = np.abs(effects).max(axis=1, keepdims=True)
        mean = (effects / np.where(largest > 0, largest, 1)).mean(axis=0)
        order = np.argsort(-mean, kind="stable").tolist()
        return (
            [self._pusher(place, mean) for place in order if mean[place] > 0][:limit],
            [self._pusher(place, mean) for place in reversed(order) if mean[place] < 0][:limit],
        )

    def suspected(self, *, share: float = SUSPECTED_SHARE) -> list[SuspectedRow]:
        """List the most suspected share of the training rows, the most suspected first."""
        suspicion = self._arrays["suspicion"]
        count = max(1, round(share * len(suspicion)))
        order = np.argsort(-suspicion, kind="stable")[:count].tolist()
        return [self._suspected(place) for place in order]

    def _row(self, place: int) -> tuple[int, str, str, str]:
        number = self.file.rows[place]
        return number, *self._taught.get(number, ("", "", ""))

    def _pusher(self, place: int, effects: Floats) -> Pusher:
        row, title, category, chain = self._row(place)
        return Pusher(row=row, title=title, category=category, chain=chain, effect=float(effects[place]))

    def _suspected(self, place: int) -> SuspectedRow:
        row, title, category, chain = self._row(place)
        numbers = {name: float(self._arrays[name][place]) for name in ("suspicion", "support", "loss")}
        return SuspectedRow(row=row, title=title, category=category, chain=chain, **numbers)


@dataclass(frozen=True, kw_only=True)
class LastInfluence:
    """The last job about an evaluation; `result` is None while it is not done."""

    job: Job
    result: Influences | None


def start(
    workspace: Workspace,
    run: Run,
    *,
    limit: int | None = MOST_TARGETS,
    tokens: Literal["label", "chain", "all"] = "label",
    first_pass_epochs: float = 1.0,
) -> Job:
    """Queue the influences on the wrong answers of an evaluation; see `prepare`.

    Raises:
        NotAllowed: the person may not run jobs.
    """
    require_right("run_jobs")
    job = prepare(workspace, run, limit=limit, tokens=tokens, first_pass_epochs=first_pass_epochs)
    queue.submit(workspace, job)
    return job


def prepare(
    workspace: Workspace,
    run: Run,
    *,
    limit: int | None = MOST_TARGETS,
    tokens: Literal["label", "chain", "all"] = "label",
    first_pass_epochs: float = 1.0,
) -> Job:
    """Make the job of the influences on the wrong answers of an evaluation.

    Raises:
        InputError: its model was not trained here by LoRA on labelled rows, or it answered nothing wrong.
        RunFailed: the trained adapter is not there any more.
    """
    trained = training_run(workspace, run)
    assert isinstance(trained.spec, TrainSpec)
    # An evaluation of another checkpoint names its own adapter.
    _, adapter = runs.trained_model(run if getattr(run.spec, "adapter_name_or_path", None) else trained)
    assert adapter is not None, "training_run requires LoRA"
    wrong = wrong_answers(run)[:limit]
    if not wrong:
        raise InputError(
            say(f"运行 {run.id} 没有答错的标题。", f"Run {run.id} answered no title wrong."),
            remedy=say("没有错误需要解释。", "There is no error to explain."),
        )
    spec = InfluenceSpec(
        train=trained.spec,
        adapter_name_or_path=adapter,
        run=run.id,
        tokens=tokens,
        first_pass_epochs=first_pass_epochs,
    )
    lines = "".join(f"{each.model_dump_json()}\n" for each in wrong)
    return runs.prepare_job(
        workspace, spec, label=run.record.label or run.id, files={"targets.jsonl": lines.encode()}
    )


def training_run(workspace: Workspace, run: Run) -> Run:
    """Find the training that a run is about.

    Raises:
        InputError: there is none here, or it did not train a LoRA adapter on labelled rows.
    """
    found = run
    if not isinstance(run.spec, TrainSpec):
        try:
            found = runs.get_run(workspace, run.spec.run or "")
        except StudioError as error:
            raise _no_training(run) from error
    spec = found.spec
    if not isinstance(spec, TrainSpec):
        raise _no_training(run)
    if spec.stage != "sft" or spec.finetuning_type != "lora":
        raise InputError(
            say(
                f"运行 {found.id} 不是 LoRA 监督微调，算不出训练行的影响。",
                f"Run {found.id} is no supervised fine-tuning by LoRA: the influence of its rows cannot be "
                "computed.",
            ),
            remedy=say(
                "请用 LoRA 训练一次，再看它的评估。", "Train with LoRA, and look at that run's evaluation."
            ),
        )
    return found


def _no_training(run: Run) -> InputError:
    return InputError(
        say(
            f"{run.id} 的模型不是在这里训练的，没有训练行可查。",
            f"The model of {run.id} was not trained here; there are no training rows to look at.",
        ),
        remedy=say("请选在这里训练的运行的评估。", "Choose the evaluation of a run that was trained here."),
    )


def wrong_answers(run: Run) -> list[Prediction]:
    """List the wrong answers of a run, the way of answering with the probabilities first."""
    modes: tuple[AnswerMode, ...] = ("direct", "chain")
    return [
        each for mode in modes for each in runs.load_predictions(run, mode) if each.predicted != each.label
    ]


def last_influence(workspace: Workspace, run: Run, scheme: Scheme) -> LastInfluence | None:
    """Find the last influences of an evaluation; None where there are none.

    Raises:
        UnreadableFile: the result is damaged.
    """
    for job in runs.list_jobs(workspace):
        if isinstance(job.spec, InfluenceSpec) and job.spec.run == run.id:
            result = read_influences(workspace, job, run, scheme) if job.state == "done" else None
            return LastInfluence(job=job, result=result)
    return None


def read_influences(workspace: Workspace, job: Job, run: Run, scheme: Scheme) -> Influences:
    """Read the result of a job that is done.

    Raises:
        UnreadableFile: it is damaged or gone.
    """
    file, arrays = job.folder / "influence.json", job.folder / "influence.npz"
    try:
        found = _load(file, arrays, file.stat().st_mtime_ns, arrays.stat().st_mtime_ns)
    except (*READ_FAULTS, BadZipFile) as error:
        raise UnreadableFile(
            say(
                f"影响的结果 {file.parent} 无法读取：{one_line(error)}",
                f"The influences in {file.parent} cannot be read: {one_line(error)}",
            ),
            remedy=say("请重新计算一次。", "Compute them again."),
        ) from error
    return Influences(*found, trained_rows(workspace, run, scheme))


@lru_cache(maxsize=4)
def _load(
    file: Path, arrays: Path, written: int, arrays_written: int
) -> tuple[InfluenceFile, dict[str, Floats]]:
    """Cache by path and time: the page reads them at every press."""
    found = InfluenceFile.model_validate_json(read_whole(file))
    with np.load(arrays, allow_pickle=False) as opened:
        loaded = {name: opened[name] for name in ("influence", "suspicion", "support", "loss")}
    shapes = {name: array.shape for name, array in loaded.items()}
    rows = len(found.rows)
    expected = {
        "influence": (len(found.targets), rows),
        **dict.fromkeys(("suspicion", "support", "loss"), (rows,)),
    }
    if shapes != expected:
        raise ValueError(f"arrays of shapes {shapes}, not {expected}")
    return found, loaded
