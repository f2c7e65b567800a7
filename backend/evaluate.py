"""Answer held-out rows and score the answers: `python -m backend.evaluate RUN_FOLDER`.

Reads spec.json; writes predictions.jsonl and scores.json; ends with result.json.
"""

import logging
import sys
import time
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedModel, set_seed
from transformers.utils import logging as transformers_logging

from backend.data import rows
from backend.data.labelled_rows import LabelledRow, labelled_rows
from backend.data.templates import Renderer
from backend.engine.answering import Answerer
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


def evaluate(folder: RunFolder) -> dict[str, Any]:
    """Evaluate the folder's model; return the fields of Result that evaluation knows."""
    spec = folder.read_spec()
    assert isinstance(spec, EvaluateSpec), spec.kind
    set_seed(spec.seed)
    folder.emit(Progress(phase="loading"))
    tokenizer = load_tokenizer(spec.adapter_name_or_path or spec.model_name_or_path, spec.model_name_or_path)
    model = on_device(load_model(spec.model_name_or_path, spec.adapter_name_or_path))
    renderer = Renderer(tokenizer, spec.template)
    evaluate_model(folder, model, renderer, spec, (spec.answer,))
    return {"peak_memory_gib": peak_memory_gib()}


def evaluate_model(
    folder: RunFolder,
    model: PreTrainedModel,
    renderer: Renderer,
    spec: EvaluateSpec,
    modes: Sequence[AnswerMode],
) -> None:
    """Answer the spec's rows in each mode; write predictions.jsonl and scores.json."""
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
    answerer = Answerer(model, renderer)
    scores: dict[AnswerMode, Scores] = {}
    for mode in modes:
        started = time.monotonic()
        predictions = _answer(folder, answerer, held_out, scheme, mode, spec)
        seconds = time.monotonic() - started
        scores[mode] = score(predictions, scheme.names, answer=mode, seconds=seconds, baselines=baselines)
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
    answerer: Answerer,
    held_out: Sequence[LabelledRow],
    scheme: Scheme,
    mode: AnswerMode,
    spec: EvaluateSpec,
) -> list[Prediction]:
    """Predict the rows in their order; each batch is on disk before the next starts."""
    predictions: list[Prediction] = []
    started = time.monotonic()
    for start in range(0, len(held_out), spec.batch_size):
        done = len(predictions)
        eta = (time.monotonic() - started) / done * (len(held_out) - done) if done else None
        folder.emit(
            Progress(phase="evaluating", done=done, total=len(held_out), eta_seconds=eta, answer=mode)
        )
        batch = held_out[start : start + spec.batch_size]
        prompts = answerer.render_prompts([row.title for row in batch], scheme.prompt)
        if mode == "direct":
            answered = _direct(answerer, prompts, batch, scheme)
        else:
            answered = _chains(answerer, prompts, batch, scheme, folder, spec.max_new_tokens)
        if folder.cancel_requested:
            raise Cancelled
        for prediction in answered:
            folder.append("predictions.jsonl", prediction)
        predictions += answered
    folder.emit(Progress(phase="evaluating", done=len(held_out), total=len(held_out), answer=mode))
    return predictions


def _direct(
    answerer: Answerer, prompts: Sequence[str], batch: Sequence[LabelledRow], scheme: Scheme
) -> list[Prediction]:
    return [
        row.predicted_as(
            max(probabilities, key=lambda name: probabilities[name]),
            answer="direct",
            chain=None,
            text="",
            probabilities={name: round(p, 6) for name, p in probabilities.items()},
        )
        for row, probabilities in zip(batch, answerer.score(prompts, scheme.names), strict=True)
    ]


def _chains(
    answerer: Answerer,
    prompts: Sequence[str],
    batch: Sequence[LabelledRow],
    scheme: Scheme,
    folder: RunFolder,
    max_new_tokens: int,
) -> list[Prediction]:
    written = answerer.generate(prompts, max_new_tokens=max_new_tokens, stop=lambda: folder.cancel_requested)
    predictions = []
    for row, answer in zip(batch, written, strict=True):
        read = read_answer(answer.text)
        predictions.append(
            row.predicted_as(
                exact_category(read.label, scheme.names) if answer.finished else None,
                answer="chain",
                chain=read.chain,
                text=answer.text,
                tokens=answer.tokens,
                forced=answer.forced,
            )
        )
    return predictions


def main() -> int:
    """Entry of `python -m backend.evaluate`."""
    transformers_logging.set_verbosity_warning()
    return run_worker(evaluate)


if __name__ == "__main__":
    sys.exit(main())
