"""Answer the titles of a sheet: `python -m backend.classify RUN_FOLDER`.

Reads spec.json, titles.jsonl and categories.toml; appends to answers.jsonl; ends with result.json. Killed
anywhere and started again it answers the titles that answers.jsonl lacks, and asks once more about those
that got a problem instead of an answer. What a title's row and columns are is studio's to know.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from transformers.utils import logging as transformers_logging

from backend.engine.opening import open_answering
from backend.engine.titles import Answering, Written
from backend.machine import peak_memory_gib
from backend.pace import Pace
from backend.worker import Cancelled, Paused, RunFolder, run_worker
from studio.contract import AnswerCalibration, AnsweredTitle, ClassifySpec, Progress
from studio.evaluation.calibration import calibrated_probabilities, confidence_of
from studio.language import say
from studio.samples.canonical import exact_category, read_answer
from studio.samples.scheme import Scheme, load_scheme
from studio.system.jsonl import Journal, read_lines
from studio.system.portions import portions

log = logging.getLogger(__name__)

TITLES, ANSWERS = "titles.jsonl", "answers.jsonl"
PORTION = 2048
"""Titles that are handed to the engine at once: sorted by length among themselves, and all in memory."""
FAILURES_IN_A_ROW = 8
"""An endpoint counts as down after it failed this many titles in succession."""

_title: TypeAdapter[str] = TypeAdapter(str)
_answer: TypeAdapter[AnsweredTitle] = TypeAdapter(AnsweredTitle)

Titles = Sequence[tuple[int, str]]
"""Titles with their positions in titles.jsonl."""


def classify(folder: RunFolder) -> dict[str, Any]:
    """Classify the folder's titles; return the fields of Result that it knows."""
    spec = folder.read_spec()
    assert isinstance(spec, ClassifySpec), spec.kind
    scheme = load_scheme(folder.path / "categories.toml")
    folder.emit(Progress(phase="loading"))
    with open_answering(spec, scheme, failures_in_a_row=FAILURES_IN_A_ROW) as answering:
        answer_titles(folder, answering, spec, scheme)
    return {} if spec.endpoint else {"peak_memory_gib": peak_memory_gib()}


def answer_titles(folder: RunFolder, answering: Answering, spec: ClassifySpec, scheme: Scheme) -> None:
    """Answer the titles without an answer, portion by portion; each answer is on disk as soon as it is there.

    Raises:
        Cancelled, Paused: somebody asked for it; the answers so far stay.
    """
    done = {one.title for one in read_lines(folder.path / ANSWERS, _answer) if not one.problem}
    total = sum(1 for _ in read_lines(folder.path / TITLES, _title))
    if done:
        log.info("%d of %d titles are answered already", len(done), total)
    pace = Pace(folder, "classifying", total=total, done=len(done), answer=spec.answer)
    with Journal(folder.path / ANSWERS) as journal:
        for portion in portions(_remaining(folder.path / TITLES, done), PORTION):
            for answered in _answers(answering, portion, spec, scheme, lambda: _is_stopped(folder)):
                journal.append(answered)
                pace.step()
            _heed(folder)
    pace.end()


def _remaining(path: Path, done: set[int]) -> Iterator[tuple[int, str]]:
    return (both for both in enumerate(read_lines(path, _title)) if both[0] not in done)


def _is_stopped(folder: RunFolder) -> bool:
    return folder.cancel_requested or folder.pause_requested


def _heed(folder: RunFolder) -> None:
    if folder.cancel_requested:
        raise Cancelled
    if folder.pause_requested:
        raise Paused(say("已按要求暂停，回答都在。", "Paused as requested; answers are kept."))


def _answers(
    answering: Answering, portion: Titles, spec: ClassifySpec, scheme: Scheme, stop: Callable[[], bool]
) -> Iterator[AnsweredTitle]:
    """Answer a portion, each title as it finishes."""
    texts = [text for _, text in portion]
    # Also beside chains, whose confidence is computed from it. An endpoint would be asked once more for each.
    scores = answering.score(texts, stop=stop) if spec.answer == "direct" or spec.endpoint is None else ()
    if spec.answer == "direct":
        for place, probabilities in scores:
            best = max(probabilities, key=lambda name: probabilities[name])
            yield _answered(portion[place][0], best, probabilities, spec)
        return
    scored = dict(scores)
    for place, written in answering.answer(texts, stop=stop):
        yield _chain(portion[place][0], written, scored.get(place), spec, scheme)


def _chain(
    title: int, written: Written, probabilities: dict[str, float] | None, spec: ClassifySpec, scheme: Scheme
) -> AnsweredTitle:
    if written.problem:
        return AnsweredTitle(title=title, category=None, problem=written.problem)
    read = read_answer(written.text)
    category = exact_category(read.label, scheme.names) if written.finished else None
    found = _answered(title, category, probabilities, spec)
    return found.model_copy(update={"chain": read.chain, "tokens": written.tokens, "forced": written.forced})


def _answered(
    title: int, category: str | None, probabilities: dict[str, float] | None, spec: ClassifySpec
) -> AnsweredTitle:
    if probabilities is None:
        return AnsweredTitle(title=title, category=category)
    confidence = _confidence(category, probabilities, spec.calibration)
    if spec.calibration:
        probabilities = calibrated_probabilities(spec.calibration, probabilities)
    return AnsweredTitle(
        title=title,
        category=category,
        confidence=None if confidence is None else round(confidence, 6),
        probabilities={name: round(p, 6) for name, p in probabilities.items()},
    )


def _confidence(
    category: str | None, probabilities: dict[str, float], calibration: AnswerCalibration | None
) -> float | None:
    """Compute the confidence of a category; None where a chain leads elsewhere than direct scoring.

    The probabilities are then another answer's, unless a calibration knows what that is worth.
    """
    if category is None:
        return None
    if calibration:
        return confidence_of(calibration, category, probabilities)
    leads = category == max(probabilities, key=lambda name: probabilities[name])
    return probabilities[category] if leads else None


def main() -> int:
    """Entry of `python -m backend.classify`."""
    transformers_logging.set_verbosity_warning()
    # At debug level these log whole requests.
    for name in ("openai", "httpx", "httpx2", "httpcore", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return run_worker(classify)


if __name__ == "__main__":
    sys.exit(main())
