"""Release a candidate, signed by name; what the gate said travels with it."""

from studio import runs
from studio.contract import AnswerMode, CalibrationFile, TrainSpec
from studio.errors import GateNotPassed, InputError, StudioError
from studio.evaluation.entries import entries_of
from studio.gate import sentences
from studio.gate.gates import find_gate
from studio.gate.judging import judge_and_record
from studio.language import say
from studio.models.catalog import find_models
from studio.models.default_model import is_offered
from studio.models.targets import resolve_target
from studio.releases import ledger
from studio.releases.checkpoints import checkpoint_hash
from studio.releases.models import GateResult, PutInForce, Release, ReleasedScore
from studio.releases.records import RELEASED, Recorded, can_be_named, list_releases
from studio.runs import Run
from studio.store import Store, writing
from studio.system.atomic import guard_disk
from studio.team.rights import require_right
from studio.workspace import Workspace


def list_candidates(workspace: Workspace) -> list[Run]:
    """List the runs that can be released, the newest first: whole trainings whose checkpoint is there."""
    return [run for run in runs.list_runs(workspace) if is_offered(run)]


def require_candidate(workspace: Workspace, run_id: str) -> Run:
    """Find a run that can be released.

    Raises:
        InputError: there is no such run, or it only tried something: a smoke run, a cancelled one, a member
            of a sweep.
    """
    run = runs.get_run(workspace, run_id)
    if not is_offered(run):
        raise InputError(
            say("运行 {run} 不能发布。", "Run {run} cannot be released.", run=run.id),
            remedy=say(
                "能发布的是完整做完、检查点还在的训练；试跑、取消的、扫描里的一员和评估都不算。",
                "Only a training can be that ran to its end and has its checkpoint: no trial run, no "
                "cancelled one, no member of a sweep, no evaluation.",
            ),
        )
    return run


def release(
    db: Store,
    workspace: Workspace,
    run_id: str,
    *,
    signed_by: str,
    author: str,
    name: str | None = None,
    gate: int | None = None,
    despite: str = "",
) -> Recorded:
    """Judge a candidate at a gate, and release its checkpoint: it is offered first from now on.

    Args:
        db: store.
        workspace: where the run is.
        run_id: the candidate.
        signed_by: who signs for it.
        author: who runs this.
        name: of the release; None: `release-<number>`.
        gate: number of the gate; None: the newest. Where none was ever saved the release says so.
        despite: why it is released although the gate was not passed.

    Raises:
        NotAllowed: the author's role does not cover it.
        InputError: it is no candidate, is in force already, or the name cannot be used.
        GateNotPassed: a line is red or not measured, or the gate came late, and nobody said why nevertheless.
    """
    require_right("release", db, author)
    signed_by, despite = " ".join(signed_by.split()), " ".join(despite.split())
    if not signed_by:
        raise InputError(
            say("发布要有人签名。", "A release has to be signed."),
            remedy=say("请写下签发人的名字。", "Give the name of who signs."),
        )
    run = require_candidate(workspace, run_id)
    resolve_target(workspace, run.id)
    judged = find_gate(db, gate)
    result = judge_and_record(db, workspace, judged, run, author=author) if judged else None
    if result is not None and result.outcome != "passed" and not despite:
        raise _refusal(result)
    with writing(db):
        known = list_releases(db)
        made = _describe(workspace, run, known, _name(workspace, known, name), result, despite, signed_by)
        ledger.append(db, "released", made, author=author)
        ledger.append(db, "put_in_force", PutInForce(number=made.number, why="released"), author=author)
        return list_releases(db)[0]


def _refusal(result: GateResult) -> GateNotPassed:
    return GateNotPassed(
        sentences.outcome(result),
        remedy=say(
            "补上没有测的，或写明为什么仍要发布（--despite，页面上的“仍要发布的原因”）。",
            "Measure what is missing, or say why it is released nevertheless (--despite, or “Why release it "
            "nevertheless” on the page).",
        ),
        reasons=tuple(
            f"{sentences.status_name(line.status)}  {sentences.line_name(line.line)}: {sentences.found(line)}"
            for line in result.lines
        ),
    )


def _name(workspace: Workspace, known: list[Recorded], wanted: str | None) -> str:
    """Return the name of a new release.

    Raises:
        InputError: it is taken, or names something else already.
    """
    name = (wanted or "").strip() or f"release-{len(known) + 1}"
    taken = {each.release.name for each in known} | {run.id for run in runs.list_runs(workspace)}
    taken |= {model.name for model in find_models(workspace)}
    if not can_be_named(name) or name in taken:
        raise InputError(
            say("“{name}”不能作发布的名字。", "“{name}” cannot name a release.", name=name[:80]),
            remedy=say(
                "请用没有用过的名字：汉字、字母、数字、点、短横；不是运行、模型或 {released}。",
                "Use a new name of letters, digits, dots and hyphens: no run, no model, not {released}.",
                released=RELEASED,
            ),
        )
    return name


def _describe(
    workspace: Workspace,
    run: Run,
    known: list[Recorded],
    name: str,
    gate: GateResult | None,
    despite: str,
    signed_by: str,
) -> Release:
    assert isinstance(run.spec, TrainSpec) and run.result is not None and run.result.checkpoint is not None
    current = next((each.release for each in known if each.in_force), None)
    with guard_disk(run.folder):
        sha256 = checkpoint_hash(run.folder / run.result.checkpoint)
    if current is not None and (current.run, current.checkpoint_sha256) == (run.id, sha256):
        raise InputError(
            say(
                "{run} 已经发布为 {name}，正在用。",
                "{run} is released as {name} and in force.",
                run=run.id,
                name=current.name,
            ),
            remedy=say("请选另一个候选。", "Choose another candidate."),
        )
    return Release(
        number=len(known) + 1,
        name=name,
        run=run.id,
        checkpoint=run.result.checkpoint,
        checkpoint_sha256=sha256,
        model_sha256=run.result.model_sha256,
        template=run.spec.template,
        dataset=run.version,
        dataset_sha256=run.result.dataset_sha256,
        calibration=_calibration(run),
        scores=_scores(workspace, run),
        gate=gate,
        despite=despite if gate is not None and gate.outcome != "passed" else "",
        before=current.name if current else None,
        signed_by=signed_by,
    )


def _calibration(run: Run) -> CalibrationFile | None:
    try:
        return runs.load_calibration(run)
    except StudioError:
        return None


def _scores(workspace: Workspace, run: Run) -> dict[AnswerMode, ReleasedScore]:
    """Take the scores of the run itself, and where it has none those of its newest evaluation."""
    found: dict[AnswerMode, ReleasedScore] = {}
    others = [each for each in runs.list_runs(workspace) if getattr(each.spec, "run", None) == run.id]
    for entry in (entry for each in (run, *others) for entry in entries_of(each)):
        (scores,) = entry.scores
        found.setdefault(
            entry.answer,
            ReleasedScore(
                n=scores.n,
                accuracy=scores.accuracy,
                interval=scores.accuracy_interval,
                evaluation=entry.runs[0].id,
                recalls={
                    name: (each.recall, each.support)
                    for name, each in scores.per_category.items()
                    if each.support
                },
            ),
        )
    return found
