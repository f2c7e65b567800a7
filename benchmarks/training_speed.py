"""Tokens per second of our training loop against plain transformers.Trainer.

    python benchmarks/training_speed.py [--steps 30] [--rounds 3]

The same model, adapter, samples, batch size and optimizer in one process, by turns;
tokens are those of the samples, padding not counted. Prints each round and the ratio
of the medians.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from transformers import DataCollatorForSeq2Seq, PrinterCallback, Trainer, TrainingArguments
from transformers.utils import logging

from backend import rows
from backend.arguments import training_arguments
from backend.encoding import Collator, Sample, encode_all
from backend.modeling import load_model, load_tokenizer, make_trainable
from backend.templates import Renderer
from backend.trainer import StudioTrainer
from studio.contract import TrainSpec
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL


def main() -> None:
    """Train by turns and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.set_verbosity_error()
    spec = TrainSpec(
        model_name_or_path=BUNDLED_MODEL,
        dataset_dir=BUNDLED_DATASET,
        max_steps=options.steps,
        logging_steps=1000,
    )
    tokenizer = load_tokenizer(BUNDLED_MODEL)
    conversations = rows.read_conversations(BUNDLED_DATASET, "train")
    samples = encode_all(Renderer(tokenizer), conversations, cutoff_len=spec.cutoff_len).samples

    speeds: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(options.rounds):
        for name, make in (("plain", plain_trainer), ("ours", our_trainer)):
            with tempfile.TemporaryDirectory() as folder:
                trainer, counter = make(spec, samples, Path(folder), tokenizer)
                trainer.remove_callback(PrinterCallback)
                started = time.perf_counter()
                trainer.train()
                seconds = time.perf_counter() - started
            speeds[name].append(counter() / seconds)
            print(f"{name:<6} {speeds[name][-1]:8.0f} tokens/s")
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    print(
        f"median plain {medians['plain']:.0f}, ours {medians['ours']:.0f} tokens/s, ratio {medians['ours'] / medians['plain']:.2f}"
    )


class CountingCollator:
    """transformers' own collator, counting the tokens that pass through."""

    def __init__(self, tokenizer: Any) -> None:
        self.collate = DataCollatorForSeq2Seq(tokenizer)
        self.tokens = 0

    def __call__(self, features: list[dict[str, Any]]) -> Any:
        self.tokens += sum(len(feature["input_ids"]) for feature in features)
        return self.collate(
            [{key: feature[key].tolist() for key in ("input_ids", "labels")} for feature in features]
        )


def plain_trainer(
    spec: TrainSpec, samples: list[Sample], folder: Path, tokenizer: Any
) -> tuple[Trainer, Any]:
    """transformers.Trainer as its documentation shows it."""
    collator = CountingCollator(tokenizer)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=spec.max_steps,
        per_device_train_batch_size=spec.per_device_train_batch_size,
        learning_rate=spec.learning_rate,
        logging_steps=spec.logging_steps,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    model = make_trainable(load_model(spec.model_name_or_path), spec)
    return Trainer(
        model=model, args=arguments, train_dataset=samples, data_collator=collator
    ), lambda: collator.tokens


def our_trainer(spec: TrainSpec, samples: list[Sample], folder: Path, tokenizer: Any) -> tuple[Trainer, Any]:
    """The trainer of backend.train."""
    trainer = StudioTrainer(
        model=make_trainable(load_model(spec.model_name_or_path), spec),
        args=training_arguments(spec, folder, has_held_out=False),
        data_collator=Collator(pad_token_id=tokenizer.pad_token_id),
        train_dataset=samples,
        processing_class=tokenizer,
    )
    return trainer, lambda: int(trainer.seen[0])


if __name__ == "__main__":
    main()
