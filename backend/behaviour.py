"""Answer the changed titles of behavioural tests directly: `python -m backend.behaviour RUN_FOLDER`.

Reads spec.json, variants.jsonl and categories.toml; appends to answers.jsonl; ends with result.json. What the
changes are and which answers flipped is studio's to know.
"""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import TypeAdapter
from transformers.utils import logging as transformers_logging

from backend.data.templates import Renderer
from backend.engine.answering import Answerer
from backend.machine import peak_memory_gib
from backend.modeling.loading import load_model, on_device
from backend.modeling.tokenizers import load_tokenizer
from backend.worker import Cancelled, RunFolder, run_worker
from studio.contract import BehaviourSpec, Progress, Variant, VariantAnswer
from studio.samples.scheme import Scheme, load_scheme
from studio.system.jsonl import read_lines

log = logging.getLogger(__name__)

Score = Callable[[Sequence[str]], Sequence[dict[str, float]]]
"""Scores titles: the probability of each category, in their order."""

_variant: TypeAdapter[Variant] = TypeAdapter(Variant)


def behaviour(folder: RunFolder) -> dict[str, Any]:
    """Answer the folder's variants; return the fields of Result that it knows."""
    spec = folder.read_spec()
    assert isinstance(spec, BehaviourSpec), spec.kind
    own = folder.path / "categories.toml"
    scheme = load_scheme(own if own.is_file() else None)
    variants = list(read_lines(folder.path / "variants.jsonl", _variant))
    folder.emit(Progress(phase="loading"))
    answer_variants(folder, variants, scorer(spec, scheme), spec.batch_size)
    return {"peak_memory_gib": peak_memory_gib()}


def scorer(spec: BehaviourSpec, scheme: Scheme) -> Score:
    """Load the model and return what scores titles with it."""
    tokenizer = load_tokenizer(spec.adapter_name_or_path or spec.model_name_or_path, spec.model_name_or_path)
    model = on_device(load_model(spec.model_name_or_path, spec.adapter_name_or_path))
    answerer = Answerer(model, Renderer(tokenizer, spec.template))
    return lambda titles: answerer.score(answerer.render_prompts(titles, scheme.prompt), scheme.names)


def answer_variants(folder: RunFolder, variants: Sequence[Variant], score: Score, batch_size: int) -> None:
    """Answer variants in their order; each batch is on disk before the next starts."""
    started = time.monotonic()
    for done in range(0, len(variants), batch_size):
        eta = (time.monotonic() - started) / done * (len(variants) - done) if done else None
        folder.emit(
            Progress(phase="evaluating", done=done, total=len(variants), eta_seconds=eta, answer="direct")
        )
        batch = variants[done : done + batch_size]
        scored = score([each.title for each in batch])
        if folder.cancel_requested:
            raise Cancelled
        for each, probabilities in zip(batch, scored, strict=True):
            best = max(probabilities, key=lambda name: probabilities[name])
            folder.append(
                "answers.jsonl",
                VariantAnswer(
                    row=each.row, test=each.test, predicted=best, probability=round(probabilities[best], 6)
                ),
            )
    folder.emit(Progress(phase="evaluating", done=len(variants), total=len(variants), answer="direct"))
    log.info("%d titles answered", len(variants))


def main() -> int:
    """Entry of `python -m backend.behaviour`."""
    transformers_logging.set_verbosity_warning()
    return run_worker(behaviour)


if __name__ == "__main__":
    sys.exit(main())
