"""Train on supervised tokens: the loss is their mean over the whole optimizer step.

B batch, T tokens.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from backend.data.encoding import IGNORED
from backend.kernels.chunked_loss import ChunkedLoss
from backend.training.controlled_trainer import ControlledTrainer
from backend.training.losses import predicting, summed_loss


class StudioTrainer(ControlledTrainer):
    """Trainer whose loss is the mean over supervised tokens of the whole optimizer step.

    The mean is over accumulated batches and devices together, so that a batch of 8,
    8 batches of 1, and two devices with 4 rows each give the same gradient.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # We divide by the weight of the accumulated batch ourselves.
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True
        assert isinstance(self.model, nn.Module)
        # As for the loss: frozen half-precision modules take the float32 of trained ones under autocast only.
        with self.compute_loss_context_manager():
            self.head = ChunkedLoss(self.model)

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


def _counts(batch: dict[str, Any]) -> Tensor:
    """Count loss weight, tokens and samples of a batch, without padding and dummies. (3,)."""
    labels_BT, weights_BT = batch["labels"], batch["weights"]
    real_BT = weights_BT > 0
    loss_weight = (weights_BT * (labels_BT != IGNORED))[:, 1:].sum()
    starts_BT = real_BT & (batch["position_ids"] == 0) if "position_ids" in batch else real_BT[:, :1]
    return torch.stack([loss_weight, real_BT.sum(), starts_BT.sum()]).double()
