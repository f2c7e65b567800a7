"""Run a learning-rate range test: `python -m backend.range_test RUN_FOLDER`.

A short training whose rate rises exponentially from very low to too high; every step is a
Step event, and nothing is kept but the curve. It stops where the loss has clearly turned.
After each step the loss is measured on the same few rows: the losses of the batches
themselves differ more from one another (short answers, long ones) than by the rate.

Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3;
exponential rise and stop as in fastai's finder.
"""

import logging
import math
import sys
import time
import warnings
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.utils import logging as transformers_logging

from backend.data.encoding import Encoded, Sample
from backend.machine import peak_memory_gib
from backend.modeling.loading import load_for_training
from backend.train import make_trainer, prepare
from backend.training.controlled_trainer import ControlledTrainer
from backend.training.losses import summed_loss
from backend.worker import Cancelled, RunFolder, run_worker
from studio.contract import Progress, RangeTestSpec, TrainSpec
from studio.errors import InputError
from studio.language import say
from studio.training.learning_rate import Smoothed, has_turned

log = logging.getLogger(__name__)

PROBES = 24
"""Training samples that the loss is measured on."""


def range_test(folder: RunFolder) -> dict[str, Any]:
    """Run the folder's range test; return the fields of Result that it knows."""
    spec = folder.read_spec()
    assert isinstance(spec, RangeTestSpec), spec.kind
    require_conversations(spec)
    short = short_training(spec)
    ready = prepare(folder, short, load_for_training)
    trainer = make_trainer(folder.path, short, ready)
    # The optimizer's groups start at the lowest rate (LoRA+ groups at their multiple) and rise together.
    optimizer = trainer.optimizer or trainer.create_optimizer()
    trainer.optimizer = optimizer
    rise = spec.highest / spec.lowest
    trainer.lr_scheduler = LambdaLR(optimizer, lambda step: rise ** (step / (spec.steps - 1)))
    assert isinstance(ready.training, Encoded)
    watcher = RisingRate(folder, trainer, draw_probes(ready.training.samples, spec.train.seed))
    trainer.add_callback(watcher)
    trainer.train()
    if watcher.cancelled:
        raise Cancelled
    return {"peak_memory_gib": peak_memory_gib()}


def require_conversations(spec: RangeTestSpec) -> None:
    """Refuse preference pairs: the loss that this test reads is that of supervised tokens.

    Raises:
        InputError: with what to do instead.
    """
    if spec.train.learns_preferences:
        raise InputError(
            say("偏好训练没有学习率测试。", "There is no learning-rate range test for preference pairs."),
            remedy=say(
                "请直接试几个学习率，例如用 sweep 比较 5e-5、1e-4、2e-4。",
                "Try a few rates, such as 5e-5, 1e-4 and 2e-4 in a sweep.",
            ),
        )


def short_training(spec: RangeTestSpec) -> TrainSpec:
    """Derive the training of the test: its steps, nothing evaluated or saved."""
    changes: dict[str, Any] = {
        "max_steps": spec.steps,
        "learning_rate": spec.lowest,
        "lr_scheduler_type": "constant",
        "lr_scheduler_kwargs": {},
        "logging_steps": 1,
        "early_stopping_steps": None,
        "load_best_model_at_end": False,
        "eval_dataset": None,
        "val_size": 0.0,
    }
    return TrainSpec.model_validate({**spec.train.model_dump(), **changes})


def draw_probes(samples: list[Sample], seed: int) -> list[Sample]:
    """Draw the samples to measure on, seeded and without replacement."""
    drawn = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))
    return [samples[int(index)] for index in drawn[:PROBES]]


class RisingRate(TrainerCallback):
    """Emits an event for every step; ends the test where the loss has turned or on a cancel."""

    def __init__(self, folder: RunFolder, trainer: ControlledTrainer, probes: list[Sample]) -> None:
        self.folder, self.trainer, self.probes = folder, trainer, probes
        self.cancelled = False
        self.smoothed = Smoothed()
        self.losses: list[float] = []
        self.started = time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock after loading."""
        self.started = time.monotonic()
        self.folder.emit(Progress(phase="training", total=state.max_steps))

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Set the epoch, which the order of the samples depends on."""
        assert self.trainer.batches
        self.trainer.batches.epoch = round(state.epoch or 0)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Stop when a cancel was requested."""
        if self.folder.cancel_requested:
            self.cancelled = control.should_training_stop = True

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Emit a Step event for each step, with the rate that it was taken with."""
        logs: dict[str, Any] = kwargs["logs"]
        if "loss" not in logs:
            return
        loss = self.measure()
        if math.isfinite(loss):
            self._emit(state, logs, loss)
            self.losses.append(self.smoothed.add(loss))
        if not math.isfinite(loss) or has_turned(self.losses):
            log.info("the loss turned at step %d; the test ends", state.global_step)
            control.should_training_stop = True

    @torch.no_grad()
    def measure(self) -> float:
        """Compute the model's mean loss per supervised token of the probes, in nats."""
        trainer = self.trainer
        model = trainer.accelerator.unwrap_model(trainer.model)
        model.eval()
        total, size = torch.zeros(2, dtype=torch.float64), trainer.args.per_device_train_batch_size
        for start in range(0, len(self.probes), size):
            batch = trainer.on_device(trainer.data_collator(self.probes[start : start + size]))
            with trainer.compute_loss_context_manager():
                loss, count = summed_loss(model, batch, weighted=False)
            total += torch.stack([loss, count]).double().cpu()
        model.train()
        return float(total[0] / total[1])

    def _emit(self, state: TrainerState, logs: dict[str, Any], loss: float) -> None:
        assert self.trainer.lr_scheduler is not None
        factor = self.trainer.lr_scheduler.lr_lambdas[0](state.global_step - 1)
        self.folder.emit(
            self.trainer.point(
                logs,
                elapsed=time.monotonic() - self.started,
                loss=loss,
                learning_rate=self.trainer.args.learning_rate * factor,
            )
        )


def main() -> int:
    """Entry of `python -m backend.range_test`."""
    transformers_logging.set_verbosity_warning()
    warnings.filterwarnings("ignore", message=".*pin_memory.*")
    return run_worker(range_test)


if __name__ == "__main__":
    sys.exit(main())
