"""Train one run: `python -m backend.train RUN_FOLDER`.

Reads spec.json; writes metrics.jsonl, checkpoints/step_<n>/, and after training the
held-out rows' predictions.jsonl and scores.json; ends with result.json. Started again
on the folder of an interrupted run, it resumes from the newest checkpoint that has a
resume state. Started alone, by `accelerate launch -m` or by `torchrun -m`, it is the same
program.
"""

import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import distributed
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, set_seed
from transformers.utils import logging as transformers_logging

from backend.data.datasets import encode_datasets, encode_preferences
from backend.data.encoding import Encoded
from backend.data.pairs import EncodedPairs, require_pairs
from backend.data.templates import Renderer
from backend.kernels.speedups import fuse_modules, patch_model
from backend.machine import device_name, peak_memory_gib
from backend.modeling.adapters import require_fitting
from backend.modeling.loading import load_for_training, load_model, on_device
from backend.modeling.methods import finished_model, make_trainable
from backend.modeling.optimizers import make_optimizer
from backend.modeling.tokenizers import load_tokenizer
from backend.training.arguments import require_launcher, require_optimizer, training_arguments
from backend.training.category_accuracy import category_scoring
from backend.training.checkpoints import Checkpoints, damaged_checkpoints, newest_resumable, state_of
from backend.training.controlled_trainer import ControlledTrainer
from backend.training.gradient_checkpointing import use_gradient_checkpointing
from backend.training.loop_control import LoopControl, StopRequest
from backend.training.packing_check import collator_for
from backend.training.provenance import Hashing, code_version, dataset_files, model_files
from backend.training.resume import load_weights, truncate_curve
from backend.training.schedules import require_schedule
from backend.training.trainer import StudioTrainer
from backend.worker import Cancelled, PartFolder, Paused, RunFolder, is_main_process, run_worker
from studio.contract import DAMAGED, START, DamagedCheckpoints, EvaluateSpec, Progress, TrainSpec
from studio.language import say

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """What a training starts from: the encoded rows and the model whose weights will change."""

    tokenizer: PreTrainedTokenizerBase
    renderer: Renderer
    training: Encoded | EncodedPairs
    held_out: Encoded
    model: Any


def train(
    folder: RunFolder, load: Callable[[TrainSpec], PreTrainedModel] = load_for_training
) -> dict[str, Any]:
    """Train the folder's run; return the fields of Result that training knows.

    Args:
        folder: with a TrainSpec as its spec.json.
        load: loads the base model, which training may change.
    """
    spec = folder.read_spec()
    assert isinstance(spec, TrainSpec), spec.kind
    if spec.learns_preferences:
        require_pairs(spec)
        score_start(folder, spec)
    ready = prepare(folder, spec, load)
    hash_sources(folder, spec)
    return train_prepared(folder, spec, ready)


def prepare(folder: RunFolder, spec: TrainSpec, load: Callable[[TrainSpec], PreTrainedModel]) -> Prepared:
    """Encode the rows and load the model, after checking what would fail later."""
    require_launcher()
    require_optimizer(spec)
    require_schedule(spec)
    require_adapters(folder, spec)
    set_seed(spec.seed)
    folder.emit(Progress(phase="loading"))
    tokenizer = load_tokenizer(spec.model_name_or_path)
    renderer = Renderer(tokenizer, spec.template)
    training, held_out = (
        encode_preferences(spec, renderer) if spec.learns_preferences else encode_datasets(spec, renderer)
    )
    base = load(spec)
    # Again: what loading draws must not decide where an adapter starts.
    set_seed(spec.seed)
    model = make_trainable(base, spec)
    log.info("template %s", renderer.name)
    return Prepared(tokenizer, renderer, training, held_out, model)


def require_adapters(folder: RunFolder, spec: TrainSpec) -> None:
    """Refuse to train on, or to resume from, an adapter that does not fit the base as it now is.

    Raises:
        ModelUnusable: see require_fitting.
    """
    resumed = newest_resumable(folder.path)
    is_adapter = resumed is not None and (resumed / "adapter_config.json").is_file()
    for adapter in (spec.adapter_name_or_path, resumed if is_adapter else None):
        require_fitting(adapter, spec.model_name_or_path)


def train_prepared(folder: RunFolder, spec: TrainSpec, ready: Prepared) -> dict[str, Any]:
    """Train a prepared model, from the start or resumed; evaluate it afterwards."""
    unusual_rows = {
        "left_out": tuple(ready.training.left_out),
        "shortened": tuple(ready.training.shortened) if isinstance(ready.training, Encoded) else (),
    }
    folder.known |= unusual_rows
    checkpoints = Checkpoints(folder, spec, ready.model, ready.tokenizer, ready.renderer)
    trainer = make_trainer(folder.path, spec, ready)
    loop = LoopControl(folder, spec, trainer, checkpoints)
    try:
        train_loss = run_loop(loop, ready)
        evaluated = spec.stage != "pt" and bool(ready.held_out.samples and spec.evaluate_after)
        if evaluated and folder.pause_requested:
            raise Paused(say("已按要求暂停。", "Paused as requested."))
        if evaluated and is_main_process():
            finished = finished_model(ready.model, spec, checkpoints.path(loop.end_step))
            evaluate_after(folder, spec, finished, ready.renderer, ready.held_out.rows)
    except Cancelled:
        if folder.discard_requested:
            checkpoints.discard()
            for name in ("checkpoint", "best_checkpoint"):
                folder.known.pop(name, None)
        raise
    checkpoints.drop_resume_states()
    return {"train_loss": train_loss, "peak_memory_gib": peak_memory_gib(), **unusual_rows}


def make_trainer(output: Path, spec: TrainSpec, ready: Prepared) -> ControlledTrainer:
    """Build the trainer of a prepared model, and move the model to its device."""
    make = _supervised_trainer if isinstance(ready.training, Encoded) else _preference_trainer
    trainer = make(output, spec, ready)
    # The numbers go to metrics.jsonl; the Trainer's own printing would fill the log.
    trainer.remove_callback(PrinterCallback)
    trainer.load = lambda resume: load_weights(ready.model, Path(resume).parent)
    if ready.held_out.samples:
        trainer.category_accuracy = category_scoring(
            spec,
            ready.renderer,
            ready.held_out.rows,
            rank=trainer.args.process_index,
            processes=trainer.args.world_size,
        )
    return trainer


def _supervised_trainer(output: Path, spec: TrainSpec, ready: Prepared) -> ControlledTrainer:
    assert isinstance(ready.training, Encoded)
    lengths = [len(sample["input_ids"]) for sample in ready.training.samples]
    trainer = StudioTrainer(
        model=ready.model,
        args=training_arguments(
            spec,
            output,
            has_held_out=bool(ready.held_out.samples),
            checkpointing=use_gradient_checkpointing(ready.model, spec, lengths),
        ),
        train_dataset=ready.training.samples,
        eval_dataset=ready.held_out.samples or None,
        processing_class=ready.tokenizer,
        optimizers=(make_optimizer(ready.model, spec), None),
    )
    is_varlen = patch_model(trainer.model, spec)
    with trainer.compute_loss_context_manager():
        trainer.data_collator = collator_for(
            trainer.model, spec, ready.tokenizer.pad_token_id, varlen=is_varlen
        )
    return trainer


def _preference_trainer(output: Path, spec: TrainSpec, ready: Prepared) -> ControlledTrainer:
    # Here, not above: TRL and datasets take seconds to import.
    from backend.training.preference import preference_trainer

    assert isinstance(ready.training, EncodedPairs)
    lengths = [pair.length for pair in ready.training.pairs]
    trainer = preference_trainer(
        spec,
        output,
        ready.model,
        ready.tokenizer,
        ready.training.pairs,
        ready.held_out.samples,
        checkpointing=use_gradient_checkpointing(ready.model, spec, lengths),
        optimizers=(make_optimizer(ready.model, spec), None),
    )
    # Not varlen attention: TRL's batches are padded.
    fuse_modules(trainer.model)
    return trainer


def score_start(folder: RunFolder, spec: TrainSpec) -> None:
    """Answer the held-out rows with the checkpoint that the training starts from, once; see START.

    Loaded as it is served, so that the answers are those that `news-studio evaluate` gives.
    """
    if not (spec.eval_dataset and spec.evaluate_after and is_main_process()):
        return
    part = PartFolder(folder, START)
    if (part.path / "scores.json").is_file():
        return
    (part.path / "predictions.jsonl").unlink(missing_ok=True)
    require_adapters(folder, spec)
    folder.emit(Progress(phase="loading"))
    tokenizer = load_tokenizer(spec.model_name_or_path)
    model = on_device(load_model(spec.model_name_or_path, spec.adapter_name_or_path))
    evaluate_after(part, spec, model, Renderer(tokenizer, spec.template), None)


def run_loop(loop: LoopControl, ready: Prepared) -> float:
    """Train to the end, from the start or resumed; return the mean loss over all steps, in nats.

    The model then has the weights that the run ends with.

    Raises:
        Cancelled: a cancel was requested.
        Paused: a pause was requested; the run can be resumed from its last checkpoint.
    """
    trainer = loop.trainer
    damaged = damaged_checkpoints(loop.folder.path)
    start = newest_resumable(loop.folder.path)
    if damaged and is_main_process():
        for name, damage in damaged.items():
            log.warning("the checkpoint %s is damaged and passed over: %s", name, damage)
        found = DamagedCheckpoints(damaged=damaged, resumed=start.name if start else None)
        loop.folder.write(DAMAGED, found)
    state = state_of(start) if start else None
    if is_main_process():
        truncate_curve(loop.folder.path / "metrics.jsonl", state.step if state else 0)
        (loop.folder.path / "predictions.jsonl").unlink(missing_ok=True)
    if state:
        log.info("resuming from step %d", state.step)
        loop.resume(state)
    if state and state.finished:
        assert start and state.train_loss is not None
        trainer.state.global_step, train_loss = state.step, state.train_loss
        load_weights(ready.model, start)
    else:
        trainer.train(resume_from_checkpoint=str(start / "resume") if start else None)
        if loop.request == StopRequest.CANCEL:
            raise Cancelled
        if loop.is_pausing:
            raise Paused(loop.pause_reason())
        train_loss = trainer.mean_loss()
        loop.save(train_loss=train_loss)
    loop.restore_best(ready.model)
    return train_loss


def hash_sources(folder: RunFolder, spec: TrainSpec) -> None:
    """Record the provenance of the run in its result; hash dataset and model while it trains."""
    if not is_main_process():
        return
    folder.pending["dataset_sha256"] = Hashing(dataset_files(spec)).wait
    folder.pending["model_sha256"] = Hashing(model_files(spec.model_name_or_path)).wait
    known = {"device": device_name(), "code": code_version()}
    folder.known["versions"] = {name: value for name, value in known.items() if value}


def evaluate_after(
    folder: RunFolder,
    spec: TrainSpec,
    model: PreTrainedModel,
    renderer: Renderer,
    held_rows: Sequence[int] | None,
) -> None:
    """Answer and score the held-out rows with the model in memory.

    `held_rows` are the rows of `dataset` that val_size holds out; None: all of `eval_dataset`.
    """
    # Here, not above: scoring brings scikit-learn and jieba, which training does not need.
    from backend.evaluate import evaluate_model

    evaluate_model(
        folder,
        model.eval(),
        renderer,
        EvaluateSpec(
            model_name_or_path=spec.model_name_or_path,
            template=spec.template,
            dataset_dir=spec.dataset_dir,
            dataset=spec.eval_dataset or spec.dataset,
            rows=held_rows,
            # Pairs are no rows to learn categories from, as the baseline does.
            train_dataset=None if spec.learns_preferences else spec.dataset,
            limit=spec.eval_limit,
            max_new_tokens=spec.max_new_tokens,
        ),
        spec.evaluate_after,
    )


def main() -> int:
    """Entry of `python -m backend.train`."""
    transformers_logging.set_verbosity_warning()
    warnings.filterwarnings("ignore", message=".*pin_memory.*")
    code = run_worker(train)
    if code == 0 and distributed.is_available() and distributed.is_initialized():
        # Threads of a process group that outlive Python would abort the process.
        distributed.destroy_process_group()
    return code


if __name__ == "__main__":
    sys.exit(main())
