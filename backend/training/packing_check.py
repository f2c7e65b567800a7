"""Check whether a model keeps packed samples apart, and choose the collator accordingly.

Found out by trying the model itself, not by a list of names: it depends on the attention,
the positions, the numbers (8-bit products round by what else is in the row) and the
installed transformers.
"""

import logging
from typing import Any

import torch
from torch import Tensor, nn

from backend.data.batching import PackingCollator
from backend.data.encoding import PaddingCollator
from studio.contract import TrainSpec
from studio.language import say

log = logging.getLogger(__name__)

PROBE = ((3, 5, 7, 11, 13, 17), (19, 5, 23, 29))
"""Token ids of two short samples; any two do that differ."""


def collator_for(model: Any, spec: TrainSpec, pad_token_id: int, *, varlen: bool = False) -> Any:
    """Choose the collator for this model, packing or padding, and log why.

    `varlen`: the model's attention takes the sample boundaries.
    """
    is_packed, why = can_pack(model, spec)
    if why:
        log.warning("%s", why)
    log.info("batches are %s", "packed" if is_packed else "padded")
    return PackingCollator(varlen=varlen) if is_packed else PaddingCollator(pad_token_id=pad_token_id)


def can_pack(model: nn.Module, spec: TrainSpec) -> tuple[bool, str]:
    """Whether batches can be packed, and why not where the spec left it open or asked for it."""
    if spec.padding_free is False:
        return False, ""
    if spec.neftune_noise_alpha:
        return False, say(
            "NEFTune 的噪声大小取决于样本长度，因此使用填充批次。",
            "Batches are padded: NEFTune's noise depends on the length of a sample.",
        )
    if spec.padding_free is None and not torch.cuda.is_available():
        return False, ""
    if not separates_samples(model):
        return False, say(
            "首尾相接的样本在该模型里会互相影响，因此使用填充批次。",
            "Batches are padded: in this model, packed samples would influence one another.",
        )
    return True, ""


@torch.no_grad()
def separates_samples(model: nn.Module) -> bool:
    """Whether the second of two samples in one row gets the logits that it gets alone."""
    training = model.training
    model.eval()
    try:
        device = next(model.parameters()).device
        first, second = (torch.tensor(ids, device=device) for ids in PROBE)
        together = _second_logits(model, first, second)
        beside_another = _second_logits(model, first.flip(0), second)
        alone = model(input_ids=second[None], use_cache=False).logits[0].float()
    except (TypeError, ValueError, RuntimeError) as error:
        log.info("packed samples: %s", error)  # it takes no position_ids, for one
        return False
    finally:
        model.train(training)
    # The first comparison runs the same kernels on the same shapes and is strict; the second rounds
    # elsewhere, and the largest of 150,000 logits would show it: hence the norm.
    scale = (alone - alone.mean()).norm()
    moved = float((together - beside_another).norm() / scale)
    apart = float((together - alone).norm() / scale)
    log.info("packed samples: moved by their neighbour %.1e, against alone %.1e", moved, apart)
    return moved <= 1e-4 and apart <= 0.1


def _second_logits(model: nn.Module, first: Tensor, second: Tensor) -> Tensor:
    positions = torch.cat([torch.arange(len(ids), device=first.device) for ids in (first, second)])
    row = torch.cat([first, second])[None]
    logits: Tensor = model(input_ids=row, position_ids=positions[None], use_cache=False).logits
    return logits[0, len(first) :].float()
