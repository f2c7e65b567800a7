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

from backend import rows
from backend.encoding import Collator, Encoded, encode_all, pack_texts, without_chain
from backend.modeling import (
    load_model,
    load_tokenizer,
    make_optimizer,
    make_trainable,
    name_base_in_adapter,
    uses_bf16,
)
from backend.templates import Renderer
from backend.trainer import Reporter, StudioTrainer, memory_gib
from backend.worker import Cancelled, RunFolder, is_main_process, run_worker
from studio.contract import EvaluateSpec, Progress, TrainSpec
from studio.disk import in_one_step
from studio.errors import InputError
from studio.language import say

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
    if not training.samples:
        raise InputError(
            say("没有一条样本可以训练。", "Not one sample is left to train on."),
            remedy=say("请增大 cutoff_len，或检查数据集。", "Raise cutoff_len, or check the data set."),
        )
    model = make_trainable(load_model(spec.model_name_or_path), spec)
    log.info(
        "template %s, %d samples, %d left out", renderer.name, len(training.samples), len(training.left_out)
    )

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
        evaluate_after(folder, spec, trainer.accelerator.unwrap_model(model), renderer)
    return {
        "train_loss": outcome.training_loss,
        "left_out": tuple(training.left_out),
        "peak_memory_gib": memory_gib(),
    }


def encode_datasets(spec: TrainSpec, renderer: Renderer) -> tuple[Encoded, Encoded]:
    """The training rows and the held-out rows as samples."""
    names = [spec.dataset, spec.eval_dataset]
    if spec.stage == "pt":
        packed = [list(_packed(spec, renderer, name)) for name in names]
        return Encoded(samples=packed[0]), Encoded(samples=packed[1])
    conversations = [_conversations(spec.dataset_dir, name) for name in names]
    training = encode_all(
        renderer, conversations[0], cutoff_len=spec.cutoff_len, label_weight=spec.label_weight
    )
    held_out = encode_all(renderer, conversations[1], cutoff_len=spec.cutoff_len)
    # A seeded draw without replacement: the same rows for the same spec.
    count = round(spec.direct_share * len(conversations[0]))
    drawn = torch.randperm(len(conversations[0]), generator=torch.Generator().manual_seed(spec.seed))[:count]
    direct = [without_chain(conversations[0][int(row)]) for row in drawn]
    training.samples += encode_all(
        renderer, direct, cutoff_len=spec.cutoff_len, label_weight=spec.label_weight
    ).samples
    return training, held_out


def _packed(spec: TrainSpec, renderer: Renderer, name: str | None) -> Any:
    if name is None or (name != spec.dataset and not rows.has_entry(spec.dataset_dir, name)):
        return iter(())
    return pack_texts(renderer, rows.read_texts(spec.dataset_dir, name), cutoff_len=spec.cutoff_len)


def _conversations(dataset_dir: Path, name: str | None) -> list[Any]:
    return rows.read_conversations(dataset_dir, name) if name else []


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

    def __call__(self, step: int) -> None:
        """Write the checkpoint of this step, unless it is there or another process writes it."""
        target = self.folder.path / "checkpoints" / f"step_{step:06d}"
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
        model.save_pretrained(unfinished)
        # The checkpoint carries the template it was trained with, not the hub's.
        self.tokenizer.chat_template = self.renderer.chat_template
        self.tokenizer.save_pretrained(unfinished)
        name_base_in_adapter(unfinished, self.spec.model_name_or_path)


def as_os_error(error: SafetensorError) -> OSError | SafetensorError:
    """The operating system's error that safetensors tells only in words; any other as it is."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(number[1]), str(error)) if number else error


def evaluate_after(folder: RunFolder, spec: TrainSpec, model: Any, renderer: Renderer) -> None:
    """Answer and score the held-out rows with the model that is loaded already."""
    # Here, not above: scoring brings scikit-learn and jieba, which training does not need.
    from backend.evaluate import evaluate_model

    merged = model.merge_and_unload() if spec.finetuning_type == "lora" else model
    assert spec.eval_dataset
    evaluate_model(
        folder,
        merged.eval(),
        renderer,
        EvaluateSpec(
            model_name_or_path=spec.model_name_or_path,
            template=spec.template,
            dataset_dir=spec.dataset_dir,
            dataset=spec.eval_dataset,
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
