"""Answer held-out rows and score the answers: `python -m backend.evaluate RUN_FOLDER`.

Reads spec.json; writes predictions.jsonl and scores.json; ends with result.json. Started again in the
folder of an evaluation that was cut short, it answers the rows that predictions.jsonl lacks.
"""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from pydantic import TypeAdapter
from transformers import PreTrainedModel, set_seed
from transformers.utils import logging as transformers_logging

from backend.data import rows
from backend.data.labelled_rows import LabelledRow, labelled_rows
from backend.data.templates import Renderer
from backend.engine.local import LocalAnswering
from backend.engine.majority import MajorityAnswering
from backend.engine.opening import open_answering
from backend.engine.titles import Answering, Written
from backend.machine import peak_memory_gib
from backend.pace import Pace
from backend.worker import Cancelled, RunFolder, run_worker
from studio.contract import AnswerMode, EvaluateSpec, Prediction, Progress, ScoreFile, Scores
from studio.errors import InputError
from studio.evaluation.baselines import baseline_accuracies
from studio.evaluation.scores import score
from studio.language import say
from studio.samples.canonical import exact_category, read_answer
from studio.samples.scheme import Scheme
from studio.system.jsonl import Journal, read_lines

log = logging.getLogger(__name__)

PREDICTIONS = "predictions.jsonl"
_prediction: TypeAdapter[Prediction] = TypeAdapter(Prediction)


def evaluate(folder: RunFolder) -> dict[str, Any]:
    """Evaluate the folder's model; return the fields of Result that evaluation knows."""
    spec = folder.read_spec()
    assert isinstance(spec, EvaluateSpec), spec.kind
    set_seed(spec.seed)
    folder.emit(Progress(phase="loading"))
    scheme = rows.dataset_scheme(spec.dataset_dir)
    with open_answering(spec, scheme) as answering:
        voting = MajorityAnswering(answering, scheme, spec.samples) if spec.samples > 1 else answering
        _evaluate(folder, voting, spec, (spec.answer,))
    return {} if spec.endpoint else {"peak_memory_gib": peak_memory_gib()}


def evaluate_model(
    folder: RunFolder,
    model: PreTrainedModel,
    renderer: Renderer,
    spec: EvaluateSpec,
    modes: Sequence[AnswerMode],
) -> None:
    """Answer the spec's rows with a loaded model in each mode; write predictions.jsonl and scores.json.

    Nothing of earlier answers is kept: they may be those of other weights.
    """
    (folder.path / PREDICTIONS).unlink(missing_ok=True)
    scheme = rows.dataset_scheme(spec.dataset_dir)
    _evaluate(folder, LocalAnswering.of(spec, model, renderer, scheme), spec, modes)


def _evaluate(
    folder: RunFolder, answering: Answering, spec: EvaluateSpec, modes: Sequence[AnswerMode]
) -> None:
    scheme = rows.dataset_scheme(spec.dataset_dir)
    held_out, skipped = labelled_rows(spec.dataset_dir, spec.dataset, scheme, spec.rows)
    if not held_out:
        raise InputError(
            say(
                "评测数据里没有一条答案属于这些类别。",
                "No evaluation row has an answer that is one of the categories.",
            ),
            remedy=say(
                "请先在标注页改正这些答案，再冻结一个版本。",
                "Correct the answers on the Label page, then freeze a version.",
            ),
        )
    if skipped:
        log.warning("%d rows of %s are not scored: their answer is not a category", skipped, spec.dataset)
    held_out = held_out[: spec.limit]
    baselines = _baselines(spec, scheme, held_out)
    scores: dict[AnswerMode, Scores] = {}
    for mode in modes:
        predictions, seconds = _answer(folder, answering, held_out, scheme, mode)
        scores[mode] = score(
            predictions,
            scheme.names,
            answer=mode,
            seconds=seconds,
            baselines=baselines,
            engine=answering.describe(),
        )
        log.info("%s: accuracy %.3f, %d unparsed", mode, scores[mode].accuracy, scores[mode].unparsed)
    folder.write("scores.json", ScoreFile(evaluations=scores))


def _baselines(spec: EvaluateSpec, scheme: Scheme, held_out: Sequence[LabelledRow]) -> dict[str, float]:
    name = spec.train_dataset
    if not name or not rows.has_entry(spec.dataset_dir, name):
        return {}
    train, _ = labelled_rows(spec.dataset_dir, name, scheme)
    if spec.rows is not None and name == spec.dataset:
        train = [row for row in train if row.row not in set(spec.rows)]
    return baseline_accuracies(
        [(row.title, row.category) for row in train], [(row.title, row.category) for row in held_out]
    )


def _answer(
    folder: RunFolder,
    answering: Answering,
    held_out: Sequence[LabelledRow],
    scheme: Scheme,
    mode: AnswerMode,
) -> tuple[list[Prediction], float]:
    """Predict the rows that are not predicted yet, each on disk as soon as it is there.

    Returns:
        all predictions in order, and the seconds that all would have taken at the pace of these.
    """
    found = _predicted_before(folder, held_out, mode)
    missing = [index for index in range(len(held_out)) if index not in found]
    if found:
        log.info("%s: %d rows are answered already", mode, len(found))
    titles = [held_out[index].title for index in missing]
    pace = Pace(folder, "evaluating", total=len(held_out), done=len(found), answer=mode)
    with closing(Journal(folder.path / PREDICTIONS)) as journal:
        for place, prediction in _predictions(
            answering, titles, [held_out[index] for index in missing], scheme, mode, folder
        ):
            if folder.cancel_requested:
                break
            journal.append(prediction)
            found[missing[place]] = prediction
            pace.step()
    if folder.cancel_requested:
        raise Cancelled
    pace.end()
    return [found[index] for index in range(len(held_out))], pace.seconds_for_all


def _predicted_before(
    folder: RunFolder, held_out: Sequence[LabelledRow], mode: AnswerMode
) -> dict[int, Prediction]:
    """Read the predictions that an evaluation which was cut short left, by the place of their row."""
    place = {(row.row, row.title, row.category): index for index, row in enumerate(held_out)}
    return {
        place[key]: one
        for one in read_lines(folder.path / PREDICTIONS, _prediction)
        if one.answer == mode and (key := (one.row, one.title, one.label)) in place
    }


def _predictions(
    answering: Answering,
    titles: Sequence[str],
    held_out: Sequence[LabelledRow],
    scheme: Scheme,
    mode: AnswerMode,
    folder: RunFolder,
) -> Iterator[tuple[int, Prediction]]:
    def stop() -> bool:
        return folder.cancel_requested

    if mode == "direct":
        for index, probabilities in answering.score(titles, stop=stop):
            yield index, _direct(held_out[index], probabilities)
    else:
        for index, written in answering.answer(titles, stop=stop):
            yield index, _chain(held_out[index], written, scheme)


def _direct(row: LabelledRow, probabilities: dict[str, float]) -> Prediction:
    return row.predicted_as(
        max(probabilities, key=lambda name: probabilities[name]),
        answer="direct",
        chain=None,
        text="",
        probabilities={name: round(p, 6) for name, p in probabilities.items()},
    )


def _chain(row: LabelledRow, written: Written, scheme: Scheme) -> Prediction:
    read = read_answer(written.text)
    return row.predicted_as(
        exact_category(read.label, scheme.names) if written.finished else None,
        answer="chain",
        chain=read.chain,
        text=written.text,
        tokens=written.tokens,
        forced=written.forced,
        votes=written.votes,
    )


def main() -> int:
    """Entry of `python -m backend.evaluate`."""
    transformers_logging.set_verbosity_warning()
    return run_worker(evaluate)


if __name__ == "__main__":
    sys.exit(main())
