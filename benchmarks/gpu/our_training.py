"""Our training path as the GPU benchmarks drive it: built like `backend.train`, rows in their given order."""

import gc
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, set_seed

from backend.data.batching import BatchLayout, BatchSampler, SampleDataset
from backend.data.encoding import Encoded, Sample, encode_all
from backend.data.rows import read_conversations
from backend.data.templates import Renderer
from backend.modeling.loading import load_for_training
from backend.modeling.methods import make_trainable
from backend.modeling.tokenizers import load_tokenizer
from backend.train import Prepared, make_trainer
from backend.training.controlled_trainer import ControlledTrainer
from studio.contract import TrainSpec


class Timer(TrainerCallback):
    """Notes the end of every step and its loss."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.losses: list[float] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self.tick()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Stop the clock when the GPU is done."""
        self.tick()

    def on_log(self, *_: Any, logs: dict[str, float] | None = None, **__: Any) -> None:
        """Keep the loss."""
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))

    def tick(self) -> None:
        """Now, with nothing left to do on the GPU."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())


def encoded_rows(spec: TrainSpec) -> list[Sample]:
    """Encode the rows of the spec as samples, in their order."""
    renderer = Renderer(load_tokenizer(spec.model_name_or_path), spec.template)
    conversations = read_conversations(spec.dataset_dir, spec.dataset)
    return encode_all(renderer, conversations, cutoff_len=spec.cutoff_len).samples


def build(spec: TrainSpec, samples: list[Sample], base: Any = None) -> ControlledTrainer:
    """Build the trainer of `backend.train`, ready to run."""
    set_seed(spec.seed)
    tokenizer = load_tokenizer(spec.model_name_or_path)
    renderer = Renderer(tokenizer, spec.template)
    model = make_trainable(base if base is not None else load_for_training(spec), spec)
    ready = Prepared(tokenizer, renderer, Encoded(samples=samples), Encoded(samples=[]), model)
    trainer = make_trainer(Path(tempfile.mkdtemp()), spec, ready)
    trainer.add_callback(Timer())
    layout = BatchLayout(
        batch_size=spec.per_device_train_batch_size, accumulation=spec.gradient_accumulation_steps
    )
    batches = BatchSampler([len(s["input_ids"]) for s in samples], layout, seed=None, padded=False)
    trainer.batches = batches
    trainer.get_train_dataloader = lambda: trainer._loader(  # type: ignore[method-assign]
        SampleDataset(samples), batches, trainer.data_collator
    )
    return trainer


def measure(trainer: ControlledTrainer, *, profile: bool = False) -> dict[str, Any]:
    """Train; the facts of the run. Memory in GiB."""
    if profile:
        kinds = [torch.profiler.ProfilerActivity.CUDA] if torch.cuda.is_available() else None
        with torch.profiler.profile(activities=kinds) as profiler:
            trainer.train()
        table = profiler.key_averages().table(
            sort_by="self_device_time_total", row_limit=45, max_name_column_width=90
        )
        print(table)
    else:
        trainer.train()
    timer = next(c for c in trainer.callback_handler.callbacks if isinstance(c, Timer))
    return {"ends": timer.ends, "losses": timer.losses, **memory()}


def memory() -> dict[str, float]:
    """Peaks of this process in GiB; `device_gib` is what the driver allocated for it, context included."""
    if not torch.cuda.is_available():
        return {"allocated_gib": 0.0, "reserved_gib": 0.0, "device_gib": 0.0}
    free, total = torch.cuda.mem_get_info()
    return {
        "allocated_gib": torch.cuda.max_memory_allocated() / 2**30,
        "reserved_gib": torch.cuda.max_memory_reserved() / 2**30,
        "device_gib": (total - free - torch.cuda.memory_reserved() + torch.cuda.max_memory_reserved())
        / 2**30,
    }


def forget() -> None:
    """Give everything back, for the next measurement in this process."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
