"""Probe what fine-tuning made a model forget: `python -m backend.forgetting RUN_FOLDER`.

Reads spec.json and probe.jsonl; base and tuned model answer the same items, the base once and for all of its
runs; writes forgetting.json here and into the folder of the run, and ends with result.json.

Both are asked in the same words by the same template, and nothing opens a thought but the template itself:
a model that has learned to think first may do so, one that has not is not made to.
"""

import gc
import hashlib
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from transformers.utils import logging as transformers_logging

from backend.data.encoding import tokenize
from backend.data.templates import THOUGHT, Renderer
from backend.engine.answering import Answerer
from backend.engine.requests import Request
from backend.harness import run_tasks, tasks_sha256
from backend.machine import peak_memory_gib
from backend.modeling.loading import load_model, on_device
from backend.modeling.tokenizers import load_tokenizer
from backend.training.provenance import Hashing, model_files
from backend.worker import Cancelled, RunFolder, run_worker
from studio.contract import (
    FORGETTING,
    LETTERS,
    ForgettingFile,
    ForgettingSpec,
    ProbeAnswer,
    ProbeAnswers,
    ProbeItem,
    Progress,
)
from studio.errors import ModelUnusable
from studio.evaluation.forgetting.counts import count, count_by_kind, probed_items, verdict
from studio.evaluation.forgetting.grading import grade
from studio.evaluation.forgetting.probe import items_sha256, question
from studio.language import say
from studio.samples.canonical import read_answer
from studio.system.atomic import in_one_step
from studio.system.jsonl import read_lines

log = logging.getLogger(__name__)

ANSWERING = 1
"""Version of how items are put and graded; answers of a base under another one are not reused."""
_TOKENS, _TOKENS_WITH_THOUGHT = 256, 1024
_PROGRESS_SECONDS = 1.0
_item: TypeAdapter[ProbeItem] = TypeAdapter(ProbeItem)


def forgetting(folder: RunFolder) -> dict[str, Any]:
    """Probe the folder's models; return the fields of Result that it knows."""
    spec = folder.read_spec()
    assert isinstance(spec, ForgettingSpec), spec.kind
    hashing = Hashing(model_files(spec.base_name_or_path))
    items = list(read_lines(folder.path / "probe.jsonl", _item))
    probe = items_sha256((folder.path / "probe.jsonl").read_bytes())
    tuned = Probing(folder, spec, items, spec.model_name_or_path, spec.adapter_name_or_path).answers()
    base_sha256 = hashing.wait(None)
    if base_sha256 is None:
        raise _unreadable_base(spec.base_name_or_path)
    kept = spec.cache / f"{_key(spec, probe, base_sha256)}.json"
    base = _read_kept(kept)
    if base is None:
        base = Probing(folder, spec, items, spec.base_name_or_path, None, before=len(items)).answers()
        _keep(kept, base)
    found = _file(spec, probe, base_sha256, base, tuned)
    folder.write(FORGETTING, found)
    _keep(spec.target / FORGETTING, found)
    log.info("%s: %d lost, %d gained of %d", found.code, found.all.lost, found.all.gained, found.all.n)
    return {"peak_memory_gib": peak_memory_gib(), "model_sha256": base_sha256}


def _file(
    spec: ForgettingSpec, probe: str, base_sha256: str, base: ProbeAnswers, tuned: ProbeAnswers
) -> ForgettingFile:
    items = probed_items(base, tuned)
    kinds = count_by_kind(items, tuned.chances)
    own = [item for item in items if item.id in base.answers and not _is_task(item.id)]
    guessed = sum(tuned.chances.get(item.kind, 0.0) for item in own) / len(own)
    overall = count(own, guessed)
    return ForgettingFile(
        probe_sha256=probe,
        base_sha256=base_sha256,
        checkpoint=spec.checkpoint,
        choices=spec.choices,
        code=verdict(overall, kinds.values()),
        all=overall,
        kinds=kinds,
        items=items,
    )


def _is_task(item: str) -> bool:
    return "/" in item


def _key(spec: ForgettingSpec, probe: str, base_sha256: str) -> str:
    """Name what the answers of a base depend on."""
    tasks = tasks_sha256(spec.tasks) if spec.tasks else ""
    parts = (ANSWERING, base_sha256, probe, spec.template, spec.choices, spec.max_new_tokens, tasks)
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def _read_kept(file: Path) -> ProbeAnswers | None:
    try:
        return ProbeAnswers.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


def _keep(file: Path, document: ProbeAnswers | ForgettingFile) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with in_one_step(file) as draft:
        draft.write_text(document.model_dump_json(), encoding="utf-8")


class Probing:
    """One model's pass over the items; its progress goes on from the `before` items of an earlier model."""

    def __init__(
        self,
        folder: RunFolder,
        spec: ForgettingSpec,
        items: Sequence[ProbeItem],
        model: Path,
        adapter: Path | None,
        *,
        before: int = 0,
    ) -> None:
        self.folder, self.spec, self.items, self.before = folder, spec, items, before
        self.started, self.told = time.monotonic(), 0.0
        folder.emit(Progress(phase="loading"))
        self.tokenizer: Any = load_tokenizer(adapter or model, model)
        self.model = on_device(load_model(model, adapter))
        self.renderer = Renderer(self.tokenizer, spec.template)
        self.answerer = Answerer(self.model, self.renderer, slots=spec.batch_size)

    def answers(self) -> ProbeAnswers:
        """Answer and grade every item, and the harness tasks; free the model.

        Raises:
            Cancelled: a cancel was requested.
            InputError: the harness is not there or cannot run the tasks.
        """
        found: dict[str, ProbeAnswer] = {}
        self._tell(0)
        for item, answer in self._graded():
            found[item.id] = answer
            self._tell(len(found))
        if self.folder.cancel_requested:
            raise Cancelled
        ordered = {item.id: found[item.id] for item in self.items}
        kinds: dict[str, str] = {item.id: item.kind for item in self.items}
        chances = {"knowledge": 1 / len(LETTERS)}
        if self.spec.tasks:
            for task in run_tasks(self.spec.tasks, self.model, self.tokenizer, self.spec.batch_size):
                ordered |= task.answers
                kinds |= dict.fromkeys(task.answers, task.name)
                chances[task.name] = task.chance
        self._free()
        return ProbeAnswers(answers=ordered, kinds=kinds, chances=chances)

    def _free(self) -> None:
        """Give the memory back before another model is loaded."""
        del self.model, self.answerer
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _graded(self) -> Iterator[tuple[ProbeItem, ProbeAnswer]]:
        by_probability = self.spec.choices == "probability"
        chosen = [item for item in self.items if item.kind == "knowledge" and by_probability]
        written = [item for item in self.items if item not in chosen]
        yield from self._choose(chosen)
        yield from self._write(written)

    def _stop(self) -> bool:
        return self.folder.cancel_requested

    def _choose(self, items: Sequence[ProbeItem]) -> Iterator[tuple[ProbeItem, ProbeAnswer]]:
        """Choose the likeliest letter."""
        prompts = [self._prompt(item) for item in items]
        for index, shares in self.answerer.scored(prompts, tuple(LETTERS), bare=True, stop=self._stop):
            letter = max(shares, key=lambda each: shares[each])
            yield (
                items[index],
                ProbeAnswer(
                    text=letter, right=letter == items[index].answer, probability=round(shares[letter], 6)
                ),
            )

    def _write(self, items: Sequence[ProbeItem]) -> Iterator[tuple[ProbeItem, ProbeAnswer]]:
        """Write an answer to each item, and grade what comes after its thought."""
        requests = [self._request(item) for item in items]
        for index, answer in self.answerer.engine.run(requests, stop=self._stop):
            if answer.finish == "cancelled":
                continue
            opened = THOUGHT if requests[index].decoding.thinks else ""
            text = read_answer(opened + answer.text).label
            yield (
                items[index],
                ProbeAnswer(text=text, right=grade(items[index], text), cut_off=answer.finish == "length"),
            )

    def _prompt(self, item: ProbeItem) -> str:
        return self.renderer.prompt([{"role": "user", "content": question(item)}])

    def _request(self, item: ProbeItem) -> Request:
        prompt = self._prompt(item)
        thinks = prompt.endswith(THOUGHT)
        limit = self.spec.max_new_tokens or (_TOKENS_WITH_THOUGHT if thinks else _TOKENS)
        return Request(
            prompt=tokenize(self.renderer, prompt), decoding=self.answerer.decoding(limit, thinks=thinks)
        )

    def _tell(self, done: int) -> None:
        now, total = time.monotonic(), len(self.items)
        if now - self.told < _PROGRESS_SECONDS and 0 < done < total:
            return
        self.told = now
        eta = (now - self.started) / done * (total - done) if done else None
        self.folder.emit(
            Progress(phase="evaluating", done=self.before + done, total=self.before + total, eta_seconds=eta)
        )


def _unreadable_base(base: Path) -> ModelUnusable:
    return ModelUnusable(
        say(f"读不全基础模型 {base} 的文件。", f"The files of the base model {base} cannot all be read."),
        remedy=say("请用 news-studio models check 检查它。", "Check it with: news-studio models check"),
    )


def main() -> int:
    """Entry of `python -m backend.forgetting`."""
    transformers_logging.set_verbosity_warning()
    return run_worker(forgetting)


if __name__ == "__main__":
    sys.exit(main())
