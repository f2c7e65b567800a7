"""Calibrate the answers of a run, and store with its model below which confidence an answer is refused.

runs/<id>/calibration.json    of the training whose model answered; read by whoever serves it
"""

from datetime import datetime

from studio import runs
from studio.contract import (
    CALIBRATION,
    AnswerCalibration,
    AnswerMode,
    CalibrationFile,
    ChosenThreshold,
)
from studio.errors import InputError, StudioError
from studio.evaluation.calibration import CalibrationReport, Scored, calibrate, scored
from studio.evaluation.row_tags import other_mode, subject_of
from studio.evaluation.training_rows import trained_rows
from studio.language import say
from studio.runs import Run
from studio.samples.scheme import Scheme
from studio.system.atomic import in_one_step
from studio.team.rights import require_right
from studio.workspace import Workspace

RIGHT_REFUSED = "right_refused"
"""The tag of a right row under the threshold."""
CROSSWISE = "crosswise"
"""What a calibration was fitted on where no other evaluation of the model has other titles."""


def calibration_report(
    workspace: Workspace, run: Run, answer: AnswerMode, scheme: Scheme
) -> CalibrationReport | None:
    """Calibrate the answers of a run; None where too few rows have probabilities.

    It is fitted on another direct evaluation of the same model on other titles where there is one, the
    largest, and crosswise on its own rows else.
    """
    own = _scored(workspace, run, answer, scheme)
    if own is None:
        return None
    best, name = None, CROSSWISE
    # On titles that it was trained on a model is far too sure.
    trained = {row.title for row in trained_rows(workspace, run, scheme).rows}
    for other in runs.list_runs(workspace):
        if other.id == run.id or subject_of(other) != subject_of(run):
            continue
        found = _scored(workspace, other, answer, scheme)
        if found is None or found.titles & (own.titles | trained):
            continue
        if best is None or len(found.rows) > len(best.rows):
            best, name = found, other.id
    return calibrate(own, best, fitted_on=name)


def _scored(workspace: Workspace, run: Run, answer: AnswerMode, scheme: Scheme) -> Scored | None:
    try:
        rows = runs.load_predictions(run, answer)
        direct = rows if answer == "direct" else other_mode(workspace, run, answer)
    except (StudioError, OSError):
        return None
    return scored(rows, {row.title: row.probabilities for row in direct if row.probabilities}, scheme.names)


def model_run(workspace: Workspace, run: Run) -> Run:
    """Find the run whose folder holds the model that answered: the training, else the evaluation itself."""
    asked = getattr(run.spec, "run", None)
    if asked is None:
        return run
    try:
        return runs.get_run(workspace, asked)
    except StudioError:
        return run


def choose_threshold(
    workspace: Workspace, run: Run, report: CalibrationReport, threshold: float, *, author: str
) -> CalibrationFile:
    """Store the calibration and the confidence below which answers are refused with the model that answered.

    Raises:
        InputError: the run is only recorded.
    """
    require_right("change_runs")
    holder = model_run(workspace, run)
    if holder.recorded:
        raise InputError(
            say("内置的记录不能改动。", "The recorded run that ships cannot be changed."),
            remedy=say("请先自己训练一次。", "Train a run of your own first."),
        )
    point = report.at(threshold)
    chosen = ChosenThreshold(
        confidence=threshold,
        answered=point.answered,
        right=point.right,
        rows=point.total,
        accuracy_interval=point.interval,
        evaluation=run.id,
        author=author,
        at=datetime.now().astimezone(),
    )
    kept = runs.load_calibration(holder)
    answers: dict[AnswerMode, AnswerCalibration] = dict(kept.answers) if kept else {}
    answers[report.fitted.answer] = report.fitted.model_copy(update={"threshold": chosen})
    file = CalibrationFile(answers=answers)
    with in_one_step(holder.folder / CALIBRATION) as draft:
        draft.write_text(file.model_dump_json(indent=2), encoding="utf-8")
    return file


def forget_threshold(workspace: Workspace, run: Run, answer: AnswerMode) -> None:
    """Answer everything again: remove the stored calibration of one way of answering."""
    require_right("change_runs")
    holder = model_run(workspace, run)
    kept = runs.load_calibration(holder)
    if kept is None or answer not in kept.answers:
        return
    file = CalibrationFile(answers={name: one for name, one in kept.answers.items() if name != answer})
    with in_one_step(holder.folder / CALIBRATION) as draft:
        draft.write_text(file.model_dump_json(indent=2), encoding="utf-8")


def chosen_threshold(workspace: Workspace, run: Run, answer: AnswerMode) -> ChosenThreshold | None:
    """Read the threshold that was chosen for the model of a run; None: it answers everything."""
    kept = runs.load_calibration(model_run(workspace, run))
    return kept.answers[answer].threshold if kept and answer in kept.answers else None


def right_but_refused(workspace: Workspace, run: Run, answer: AnswerMode, scheme: Scheme) -> set[int]:
    """Return the rows that are right and under the chosen threshold: what caution costs; none without one."""
    chosen = chosen_threshold(workspace, run, answer)
    report = calibration_report(workspace, run, answer, scheme) if chosen else None
    if chosen is None or report is None:
        return set()
    refused = report.right & (report.confidence < chosen.confidence)
    return {row for row, is_refused in zip(report.rows, refused.tolist(), strict=True) if is_refused}
