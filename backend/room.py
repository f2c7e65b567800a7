"""Whether a training fits into the memory of the GPU without computing activations twice."""

from collections.abc import Sequence

import torch
from torch import nn

from backend.encoding import Sample
from studio.contract import TrainSpec

ACTIVATION_COPIES = (18, 8)
"""Numbers kept for the backward pass, a token and layer: so many of the hidden and of the inner size."""
SHARE_TO_FILL = 0.85
"""Of the free memory; the rest is for the kernels' workspaces and for fragmentation."""


def computes_twice(model: nn.Module, spec: TrainSpec, samples: Sequence[Sample]) -> bool:
    """Whether gradient checkpointing is on: as the spec says, or only where memory would not do."""
    if spec.gradient_checkpointing is not None:
        return spec.gradient_checkpointing
    if not torch.cuda.is_available():
        return False
    longest = sorted((len(sample["input_ids"]) for sample in samples), reverse=True)
    tokens = sum(longest[: spec.per_device_train_batch_size])
    free, _ = torch.cuda.mem_get_info()
    weights = sum(weight.nbytes for weight in model.parameters())
    return weights + _needed(model, spec, tokens) > SHARE_TO_FILL * free


def _needed(model: nn.Module, spec: TrainSpec, tokens: int) -> int:
    """Bytes beside the weights: activations, logits, gradients and the optimizer's state."""
    config = model.config.get_text_config()  # type: ignore[union-attr,operator]
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    hidden_copies, inner_copies = ACTIVATION_COPIES
    inner = getattr(config, "intermediate_size", 4 * config.hidden_size)
    kept = hidden_copies * config.hidden_size + inner_copies * inner
    activations = tokens * config.num_hidden_layers * kept * 2
    logits = tokens * config.vocab_size * 4 * 2
    state = 2 if "8bit" in spec.optim else 8
    return int(activations + logits + trained * (4 + state))
