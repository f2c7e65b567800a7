"""Train one run: `python -m backend.train RUN_FOLDER`.

Reads spec.json; writes metrics.jsonl, checkpoints/step_<n>/, and after training the
held-out rows' predictions.jsonl and scores.json; ends with result.json. Started
alone, by `accelerate launch -m` or by `torchrun -m`, it is the same program.
"""

import logging
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    TrainingArguments,
    set_seed,
)
from transformers.utils import logging as transformers_logging

from backend.encoding import Collator, Encoded
from backend.modeling import (
    finished_model,
    load_for_training,
    load_tokenizer,
    make_optimizer,
    make_trainable,
    save_trained,
    uses_bf16,
)
from backend.samples import encode_datasets
from backend.templates import Renderer
from backend.trainer import Reporter, StudioTrainer, memory_gib
from backend.worker import Cancelled, RunFolder, is_main_process, run_worker
from studio.contract import EvaluateSpec, Progress, TrainSpec
from studio.disk import in_one_step

log = logging.getLogger(__name__)


def train(folder: RunFolder) -> dict[str, Any]:
    """Do what the folder's spec says; the fields of Result that training knows."""
    spec = folder.read_spec()
    assert isinstance(spec, TrainSpec), spec.kind
    set_seed(spec.seed)
    folder.emit(Progress(phase="loading"))
    tokenizer = load_tokenizer(spec.model_name_or_path)
    renderer = Renderer(tokenizer, spec.template)
    training, held_out = encode_datasets(spec, renderer)
    model = make_trainable(load_for_training(spec), spec)
    log.info("template %s", renderer.name)

    save = CheckpointWriter(folder, spec, model, tokenizer, renderer)
    reporter = Reporter(folder, save, spec.save_steps)
    trainer = StudioTrainer(
        model=model,
        args=training_arguments(spec, folder.path, has_held_out=bool(held_out.samples)),
        data_collator=Collator(pad_token_id=tokenizer.pad_token_id),
        train_dataset=training.samples,
        eval_dataset=held_out.samples or None,
        processing_class=tokenizer,
        callbacks=[reporter],
        optimizers=(make_optimizer(model, spec), None),
    )
    # The numbers go to metrics.jsonl; the Trainer's own printing would fill the log.
    trainer.remove_callback(PrinterCallback)
    reporter.trainer = trainer
    outcome = trainer.train()
    folder.emit(Progress(phase="saving"))
    save(trainer.state.global_step)
    if reporter.cancelled:
        raise Cancelled
    if is_main_process() and spec.stage == "sft" and held_out.samples and spec.evaluate_after:
        finished = finished_model(
            trainer.accelerator.unwrap_model(model), spec, save.path(trainer.state.global_step)
        )
        evaluate_after(folder, spec, finished, renderer, held_out)
    return {
        "train_loss": outcome.training_loss,
        "left_out": tuple(training.left_out),
        "shortened": tuple(training.shortened),
        "peak_memory_gib": memory_gib(),
    }


def training_arguments(spec: TrainSpec, output: Path, *, has_held_out: bool) -> TrainingArguments:
    """The spec in the Trainer's words. Checkpoints are ours, so it saves none."""
    evaluation: dict[str, Any] = {"eval_strategy": "no"}
    if has_held_out:
        evaluation = (
            {"eval_strategy": "steps", "eval_steps": spec.eval_steps}
            if spec.eval_steps
            else {"eval_strategy": "epoch"}
        )
    return TrainingArguments(
        output_dir=str(output),
        learning_rate=spec.learning_rate,
        optim=spec.optim,
        num_train_epochs=spec.num_train_epochs,
        max_steps=spec.max_steps,
        per_device_train_batch_size=spec.per_device_train_batch_size,
        per_device_eval_batch_size=2 * spec.per_device_train_batch_size,
        gradient_accumulation_steps=spec.gradient_accumulation_steps,
        lr_scheduler_type=spec.lr_scheduler_type,
        warmup_steps=spec.warmup_ratio,
        weight_decay=spec.weight_decay,
        max_grad_norm=spec.max_grad_norm,
        seed=spec.seed,
        logging_steps=spec.logging_steps,
        bf16=uses_bf16(spec.bf16),
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        # Rows of like length share a batch: less padding, same rows per epoch.
        train_sampling_strategy="group_by_length",
        dataloader_pin_memory=torch.cuda.is_available(),
        **evaluation,
    )


class CheckpointWriter:
    """Saves what is trained as checkpoints/step_<n>/, whole or not at all."""

    def __init__(
        self,
        folder: RunFolder,
        spec: TrainSpec,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        renderer: Renderer,
    ) -> None:
        self.folder, self.spec, self.model, self.tokenizer, self.renderer = (
            folder,
            spec,
            model,
            tokenizer,
            renderer,
        )

    def path(self, step: int) -> Path:
        """Where the checkpoint of this step is, or will be."""
        return self.folder.path / "checkpoints" / f"step_{step:06d}"

    def __call__(self, step: int) -> None:
        """Write the checkpoint of this step, unless it is there or another process writes it."""
        target = self.path(step)
        if target.exists() or not is_main_process():
            return
        with in_one_step(target) as unfinished:
            try:
                self._save(unfinished)
            except SafetensorError as error:
                raise as_os_error(error) from error
        log.info("checkpoint %s", target.name)

    def _save(self, unfinished: Path) -> None:
        model: PreTrainedModel = self.model
        model.config.use_cache = True  # the Trainer switched it off; whoever loads this wants it
        save_trained(model, unfinished, self.spec)
        # The checkpoint carries the template it was trained with, not the hub's.
        self.tokenizer.chat_template = self.renderer.chat_template
        self.tokenizer.save_pretrained(unfinished)


def as_os_error(error: SafetensorError) -> OSError | SafetensorError:
    """The operating system's error that safetensors tells only in words; any other as it is."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(number[1]), str(error)) if number else error


def evaluate_after(
    folder: RunFolder, spec: TrainSpec, model: PreTrainedModel, renderer: Renderer, held_out: Encoded
) -> None:
    """Answer and score the held-out rows with the model that is loaded already."""
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
            rows=held_out.rows,
            train_dataset=spec.dataset,
            limit=spec.eval_limit,
            max_new_tokens=spec.max_new_tokens,
        ),
        spec.evaluate_after,
    )


def main() -> int:
    """Entry of `python -m backend.train`."""
    transformers_logging.set_verbosity_warning()
    warnings.filterwarnings("ignore", message=".*pin_memory.*")
    return run_worker(train)


if __name__ == "__main__":
    sys.exit(main())
