"""Compute what training rows did to wrong answers: `python -m backend.influence RUN_FOLDER`.

Reads spec.json and targets.jsonl; writes influence.npz and influence.json; ends with result.json. Two
questions, one adapter each. Which rows pushed an answer: DataInf on the gradients of the finished adapter,
the one that errs. Whose label is doubtful: a fresh adapter after one pass over the rows, since a finished
one has learned the errors by heart and says nothing about them any more.
"""

import logging
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from pydantic import TypeAdapter
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.utils import logging as transformers_logging

from backend.data import rows
from backend.data.encoding import IGNORED, PaddingCollator, Sample
from backend.data.label_samples import Taught, margin_samples, taught_samples
from backend.data.templates import Renderer
from backend.machine import free_memory_bytes, peak_memory_gib
from backend.modeling.adapters import save_adapter
from backend.modeling.loading import load_for_training, load_with_adapter, on_device
from backend.modeling.tokenizers import load_tokenizer
from backend.train import make_trainer, prepare
from backend.training.controlled_trainer import ControlledTrainer
from backend.training.influence_functions import datainf, label_suspicion, leave_one_out_support
from backend.training.losses import row_losses
from backend.training.sample_gradients import SampleGradients, lora_layers
from backend.worker import Cancelled, RunFolder, run_worker
from studio.contract import InfluenceFile, InfluenceSpec, Prediction, Progress, TrainSpec
from studio.errors import InputError
from studio.language import say
from studio.system.jsonl import read_lines

log = logging.getLogger(__name__)

_target: TypeAdapter[Prediction] = TypeAdapter(Prediction)

MEMORY_SHARE = 0.4
"""Share of the free memory that sketched gradients may take; the sketch is shortened to fit."""


def influence(folder: RunFolder) -> dict[str, Any]:
    """Compute the folder's influences; return the fields of Result that it knows."""
    spec = folder.read_spec()
    assert isinstance(spec, InfluenceSpec), spec.kind
    folder.emit(Progress(phase="loading"))
    targets = list(read_lines(folder.path / "targets.jsonl", _target))
    renderer = Renderer(load_tokenizer(spec.train.model_name_or_path), spec.train.template)
    taught = taught_samples(spec.train, renderer)
    spec = fit_sketch(spec, len(taught.rows) + len(targets))
    steps = 0
    with TemporaryDirectory(dir=folder.path, prefix="first_pass_") as scratch:
        judged = spec.adapter_name_or_path
        if spec.first_pass_epochs > 0:
            judged = Path(scratch)
            steps = first_pass(folder, spec, judged)
        doubts = judge_labels(_Work(folder, spec, renderer, judged), taught)
    work = _Work(folder, spec, renderer, spec.adapter_name_or_path)
    pushed = explain_answers(work, taught, targets)
    arrays = {"influence": pushed.numpy(), **{name: found.numpy() for name, found in doubts.items()}}
    _write_arrays(folder.path / "influence.npz", arrays)
    found = InfluenceFile(
        rows=taught.rows,
        targets=tuple(targets),
        tokens=spec.tokens,
        first_pass_steps=steps,
        sketch_length=work.gradients.length,
        parameters=sum(block.size for block in work.gradients.blocks),
    )
    folder.write("influence.json", found)
    log.info("%d rows, %d targets", len(taught.rows), len(targets))
    return {"peak_memory_gib": peak_memory_gib()}


class _Work:
    """An adapter whose gradients are taken, with what it takes to batch samples and report progress."""

    def __init__(self, folder: RunFolder, spec: InfluenceSpec, renderer: Renderer, adapter: Path) -> None:
        self.folder, self.spec, self.renderer = folder, spec, renderer
        self.model: PeftModel = on_device(load_with_adapter(spec.train.model_name_or_path, adapter))
        if not lora_layers(self.model):
            raise InputError(
                say(f"{adapter} 里没有 LoRA 矩阵。", f"{adapter} has no LoRA matrices."),
                remedy=say("请选一个用 LoRA 训练的运行。", "Choose a run that was trained with LoRA."),
            )
        self.gradients = SampleGradients(self.model, length=spec.sketch_length)
        self.device = next(self.model.parameters()).device
        self.collate = PaddingCollator(int(renderer.tokenizer.pad_token_id or 0))

    def batches(
        self, samples: Sequence[Sample], *, what: str
    ) -> Iterator[tuple[Sequence[int], dict[str, Any]]]:
        """Batch samples in their order, on the device: (their indices, the batch); ends on a cancel."""
        size, started = self.spec.batch_size, time.monotonic()
        for start in range(0, len(samples), size):
            if self.folder.cancel_requested:
                raise Cancelled
            eta = (time.monotonic() - started) / start * (len(samples) - start) if start else None
            self.folder.emit(Progress(phase="evaluating", done=start, total=len(samples), eta_seconds=eta))
            batch = self.collate(samples[start : start + size])
            indices = range(start, min(start + size, len(samples)))
            yield indices, {name: tensor.to(self.device) for name, tensor in batch.items()}
        log.info("%s: gradients of %d samples", what, len(samples))

    def sum_by(self, samples: Sequence[Sample], places: Sequence[int], count: int, *, what: str) -> Tensor:
        """Sum the gradients of samples by their places, (count, D)."""
        found_nD = torch.zeros(count, self.gradients.length)
        for indices, batch in self.batches(samples, what=what):
            found_nD.index_add_(0, torch.tensor([places[i] for i in indices]), self.gradients(batch).cpu())
        return found_nD


def fit_sketch(spec: InfluenceSpec, count: int) -> InfluenceSpec:
    """Shorten the sketch where the gradients of `count` rows would not fit into the free memory."""
    free = free_memory_bytes()
    length = spec.sketch_length
    while free is not None and length > 256 and count * length * 4 > MEMORY_SHARE * free:
        length //= 2
    if length < spec.sketch_length:
        log.warning("sketch of %d numbers a row instead of %d: memory is short", length, spec.sketch_length)
    return spec.model_copy(update={"sketch_length": length})


def judge_labels(work: _Work, taught: Taught) -> dict[str, Tensor]:
    """Compute suspicion, support and loss of every row's label, (n,) each."""
    count = len(taught.rows)
    supports, losses = [], []
    for way in ("direct", "chain"):
        chosen = [each for each in taught.samples if each.way == way]
        if not chosen:
            continue
        places = [each.place for each in chosen]
        samples = [each.weighted("label") for each in chosen]
        gradients_nD = work.sum_by(samples, places, count, what=f"labels, {way}")
        has_nD = gradients_nD.abs().sum(dim=1) > 0
        support = leave_one_out_support(gradients_nD)
        # A row that is not learned in this way is neither supported nor contradicted more than the others.
        supports.append(torch.where(has_nD, support, support[has_nD].mean()))
        loss = _label_losses(work, samples, places, count)
        losses.append(torch.where(has_nD, loss, loss[has_nD].mean()))
    return {
        "suspicion": label_suspicion([-support for support in supports], losses),
        "support": torch.stack(supports).mean(dim=0),
        "loss": torch.stack(losses).mean(dim=0),
    }


@torch.no_grad()
def _label_losses(work: _Work, samples: Sequence[Sample], places: Sequence[int], count: int) -> Tensor:
    """Sum the cross-entropy of the weighted tokens of samples by their places, in nats, (count,)."""
    found_n = torch.zeros(count)
    for indices, batch in work.batches(samples, what="losses of labels"):
        learned = torch.where(batch["weights"] > 0, batch["labels"], IGNORED)
        losses, _ = row_losses(work.model, {**batch, "labels": learned})
        found_n.index_add_(0, torch.tensor([places[i] for i in indices]), losses.float().cpu())
    return found_n


def explain_answers(work: _Work, taught: Taught, targets: Sequence[Prediction]) -> Tensor:
    """Estimate how much each row pushed each target's wrong answer up against its label, (m, n)."""
    samples = [each.weighted(work.spec.tokens) for each in taught.samples]
    places = [each.place for each in taught.samples]
    rows_nD = work.sum_by(samples, places, len(taught.rows), what="training rows")
    scheme = rows.dataset_scheme(work.spec.train.dataset_dir)
    margins = [
        (number, sample)
        for number, each in enumerate(targets)
        for sample in margin_samples(work.renderer, each, scheme.prompt)
    ]
    owners, sides = [number for number, _ in margins], [sample for _, sample in margins]
    targets_mD = work.sum_by(sides, owners, len(targets), what="answers")
    return datainf(rows_nD, targets_mD, work.gradients.blocks)


def first_pass(folder: RunFolder, spec: InfluenceSpec, target: Path) -> int:
    """Train a fresh adapter for the spec's passes and save it; return its optimizer steps.

    Raises:
        Cancelled: a cancel was requested.
    """
    short = first_pass_training(spec)
    ready = prepare(folder, short, load_for_training)
    trainer = make_trainer(target, short, ready)
    watcher = _Watcher(folder, trainer)
    trainer.add_callback(watcher)
    trainer.train()
    if watcher.cancelled:
        raise Cancelled
    save_adapter(ready.model, target, short.model_name_or_path)
    return int(trainer.state.global_step)


def first_pass_training(spec: InfluenceSpec) -> TrainSpec:
    """Derive the training of the first pass: the recipe of the run, nothing evaluated or saved."""
    changes: dict[str, Any] = {
        "num_train_epochs": spec.first_pass_epochs,
        "max_steps": -1,
        "early_stopping_steps": None,
        "load_best_model_at_end": False,
        "eval_dataset": None,
        "evaluate_after": (),
        "save_steps": 0,
    }
    return TrainSpec.model_validate({**spec.train.model_dump(), **changes})


class _Watcher(TrainerCallback):
    """Sets the epoch that the order of samples depends on, reports progress, and ends on a cancel."""

    def __init__(self, folder: RunFolder, trainer: ControlledTrainer) -> None:
        self.folder, self.trainer = folder, trainer
        self.cancelled = False

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Set the epoch."""
        assert self.trainer.batches
        self.trainer.batches.epoch = round(state.epoch or 0)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Report the step; stop when a cancel was requested."""
        self.folder.emit(Progress(phase="training", done=state.global_step, total=state.max_steps))
        if self.folder.cancel_requested:
            self.cancelled = control.should_training_stop = True


def _write_arrays(file: Path, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    """Write arrays and move them into place in one step."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    with unfinished.open("wb") as opened:
        np.savez_compressed(opened, allow_pickle=False, **arrays)
    unfinished.replace(file)


def main() -> int:
    """Entry of `python -m backend.influence`."""
    transformers_logging.set_verbosity_warning()
    warnings.filterwarnings("ignore", message=".*pin_memory.*")
    return run_worker(influence)


if __name__ == "__main__":
    sys.exit(main())
