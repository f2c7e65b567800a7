"""Answer held-out rows and score the answers: `python -m backend.evaluate RUN_FOLDER`.

Reads spec.json; writes predictions.jsonl and scores.json; ends with result.json.
"""

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from transformers import GenerationConfig, PreTrainedModel, set_seed
from transformers.utils import logging as transformers_logging

from backend.data import rows
from backend.data.labelled_rows import LabelledRow, labelled_rows
from backend.data.templates import Renderer
from backend.engine.endpoint import EndpointAnswering
from backend.engine.local import LocalAnswering
from backend.engine.titles import Answering, Written
from backend.machine import peak_memory_gib
from backend.modeling.loading import load_model, on_device
from backend.modeling.tokenizers import load_tokenizer
from backend.worker import Cancelled, RunFolder, run_worker
from studio.contract import AnswerMode, EvaluateSpec, Prediction, Progress, ScoreFile, Scores
from studio.errors import InputError
from studio.evaluation.baselines import baseline_accuracies
from studio.evaluation.scores import score
from studio.language import say
from studio.samples.canonical import exact_category, read_answer
from studio.samples.scheme import Scheme

log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 1.0
"""Shortest time between two lines about the progress."""


def evaluate(folder: RunFolder) -> dict[str, Any]:
    """Evaluate the folder's model; return the fields of Result that evaluation knows."""
    spec = folder.read_spec()
    assert isinstance(spec, EvaluateSpec), spec.kind
    set_seed(spec.seed)
    folder.emit(Progress(phase="loading"))
    if spec.endpoint is not None:
        with closing(_at_endpoint(spec)) as answering:
            _evaluate(folder, answering, spec, (spec.answer,))
        return {}
    assert spec.model_name_or_path is not None, "the spec's own check"
    tokenizer = load_tokenizer(spec.adapter_name_or_path or spec.model_name_or_path, spec.model_name_or_path)
    model = on_device(load_model(spec.model_name_or_path, spec.adapter_name_or_path))
    evaluate_model(folder, model, Renderer(tokenizer, spec.template), spec, (spec.answer,))
    return {"peak_memory_gib": peak_memory_gib()}


def _at_endpoint(spec: EvaluateSpec) -> EndpointAnswering:
    """Answer at the spec's endpoint; where its model is known, with that one's tokenizer and template."""
    assert spec.endpoint is not None
    renderer, penalty = None, 1.0
    if spec.model_name_or_path is not None:
        folder = spec.adapter_name_or_path or spec.model_name_or_path
        renderer = Renderer(load_tokenizer(folder, spec.model_name_or_path), spec.template)
        penalty = _own_penalty(spec.model_name_or_path)
    return EndpointAnswering(
        spec.endpoint,
        rows.dataset_scheme(spec.dataset_dir),
        renderer=renderer,
        max_new_tokens=spec.max_new_tokens,
        penalty=penalty,
    )


def evaluate_model(
    folder: RunFolder,
    model: PreTrainedModel,
    renderer: Renderer,
    spec: EvaluateSpec,
    modes: Sequence[AnswerMode],
) -> None:
    """Answer the spec's rows with a loaded model in each mode; write predictions.jsonl and scores.json."""
    answering = LocalAnswering(
        model,
        renderer,
        rows.dataset_scheme(spec.dataset_dir),
        max_new_tokens=spec.max_new_tokens,
        batch_size=spec.batch_size,
    )
    _evaluate(folder, answering, spec, modes)


def _own_penalty(folder: Path) -> float:
    """Read the repetition penalty of a model's generation config; 1 without one."""
    try:
        return float(GenerationConfig.from_pretrained(folder).repetition_penalty or 1.0)
    except OSError:
        return 1.0


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
        started = time.monotonic()
        predictions = _answer(folder, answering, held_out, scheme, mode)
        seconds = time.monotonic() - started
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
) -> list[Prediction]:
    """Predict the rows; each prediction is on disk as soon as it is there, all are returned in order."""
    total, started, told = len(held_out), time.monotonic(), 0.0
    found: dict[int, Prediction] = {}
    folder.emit(Progress(phase="evaluating", total=total, answer=mode))
    titles = [row.title for row in held_out]
    for index, prediction in _predictions(answering, titles, held_out, scheme, mode, folder):
        if folder.cancel_requested:
            break
        folder.append("predictions.jsonl", prediction)
        found[index] = prediction
        if (now := time.monotonic()) - told >= _PROGRESS_SECONDS:
            told, eta = now, (now - started) / len(found) * (total - len(found))
            folder.emit(
                Progress(phase="evaluating", done=len(found), total=total, eta_seconds=eta, answer=mode)
            )
    if folder.cancel_requested:
        raise Cancelled
    folder.emit(Progress(phase="evaluating", done=total, total=total, answer=mode))
    return [found[index] for index in range(total)]


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
    )


def main() -> int:
    """Entry of `python -m backend.evaluate`."""
    transformers_logging.set_verbosity_warning()
    return run_worker(evaluate)


if __name__ == "__main__":
    sys.exit(main())
