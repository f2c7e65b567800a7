"""Extend any transformers Trainer so that our loop control can steer it: batches, sums, held-out loss."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from accelerate.utils import send_to_device  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from transformers import Trainer

from backend.data.batching import BatchLayout, BatchSampler, PackingCollator, SampleDataset
from backend.data.encoding import Sample
from backend.machine import peak_memory_gib
from backend.training.heldout_loss import NUM_SUMS, loss_and_error, row_sums
from backend.training.losses import require_finite, row_losses
from backend.training.schedules import schedule_options
from studio.contract import Step


class ControlledTrainer(Trainer):
    """Trainer that LoopControl can steer: our batches, sums that survive a resume, our held-out loss.

    A base class that goes before any other trainer, TRL's as well; what is learned from a batch
    is the other's. Hooks, set before `train`: `category_accuracy` scores the model in training and returns
    hits and rows of this process; `save` writes a checkpoint when the loop control asks for
    one; `load` restores the trainable weights of a checkpoint's `resume` folder;
    `held_out_collator` makes batches of held-out samples, where the training's are of another kind.
    """

    category_accuracy: Callable[[nn.Module], tuple[int, int]] | None = None
    save: Callable[[], None] | None = None
    load: Callable[[str], None] | None = None
    held_out_collator: Callable[..., Any] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Tokens and samples so far; on the device, so that no step waits for the sum over processes.
        self.seen = torch.zeros(2, dtype=torch.float64, device=self.args.device)
        self.clipped = torch.zeros((), device=self.args.device)
        # Our own sums: the Trainer resets its own in `train`, where a resumed run continues its old ones.
        self.loss_since_point = torch.zeros((), device=self.args.device)
        self.loss_before = 0.0
        self.batches: BatchSampler | None = None

    # Batches

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Load the batches of this process alone; see BatchSampler for their order."""
        layout = BatchLayout(
            batch_size=self.args.per_device_train_batch_size,
            accumulation=self.args.gradient_accumulation_steps,
            processes=self.args.world_size,
            rank=self.args.process_index,
        )
        self.batches = BatchSampler(
            self.training_lengths(),
            layout,
            seed=self.args.seed,
            padded=not isinstance(self.data_collator, PackingCollator),
        )
        return self._loader(self.training_rows(), self.batches, self.data_collator)

    def training_lengths(self) -> list[int]:
        """Count the tokens of each training row."""
        return _lengths(self.train_dataset)

    def training_rows(self) -> Dataset[Any]:
        """Return the training rows by their number, dummies by its complement; see BatchSampler."""
        return SampleDataset(cast("Sequence[Sample]", self.train_dataset))

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        """Load the held-out samples in a fixed order, each on one process."""
        dataset: Any = eval_dataset or self.eval_dataset
        layout = BatchLayout(
            batch_size=self.args.per_device_eval_batch_size,
            processes=self.args.world_size,
            rank=self.args.process_index,
        )
        samples = SampleDataset(cast("Sequence[Sample]", dataset))
        batches = BatchSampler(_lengths(dataset), layout, seed=None, padded=True)
        return self._loader(samples, batches, self.held_out_collator or self.data_collator)

    def _loader(self, rows: Dataset[Any], batches: BatchSampler, collator: Any) -> DataLoader[Any]:
        return DataLoader(
            rows,
            batch_sampler=batches,
            collate_fn=collator,
            pin_memory=self.args.dataloader_pin_memory,
            # Its own generator: an evaluation must not move the random state that dropout draws from.
            generator=torch.Generator().manual_seed(0),
        )

    # Loss

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """Compute the gradients of one batch; its share of the step's loss goes into `loss_since_point`."""
        loss: Tensor = super().training_step(*args, **kwargs)
        self.loss_since_point += loss
        return loss

    def pending_loss(self) -> float:
        """Sum the loss of the steps since the last point, the mean over processes. All must call it."""
        return float(self.accelerator.reduce(self.loss_since_point.clone(), reduction="mean"))

    def take_loss(self) -> float:
        """Return `pending_loss` and begin the next point. All processes must call it."""
        pending = self.pending_loss()
        self.loss_before += pending
        self.loss_since_point.zero_()
        return pending

    def mean_loss(self) -> float:
        """Return the mean loss over all optimizer steps of the run, in nats. All processes must call it."""
        return (self.loss_before + self.pending_loss()) / max(self.state.global_step, 1)

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        norm = super()._clip_grad_norm(model)  # type: ignore[no-untyped-call]
        self.clipped += torch.as_tensor(norm, device=self.clipped.device) > self.args.max_grad_norm
        return norm

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Create transformers' schedule, with the options filled in that it needs."""
        name = self.args.lr_scheduler_type
        given: Any = self.args.lr_scheduler_kwargs or {}
        self.args.lr_scheduler_kwargs = schedule_options(
            getattr(name, "value", name), given, num_training_steps
        )
        return super().create_scheduler(num_training_steps, optimizer)

    def point(
        self, logs: dict[str, Any], *, elapsed: float, loss: float, learning_rate: float, **more: Any
    ) -> Step:
        """Make a point of the curve: this step, what was seen so far, and what the caller measured.

        Args:
            logs: what the Trainer logged.
            elapsed: seconds of training so far.
            loss: in nats per token.
            learning_rate: that the step was taken with.
            **more: other fields of Step.
        """
        state = self.state
        tokens, samples = (int(count) for count in self.seen.tolist())
        return Step(
            step=state.global_step,
            total_steps=state.max_steps,
            epoch=float(state.epoch or 0),
            loss=loss,
            learning_rate=learning_rate,
            grad_norm=float(logs["grad_norm"]) if "grad_norm" in logs else None,
            tokens_per_second=tokens / elapsed,
            tokens_seen=tokens,
            elapsed_seconds=elapsed,
            eta_seconds=elapsed / state.global_step * (state.max_steps - state.global_step),
            memory_gib=peak_memory_gib(),
            samples_seen=samples,
            **more,
        )

    # Held-out rows

    def on_device(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Move a batch to the device that the model is on."""
        moved: dict[str, Any] = send_to_device(batch, self.args.device)
        return moved

    @torch.no_grad()
    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate the held-out rows: mean loss per token in nats, its error, category accuracy."""
        model = self.accelerator.unwrap_model(self.model)
        was_training = model.training
        model.eval()
        totals = torch.zeros(NUM_SUMS + 2, dtype=torch.float64, device=self.args.device)
        for batch in self.get_eval_dataloader():
            with self.compute_loss_context_manager():
                totals[:NUM_SUMS] += row_sums(*row_losses(model, self.on_device(batch)))
        if self.category_accuracy:
            with self.compute_loss_context_manager():
                totals[NUM_SUMS:] = totals.new_tensor(self.category_accuracy(model))
        model.train(was_training)
        totals = self.accelerator.reduce(totals)
        loss, error = loss_and_error(totals[:NUM_SUMS])
        require_finite(loss, self.state.global_step)
        metrics = {"eval_loss": loss}
        if error is not None:
            metrics["eval_loss_error"] = error
        hits, rows = totals[NUM_SUMS:].tolist()
        if rows:
            metrics |= {"eval_category_accuracy": hits / rows, "eval_rows": rows}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    # Checkpoints

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        if self.save:
            self.save()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        assert self.load, "resuming needs a way to load weights"
        self.load(resume_from_checkpoint)


def _lengths(samples: Any) -> list[int]:
    return [len(sample["input_ids"]) for sample in samples]
