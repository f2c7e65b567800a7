"""Sample several answers to every row: `python -m backend.sample RUN_FOLDER`.

Reads spec.json; appends to samples.jsonl; ends with result.json. Started again on the folder of an
interrupted run, it samples what is missing: an answer depends on its seed alone. Which answers are right,
and what follows from it, is studio's to know.
"""

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from transformers.utils import logging as transformers_logging

from backend.data import rows
from backend.data.labelled_rows import LabelledRow, labelled_rows
from backend.data.templates import Renderer
from backend.engine.answering import Answerer, generated
from backend.engine.requests import Request
from backend.engine.titles import Written
from backend.machine import peak_memory_gib
from backend.modeling.adapters import require_fitting
from backend.modeling.loading import load_model, on_device
from backend.modeling.tokenizers import load_tokenizer
from backend.worker import Cancelled, RunFolder, run_worker
from studio.contract import Progress, SampledAnswer, SampleSpec
from studio.errors import InputError
from studio.language import say
from studio.samples.canonical import exact_category, read_answer
from studio.samples.scheme import Scheme
from studio.system.jsonl import read_lines

log = logging.getLogger(__name__)

SAMPLES = "samples.jsonl"
_PROGRESS_SECONDS = 1.0
_sampled: TypeAdapter[SampledAnswer] = TypeAdapter(SampledAnswer)

Task = tuple[LabelledRow, int]
"""A row, and the number of the answer to it."""


def sample(folder: RunFolder) -> dict[str, Any]:
    """Sample the answers that the folder lacks; return the fields of Result that it knows."""
    spec = folder.read_spec()
    assert isinstance(spec, SampleSpec), spec.kind
    require_fitting(spec.adapter_name_or_path, spec.model_name_or_path)
    scheme = rows.dataset_scheme(spec.dataset_dir)
    tasks, total = missing_tasks(folder, spec, scheme)
    folder.emit(Progress(phase="loading"))
    if tasks:
        tokenizer = load_tokenizer(
            spec.adapter_name_or_path or spec.model_name_or_path, spec.model_name_or_path
        )
        model = on_device(load_model(spec.model_name_or_path, spec.adapter_name_or_path))
        answerer = Answerer(model, Renderer(tokenizer, spec.template), slots=spec.batch_size)
        _sample(folder, answerer, requests_of(answerer, spec, scheme, tasks), tasks, scheme, total)
    return {"peak_memory_gib": peak_memory_gib()}


def missing_tasks(folder: RunFolder, spec: SampleSpec, scheme: Scheme) -> tuple[list[Task], int]:
    """List the answers that are not in samples.jsonl yet, and count all.

    Raises:
        InputError: no row has a category to be judged by.
    """
    found, _ = labelled_rows(spec.dataset_dir, spec.dataset, scheme)
    found = found[: spec.limit]
    if not found:
        raise InputError(
            say("没有一行的答案是类别。", "No row has a category as its answer."),
            remedy=say("请选有标签的数据集。", "Choose a dataset with labels."),
        )
    file = folder.path / SAMPLES
    done = {(each.row, each.sample) for each in read_lines(file, _sampled)} if file.is_file() else set()
    every = [(row, number) for row in found for number in range(spec.samples)]
    return [(row, number) for row, number in every if (row.row, number) not in done], len(every)


def requests_of(answerer: Answerer, spec: SampleSpec, scheme: Scheme, tasks: Sequence[Task]) -> list[Request]:
    """Build a request for each answer, with a seed of its own that no other row or number shares."""
    decoding = answerer.decoding(
        spec.max_new_tokens,
        temperature=spec.temperature,
        top_p=spec.top_p,
        # Sampling does not loop, and a penalty would sample another model than the one that is trained.
        repetition_penalty=1.0,
    )
    made = answerer.title_requests(
        [row.title for row, _ in tasks], scheme.prompt, decoding, quotes_from_title=spec.quotes_from_title
    )
    return [
        replace(request, decoding=replace(decoding, seed=_seed_of(spec, row.row, number)))
        for request, (row, number) in zip(made, tasks, strict=True)
    ]


def _seed_of(spec: SampleSpec, row: int, number: int) -> int:
    return ((spec.seed * 1_000_003 + row) * spec.samples + number) & 0x7FFFFFFF


def _sample(
    folder: RunFolder,
    answerer: Answerer,
    requests: Sequence[Request],
    tasks: Sequence[Task],
    scheme: Scheme,
    total: int,
) -> None:
    """Write each answer as it is there."""
    before, started, told = total - len(tasks), time.monotonic(), 0.0
    folder.emit(Progress(phase="evaluating", done=before, total=total, answer="chain"))
    answers = answerer.engine.run(requests, stop=lambda: folder.cancel_requested)
    for count, (index, answer) in enumerate(answers, start=1):
        if folder.cancel_requested:
            break
        folder.append(SAMPLES, _judged(*tasks[index], generated(answer), scheme))
        if (now := time.monotonic()) - told >= _PROGRESS_SECONDS:
            told, eta = now, (now - started) / count * (len(tasks) - count)
            folder.emit(
                Progress(
                    phase="evaluating", done=before + count, total=total, eta_seconds=eta, answer="chain"
                )
            )
    if folder.cancel_requested:
        raise Cancelled
    folder.emit(Progress(phase="evaluating", done=total, total=total, answer="chain"))
    log.info("%d answers to %d rows", total, len({row.row for row, _ in tasks}))


def _judged(row: LabelledRow, number: int, written: Written, scheme: Scheme) -> SampledAnswer:
    read = read_answer(written.text)
    return SampledAnswer(
        row=row.row,
        sample=number,
        title=row.title,
        label=row.category,
        predicted=exact_category(read.label, scheme.names) if written.finished else None,
        chain=read.chain,
        tokens=written.tokens,
        forced=written.forced,
    )


def main() -> int:
    """Entry of `python -m backend.sample`."""
    transformers_logging.set_verbosity_warning()
    return run_worker(sample)


if __name__ == "__main__":
    sys.exit(main())
