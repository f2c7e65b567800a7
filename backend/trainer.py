"""The training loop: transformers' Trainer with our loss, our events, our cancel.

B batch, T tokens, K supervised tail, V vocabulary.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from backend.encoding import IGNORED
from backend.worker import RunFolder, is_main_process, peak_memory_gib
from studio.contract import HeldOut, Progress, Step


def summed_loss(model: nn.Module, batch_BT: dict[str, Tensor], *, weighted: bool) -> tuple[Tensor, Tensor]:
    """Cross-entropy over the supervised tokens: its sum in nats, and the sum of their weights.

    The head runs only on the tail of the batch that holds supervised tokens: the
    vocabulary is the widest layer of a small model, and a prompt needs no logits.
    """
    labels_BT, weights_BT = batch_BT["labels"], batch_BT["weights"]
    inputs = {key: value for key, value in batch_BT.items() if key not in {"labels", "weights"}}
    supervised_T = (labels_BT != IGNORED).any(dim=0).nonzero()
    # Position t predicts token t + 1, so the tail starts one before the first supervised token.
    kept = labels_BT.shape[1] - max(int(supervised_T[0]) - 1, 0) if len(supervised_T) else 1
    logits_BKV = model(**inputs, logits_to_keep=kept, use_cache=False).logits
    target_BK = labels_BT[:, -kept:][:, 1:]
    nll = F.cross_entropy(
        logits_BKV[:, :-1].flatten(0, 1).float(), target_BK.flatten(), ignore_index=IGNORED, reduction="none"
    )
    weight = (weights_BT[:, -kept:][:, 1:] * (target_BK != IGNORED)).flatten()
    if not weighted:
        weight = (weight > 0).float()
    return (nll * weight).sum(), weight.sum()


class StudioTrainer(Trainer):
    """Trainer whose loss is the mean over supervised tokens of the whole optimizer step.

    The mean is over accumulated batches and devices together, so that a batch of 8,
    8 batches of 1, and two devices with 4 rows each give the same gradient.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # We divide by the weight of the accumulated batch ourselves.
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True
        self.tokens_seen = 0
        self.training_seconds = 0.0

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Tensor | None]:
        """The batches of one optimizer step, and their total loss weight over all devices."""
        batches = [batch for _, batch in zip(range(num_batches), epoch_iterator, strict=False)]
        if not batches:
            return batches, None
        weight = sum(((b["labels"][:, 1:] != IGNORED) * b["weights"][:, 1:]).sum() for b in batches)
        total = self.accelerator.gather(torch.as_tensor(weight, device=device)).sum()
        return batches, total

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """This batch's share of the mean loss of the optimizer step, in nats per token."""
        assert not return_outputs, "predictions are made by backend.answering"
        mask_BT = inputs.get("attention_mask")
        self.tokens_seen += int(mask_BT.sum()) if mask_BT is not None else inputs["input_ids"].numel()
        loss, weight = summed_loss(model, inputs, weighted=True)
        total = weight if num_items_in_batch is None else num_items_in_batch
        # Gradients are averaged over devices afterwards; the total is over all of them.
        share: Tensor = loss / total * self.accelerator.num_processes
        return share

    @torch.no_grad()
    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Held-out loss: the mean over all supervised tokens of the evaluation rows, in nats."""
        model = self.model
        assert isinstance(model, nn.Module)
        model.eval()
        totals = torch.zeros(2, device=self.args.device)
        for batch in self.get_eval_dataloader():
            with self.compute_loss_context_manager():
                loss, count = summed_loss(model, self._prepare_inputs(batch), weighted=False)
            totals += torch.stack([loss.float(), count])
        model.train()
        loss_sum, tokens = self.accelerator.reduce(totals).tolist()
        metrics = {"eval_loss": loss_sum / max(tokens, 1)}
        self.log(metrics)
        return metrics


class Reporter(TrainerCallback):
    """Turns the Trainer's log into events, and a cancel request into an early stop."""

    def __init__(self, folder: RunFolder, save: Callable[[int], None], save_steps: int) -> None:
        self.folder = folder
        self.save = save
        self.save_steps = save_steps
        self.trainer: StudioTrainer | None = None
        self.cancelled = False
        self.started = time.monotonic()
        self.first_tokens = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock after loading."""
        self.started = time.monotonic()
        self._emit(Progress(phase="training", done=0, total=state.max_steps))

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Look for a cancel request; save a checkpoint when one is due."""
        if self.folder.cancel_requested:
            self.cancelled = True
            control.should_training_stop = True
        elif self.save_steps and state.global_step % self.save_steps == 0:
            self.save(state.global_step)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """One Step or HeldOut event for each line of the Trainer's log."""
        logs: dict[str, Any] = kwargs["logs"]
        epoch = float(state.epoch or 0)
        if "eval_loss" in logs:
            self._emit(HeldOut(step=state.global_step, epoch=epoch, loss=logs["eval_loss"]))
        elif "loss" in logs and self.trainer:
            elapsed = time.monotonic() - self.started
            left = state.max_steps - state.global_step
            self._emit(
                Step(
                    step=state.global_step,
                    total_steps=state.max_steps,
                    epoch=epoch,
                    loss=logs["loss"],
                    learning_rate=logs["learning_rate"],
                    grad_norm=float(logs["grad_norm"]) if "grad_norm" in logs else None,
                    tokens_per_second=self.trainer.tokens_seen / elapsed,
                    tokens_seen=self.trainer.tokens_seen,
                    elapsed_seconds=elapsed,
                    eta_seconds=elapsed / max(state.global_step, 1) * left,
                    memory_gib=memory_gib(),
                )
            )

    def _emit(self, event: Step | HeldOut | Progress) -> None:
        if is_main_process():
            self.folder.emit(event)


def memory_gib() -> float:
    """Highest memory used so far: of the GPU where there is one, else of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return peak_memory_gib()
