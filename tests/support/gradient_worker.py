"""Compute the gradients of one optimizer step, by the real trainer on as many processes as it is started on.

    python -m torch.distributed.run --nproc_per_node 2 tests/support/gradient_worker.py SPEC_FOLDER OUT

Rank 0 writes them to OUT as safetensors.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import TrainerCallback

from backend.data.datasets import encode_datasets
from backend.data.templates import Renderer
from backend.modeling.loading import load_for_training
from backend.modeling.methods import make_trainable
from backend.modeling.tokenizers import load_tokenizer
from backend.train import Prepared, make_trainer
from backend.worker import RunFolder, is_main_process
from studio.contract import TrainSpec


class Keep(TrainerCallback):
    """Keeps the gradients that the optimizer is about to use."""

    gradients: dict[str, torch.Tensor]

    def on_pre_optimizer_step(self, *_: Any, model: Any = None, **__: Any) -> None:
        """Copy the gradients, when they are summed over accumulation and devices."""
        self.gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}


def gradients(folder: Path) -> dict[str, torch.Tensor]:
    """Compute the gradients of the first optimizer step of the folder's spec, by parameter name."""
    spec = RunFolder(folder).read_spec()
    assert isinstance(spec, TrainSpec)
    torch.manual_seed(0)
    tokenizer = load_tokenizer(spec.model_name_or_path)
    renderer = Renderer(tokenizer, spec.template)
    training, held_out = encode_datasets(spec, renderer)
    model = make_trainable(load_for_training(spec), spec)
    trainer = make_trainer(folder, spec, Prepared(tokenizer, renderer, training, held_out, model))
    keep = Keep()
    trainer.add_callback(keep)
    trainer.train()
    return keep.gradients


if __name__ == "__main__":
    computed = gradients(Path(sys.argv[1]))
    if is_main_process():
        save_file(computed, sys.argv[2])
