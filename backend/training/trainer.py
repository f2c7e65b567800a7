"""Extend transformers' Trainer: the loss over supervised tokens, our batches, held-out evaluation.

B batch, T tokens, K supervised positions, V vocabulary, R rows.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from accelerate.utils import send_to_device  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer

from backend.data.batching import BatchLayout, BatchSampler, PackingCollator, SampleDataset
from backend.data.encoding import IGNORED
from backend.kernels.chunked_loss import ChunkedLoss
from backend.machine import peak_memory_gib
from backend.training.heldout_loss import NUM_SUMS, loss_and_error, row_sums
from backend.training.schedules import schedule_options
from studio.contract import Step
from studio.errors import InputError
from studio.language import say

NOT_FOR_THE_MODEL = {"labels", "weights"}


def summed_loss(
    model: nn.Module, batch: dict[str, Any], *, weighted: bool, head: ChunkedLoss | None = None
) -> tuple[Tensor, Tensor]:
    """Sum the cross-entropy over the supervised tokens, in nats, and sum their weights.

    The head runs only on the positions of the batch that some row learns from: the
    vocabulary is the widest layer of a small model, and a prompt needs no logits. With
    `head` it runs in chunks.
    """
    labels_BT, weights_BT = batch["labels"], batch["weights"]
    inputs = {key: value for key, value in batch.items() if key not in NOT_FOR_THE_MODEL}
    # Position t predicts token t + 1.
    kept_K = inputs["logits_to_keep"] if "logits_to_keep" in inputs else predicting(labels_BT)
    inputs["logits_to_keep"] = kept_K
    target_BK = labels_BT[:, 1:][:, kept_K]
    weight = (weights_BT[:, 1:][:, kept_K] * (target_BK != IGNORED)).flatten()
    if not weighted:
        weight = (weight > 0).float()
    if head is not None and head.is_chunked:
        hidden_BKH = head.hidden(model, **inputs)
        return head.nll(hidden_BKH.flatten(0, 1), target_BK.flatten().clamp(min=0), weight), weight.sum()
    logits_BKV = model(**inputs, use_cache=False).logits
    nll = F.cross_entropy(
        logits_BKV.flatten(0, 1).float(), target_BK.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return (nll * weight).sum(), weight.sum()


def row_losses(model: nn.Module, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Sum each row's cross-entropy over its supervised tokens, in nats, and count those; (R,) each.

    A row of a padded batch, or a sample of a packed one.
    """
    labels_BT = batch["labels"]
    kept_K = predicting(labels_BT)
    inputs = {key: value for key, value in batch.items() if key not in NOT_FOR_THE_MODEL}
    logits_BKV = model(**{**inputs, "logits_to_keep": kept_K}, use_cache=False).logits
    target_BK = labels_BT[:, 1:][:, kept_K]
    # One row at a time: a vocabulary of single-precision numbers for every token is the largest thing here.
    nll_BK = torch.stack(
        [
            F.cross_entropy(logits_KV.float(), target_K, ignore_index=IGNORED, reduction="none")
            for logits_KV, target_K in zip(logits_BKV, target_BK, strict=True)
        ]
    )
    learned_BK = target_BK != IGNORED
    if "position_ids" not in batch:
        return nll_BK.sum(dim=1), learned_BK.sum(dim=1)
    starts_T = batch["position_ids"][0] == 0
    row_K = (starts_T.cumsum(dim=0) - 1)[kept_K]
    per_row = nll_BK.new_zeros(int(starts_T.sum()))
    return per_row.index_add(0, row_K, nll_BK[0]), per_row.index_add(0, row_K, learned_BK[0].to(nll_BK))


def predicting(labels_BT: Tensor) -> Tensor:
    """Find the positions whose next token is learned in some row, (K,); the first if there are none."""
    kept_K = (labels_BT[:, 1:] != IGNORED).any(dim=0).nonzero()[:, 0]
    return kept_K if len(kept_K) else kept_K.new_zeros(1)


class StudioTrainer(Trainer):
    """Trainer whose loss is the mean over supervised tokens of the whole optimizer step.

    The mean is over accumulated batches and devices together, so that a batch of 8,
    8 batches of 1, and two devices with 4 rows each give the same gradient.

    Hooks, set before `train`: `category_accuracy` scores the model in training and returns
    hits and rows of this process; `save` writes a checkpoint when the loop control asks for
    one; `load` restores the trainable weights of a checkpoint's `resume` folder.
    """

    category_accuracy: Callable[[nn.Module], tuple[int, int]] | None = None
    save: Callable[[], None] | None = None
    load: Callable[[str], None] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # We divide by the weight of the accumulated batch ourselves.
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True
        # Tokens and samples so far; on the device, so that no step waits for the sum over processes.
        self.seen = torch.zeros(2, dtype=torch.float64, device=self.args.device)
        self.clipped = torch.zeros((), device=self.args.device)
        # Our own sums: the Trainer resets its own in `train`, where a resumed run continues its old ones.
        self.loss_since_point = torch.zeros((), device=self.args.device)
        self.loss_before = 0.0
        self.batches: BatchSampler | None = None
        assert isinstance(self.model, nn.Module)
        # As for the loss: frozen half-precision modules take the float32 of trained ones under autocast only.
        with self.compute_loss_context_manager():
            self.head = ChunkedLoss(self.model)

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
            _lengths(self.train_dataset),
            layout,
            seed=self.args.seed,
            padded=not isinstance(self.data_collator, PackingCollator),
        )
        return self._loader(self.train_dataset, self.batches)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        """Load the held-out samples in a fixed order, each on one process."""
        dataset = eval_dataset or self.eval_dataset
        layout = BatchLayout(
            batch_size=self.args.per_device_eval_batch_size,
            processes=self.args.world_size,
            rank=self.args.process_index,
        )
        return self._loader(dataset, BatchSampler(_lengths(dataset), layout, seed=None, padded=True))

    def _loader(self, dataset: Any, batches: BatchSampler) -> DataLoader[Any]:
        return DataLoader(
            SampleDataset(dataset),
            batch_sampler=batches,
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
            # Its own generator: an evaluation must not move the random state that dropout draws from.
            generator=torch.Generator().manual_seed(0),
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Tensor | None]:
        """Take the batches of one optimizer step; sum their loss weight over all devices."""
        batches = [batch for _, batch in zip(range(num_batches), epoch_iterator, strict=False)]
        if not batches:
            return batches, None
        for batch in batches:
            # Here, on the CPU: on a GPU the step would wait for it.
            batch["logits_to_keep"] = predicting(batch["labels"])
        counts = sum((_counts(batch) for batch in batches), start=torch.zeros(3, dtype=torch.float64))
        totals = self.accelerator.reduce(counts.to(device)) if self.args.world_size > 1 else counts.to(device)
        self.seen += totals[1:]
        return batches, totals[0].clamp(min=1).float()

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

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Compute this batch's share of the mean loss of the optimizer step, in nats per token."""
        assert not return_outputs, "predictions are made by backend.engine"
        loss, weight = summed_loss(model, inputs, weighted=True, head=self.head)
        total = weight.clamp(min=1) if num_items_in_batch is None else num_items_in_batch
        # Gradients are averaged over devices afterwards; the total is over all of them.
        share: Tensor = loss / total * self.args.world_size
        return share

    def autocast_smart_context_manager(self, cache_enabled: bool | None = True) -> Any:
        """Extend autocast to the loss: accelerate's own ends with the model, before our head."""
        return self.accelerator.autocast()

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


def require_finite(loss: float, step: int) -> None:
    """Stop where the loss is NaN or infinite: no later step could repair the weights.

    Raises:
        InputError: with the remedy.
    """
    if not math.isfinite(loss):
        raise InputError(
            say(
                f"第 {step} 步时损失不再是数字，训练已发散。",
                f"The loss became NaN or infinite at step {step}: training diverged.",
            ),
            remedy=say(
                "请降低 learning_rate 或 max_grad_norm，从之前的检查点重来。",
                "Lower learning_rate or max_grad_norm, and start again from an earlier checkpoint.",
            ),
        )


def _lengths(samples: Any) -> list[int]:
    return [len(sample["input_ids"]) for sample in samples]


def _counts(batch: dict[str, Any]) -> Tensor:
    """Count loss weight, tokens and samples of a batch, without padding and dummies. (3,)."""
    labels_BT, weights_BT = batch["labels"], batch["weights"]
    real_BT = weights_BT > 0
    loss_weight = (weights_BT * (labels_BT != IGNORED))[:, 1:].sum()
    starts_BT = real_BT & (batch["position_ids"] == 0) if "position_ids" in batch else real_BT[:, :1]
    return torch.stack([loss_weight, real_BT.sum(), starts_BT.sum()]).double()
