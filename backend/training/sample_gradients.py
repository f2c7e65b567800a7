"""Compute the gradient of each sample with respect to the LoRA matrices, sketched to a fixed length.

The gradient of a linear layer's weight for one sample is the sum over its tokens of the output's gradient
times the input (Goodfellow 2015, arXiv 1510.01799). One backward pass of the summed loss of a padded batch
therefore gives all of them: no loop over samples, and nothing assumed about the model but that its LoRA
matrices are linear layers. Each matrix's gradient is folded, with random signs, into a number of sums (a
count sketch: Charikar et al. 2002): inner products stay right on average, and n samples take n x length
numbers however large the model is.

B batch, T tokens, I inputs, O outputs of a layer, N its weights, D length of the sketch.
"""

from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn

from backend.training.losses import summed_loss


@dataclass(frozen=True)
class Block:
    """The part of a sketch that belongs to one LoRA matrix of `size` weights."""

    start: int
    end: int
    size: int


class SampleGradients:
    """Computes sketched per-sample gradients of a model whose LoRA matrices require gradients.

    The same length and seed give the same sketch for every adapter of that shape.

    Args:
        model: with its adapter; frozen weights may be of any type.
        length: of the sketch; each matrix gets an equal part, a small one at most its own size.
        seed: of the signs, and of which weights are added up.
    """

    def __init__(self, model: PeftModel, *, length: int, seed: int = 0) -> None:
        self.model = model.eval()
        self.layers = lora_layers(model)
        each = max(1, length // max(len(self.layers), 1))
        self.blocks: list[Block] = []
        for layer in self.layers:
            start = self.blocks[-1].end if self.blocks else 0
            size = layer.weight.numel()
            self.blocks.append(Block(start, start + min(each, size), size))
        self._folds = [
            _Fold(block, seed + number, layer.weight.device)
            for number, (layer, block) in enumerate(zip(self.layers, self.blocks, strict=True))
        ]

    @property
    def length(self) -> int:
        """Length of a sketched gradient."""
        return self.blocks[-1].end if self.blocks else 0

    def __call__(self, batch: dict[str, Any]) -> Tensor:
        """Compute the gradient of each sample's weighted summed loss, (B, D) in float32.

        `weights` of the batch may be negative: the gradient is then of a difference of losses.
        """
        inputs: dict[nn.Module, Tensor] = {}
        outputs: dict[nn.Module, Tensor] = {}

        def keep(layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
            inputs[layer], outputs[layer] = given[0].detach(), output

        handles = [layer.register_forward_hook(keep) for layer in self.layers]
        try:
            loss, _ = summed_loss(self.model, batch, weighted=True)
        finally:
            for handle in handles:
                handle.remove()
        deltas = torch.autograd.grad(loss, [outputs[layer] for layer in self.layers])
        found_BD = loss.new_zeros(len(batch["input_ids"]), self.length, dtype=torch.float32)
        for layer, delta_BTO, fold, block in zip(self.layers, deltas, self._folds, self.blocks, strict=True):
            gradient_BOI = torch.einsum("bto,bti->boi", delta_BTO.float(), inputs[layer].float())
            found_BD[:, block.start : block.end] = fold(gradient_BOI.flatten(1))
        return found_BD


def lora_layers(model: nn.Module) -> list[nn.Linear]:
    """Find the A and B matrices of the adapter that require gradients, in the model's order."""
    return [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and (".lora_A." in name or ".lora_B." in name)
        and module.weight.requires_grad
    ]


class _Fold:
    """Folds the weights of one matrix into the sums of its block: shuffled, signed, added up in rows.

    Shuffled and folded, not scattered by an index: the sums then come out alike at each run on a GPU.
    """

    def __init__(self, block: Block, seed: int, device: torch.device) -> None:
        self.length = block.end - block.start
        self.is_exact = self.length == block.size
        draw = torch.Generator().manual_seed(seed)
        self.order = torch.randperm(block.size, generator=draw).to(device)
        self.signs = (torch.randint(0, 2, (block.size,), generator=draw) * 2 - 1).to(device, torch.int8)

    def __call__(self, gradient_BN: Tensor) -> Tensor:
        if self.is_exact:
            return gradient_BN
        shuffled_BN = (gradient_BN * self.signs)[:, self.order]
        padded_BN = nn.functional.pad(shuffled_BN, (0, -shuffled_BN.shape[1] % self.length))
        folded_BK: Tensor = padded_BN.unflatten(1, (-1, self.length)).sum(dim=1)
        return folded_BK
