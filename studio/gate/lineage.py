"""Trace a model from its titles to its release, with the command that repeats each step.

Titles, version, base model, training, evaluations, judgements, openings of sealed sets, release: each with
the hashes that tell whether what is there now is what was used then.
"""

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from studio import runs
from studio.contract import EvaluateSpec, TrainSpec
from studio.datasets.versions import Version, list_versions
from studio.errors import StudioError
from studio.evaluation.entries import entries_of
from studio.evaluation.refusal import model_run
from studio.gate import sentences
from studio.gate.gates import list_gates
from studio.gate.judging import judgements
from studio.language import say
from studio.releases import ledger
from studio.releases.models import SealedOpening
from studio.releases.records import Recorded, list_releases
from studio.runs import Run
from studio.store import Store, open_store
from studio.system.documents import READ_FAULTS, read_whole
from studio.training.presets import sound_default
from studio.training.shell_commands import as_one_line
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, BUNDLED_NAME, Workspace

StepCode = Literal["data", "base", "training", "evaluation", "gate", "sealed", "release"]
STEP_NAMES: dict[StepCode, tuple[str, str]] = {
    "data": ("标题与版本", "Titles and version"),
    "base": ("基座模型", "Base model"),
    "training": ("训练", "Training"),
    "evaluation": ("评估", "Evaluation"),
    "gate": ("门槛", "Gate"),
    "sealed": ("封存的评估集", "Sealed set"),
    "release": ("发布", "Release"),
}


@dataclass(frozen=True, kw_only=True)
class LineageStep:
    """One step on the way to a model: facts in the reader's language, and the command that repeats it."""

    code: StepCode
    facts: tuple[tuple[str, str], ...]
    command: str = ""

    @property
    def name(self) -> str:
        """Name the step in the reader's language."""
        return say(*STEP_NAMES[self.code])

    def to_json(self) -> dict[str, object]:
        """Build an entry of `lineage` in JSON output."""
        return {"step": self.code, "facts": dict(self.facts), "command": self.command}


def lineage(db: Store, workspace: Workspace, run: Run) -> list[LineageStep]:
    """Trace the model of a training: what it was made from, how it was judged, as what it was released."""
    assert isinstance(run.spec, TrainSpec), run.spec.kind
    return [
        _data(db, workspace, run),
        _base(run),
        _training(run, run.spec),
        *_evaluations(workspace, run),
        *_judgements(db, run),
        *_openings(db, run),
        *_releases(db, run),
    ]


def lineage_reader(workspace: Workspace) -> Callable[[Run], list[LineageStep]]:
    """Return what traces the model behind a run, a training or an evaluation of one; a base has no steps."""

    def read(run: Run) -> list[LineageStep]:
        training = model_run(workspace, run)
        if not isinstance(training.spec, TrainSpec):
            return []
        with closing(open_store(workspace.database)) as db:
            return lineage(db, workspace, training)

    return read


def _step(code: StepCode, *facts: tuple[str, object], command: str = "") -> LineageStep:
    told = tuple((name, str(value)) for name, value in facts if value not in (None, ""))
    return LineageStep(code=code, facts=told, command=command)


def _data(db: Store, workspace: Workspace, run: Run) -> LineageStep:
    version = next((each for each in list_versions(db, workspace) if each.ref == run.version), None)
    trained = run.result.dataset_sha256 if run.result else None
    if version is None:
        return _step(
            "data",
            (say("数据集", "dataset"), dataset_of(run)),
            (say("训练数据 sha256", "sha256 of the training data"), trained),
        )
    return _step(
        "data",
        (say("版本", "version"), version.ref),
        (
            say("训练 / 评估条数", "training / evaluation rows"),
            f"{version.rows['train']} / {version.rows['eval']}",
        ),
        (say("冻结", "frozen"), f"{version.created_at[:10]} · {version.author}"),
        ("sha256", version.sha256),
        (say("训练数据 sha256", "sha256 of the training data"), trained),
        command=_freeze_command(version),
    )


def _freeze_command(version: Version) -> str:
    """Write the freeze that made a version; on the same decisions and sealed sets it gives the same bytes."""
    words = ["news-studio", "freeze", version.name]
    try:
        made = json.loads(read_whole(version.folder / "version.json"))
    except READ_FAULTS:
        return shlex.join(words)
    if made.get("eval_share") is not None:
        words += ["--eval-share", str(made["eval_share"])]
    if made.get("sealed_share") is not None:
        words += ["--sealed-share", str(made["sealed_share"])]
    if made.get("seed", 42) != 42:
        words += ["--seed", str(made["seed"])]
    if made.get("resplit"):
        words.append("--resplit")
    return shlex.join(words)


def dataset_of(run: Run) -> str:
    """Return what a command calls the data of a run: a version, `bundled`, or a folder."""
    folder = run.spec.dataset_dir
    return run.version or (BUNDLED_NAME if folder == BUNDLED_DATASET else str(folder))


def _model_of(run: Run) -> str:
    model = run.spec.model_name_or_path
    return BUNDLED_NAME if model == BUNDLED_MODEL else str(model)


def _base(run: Run) -> LineageStep:
    model = run.spec.model_name_or_path
    return _step(
        "base",
        (say("模型", "model"), BUNDLED_NAME if model == BUNDLED_MODEL else model.name if model else ""),
        ("sha256", run.result.model_sha256 if run.result else None),
        command=shlex.join(["news-studio", "models", "check", str(model)]),
    )


def _training(run: Run, spec: TrainSpec) -> LineageStep:
    result = run.result
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items()) if result else ""
    try:
        default = sound_default(spec.model_name_or_path, spec.dataset_dir)
        command = as_one_line(spec, default, model=_model_of(run), dataset=dataset_of(run))
    except (StudioError, OSError):
        command = ""  # the base is not here any more
    return _step(
        "training",
        (say("运行", "run"), run.id),
        (say("建立于", "created"), f"{run.created_at:%Y-%m-%d %H:%M}"),
        (say("种子", "seed"), spec.seed),
        (say("检查点", "checkpoint"), result.checkpoint if result else None),
        (say("程序版本", "versions"), versions),
        command=command,
    )


def _evaluations(workspace: Workspace, run: Run) -> Iterator[LineageStep]:
    for each in reversed(runs.list_runs(workspace)):
        spec = each.spec
        if each.id != run.id and not (isinstance(spec, EvaluateSpec) and spec.run == run.id):
            continue
        for entry in entries_of(each):
            (scores,) = entry.scores
            low, high = scores.accuracy_interval
            words = [
                "news-studio",
                "evaluate",
                run.id,
                "--dataset",
                dataset_of(each),
                "--answer",
                entry.answer,
            ]
            if isinstance(spec, EvaluateSpec) and spec.limit is not None:
                words += ["--limit", str(spec.limit)]
            yield _step(
                "evaluation",
                (say("运行", "run"), each.id),
                (say("数据集", "dataset"), dataset_of(each)),
                (say("回答方式", "answer"), entry.answer),
                (say("准确率", "accuracy"), f"{scores.accuracy:.1%} [{low:.1%}, {high:.1%}], n = {scores.n}"),
                command=shlex.join(words),
            )


def _judgements(db: Store, run: Run) -> Iterator[LineageStep]:
    gates = {gate.number: gate for gate in list_gates(db)}
    last = {each.gate: each for each in judgements(db) if each.run == run.id}
    for number, result in last.items():
        gate = gates[number]
        yield _step(
            "gate",
            (say("门槛", "gate"), sentences.gate_name(gate)),
            (say("结果", "outcome"), sentences.outcome(result)),
            ("sha256", gate.sha256),
            command=shlex.join(["news-studio", "gate", "check", run.id, "--gate", str(number)]),
        )


def _openings(db: Store, run: Run) -> Iterator[LineageStep]:
    for entry in ledger.read(db, "sealed_opened"):
        opening = SealedOpening.model_validate_json(entry.body)
        if opening.run != run.id:
            continue
        yield _step(
            "sealed",
            (say("封存集", "set"), f"{opening.dataset}#{opening.number}"),
            (say("第几次打开", "opening"), opening.opening),
            (say("谁，何时", "who, when"), f"{entry.author} · {entry.at.astimezone():%Y-%m-%d %H:%M}"),
            (say("原因", "reason"), opening.reason),
            ("sha256", opening.sha256),
        )


def _releases(db: Store, run: Run) -> Iterator[LineageStep]:
    for each in reversed(list_releases(db)):
        if each.release.run == run.id:
            yield _release(each)


def _release(recorded: Recorded) -> LineageStep:
    made = recorded.release
    return _step(
        "release",
        (say("名字", "name"), made.name),
        (say("签发", "signed"), f"{made.signed_by} · {recorded.at.astimezone():%Y-%m-%d %H:%M}"),
        (say("检查点 sha256", "sha256 of the checkpoint"), made.checkpoint_sha256),
        (say("仍要发布的原因", "released nevertheless, because"), made.despite),
        (say("台账 sha256", "sha256 in the ledger"), recorded.sha256),
        command=shlex.join(["news-studio", "serve", made.name]),
    )
