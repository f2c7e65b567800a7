"""Compute the loss over supervised tokens: its sum over a batch, or row by row; stop where it diverges.

B batch, T tokens, K supervised positions, V vocabulary, R rows.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.data.encoding import IGNORED
from backend.kernels.chunked_loss import ChunkedLoss
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
