"""What we rely on of transformers without its promise: an upgrade that takes it away fails here, by name."""

import ast
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedConfig, Trainer, TrainingArguments

import backend
from backend.training.arguments import OneDeviceArguments
from backend.training.trainer import StudioTrainer

PRIVATE = {
    "_clip_grad_norm": (Trainer, "the share of clipped steps is counted in it"),
    "_save_checkpoint": (Trainer, "a checkpoint of ours is written where the Trainer would write its own"),
    "_load_from_checkpoint": (Trainer, "a resumed run takes its weights from our checkpoint"),
    "_attn_implementation": (PreTrainedConfig, "it says whether varlen attention may take the place of sdpa"),
}
OWN = {
    "pending_loss", "take_loss", "mean_loss", "on_device", "point", "_loader",
    "category_accuracy", "save", "load",
}  # fmt: skip


@pytest.mark.parametrize("name", PRIVATE)
def test_the_private_part_is_still_there(name):
    owner, why = PRIVATE[name]
    assert hasattr(owner, name), f"transformers has no {owner.__name__}.{name} any more, and {why}"


@pytest.mark.parametrize("name", sorted(name for name in vars(StudioTrainer) if not name.startswith("__")))
def test_what_we_override_is_still_called_so(name):
    is_there = hasattr(Trainer, name)
    assert is_there != (name in OWN), f"Trainer.{name}: {'taken' if is_there else 'gone, nothing calls ours'}"


def test_the_trainer_still_asks_whether_the_loss_is_divided_already():
    names = set(Trainer.training_step.__code__.co_names) | set(Trainer.__init__.__code__.co_names)
    assert "model_accepts_loss_kwargs" in names, "Trainer would divide our loss by the accumulated batches"


def test_one_process_counts_one_gpu_at_most(tmp_path):
    arguments = OneDeviceArguments(output_dir=str(tmp_path), use_cpu=not torch.cuda.is_available())
    assert arguments.n_gpu <= 1
    assert isinstance(TrainingArguments.n_gpu, property)
    assert arguments.train_batch_size == arguments.per_device_train_batch_size


def test_no_other_private_part_of_the_trainer_is_used():
    folder = Path(backend.__file__).parent
    used = {name for file in folder.rglob("*.py") for name in private_names(ast.parse(file.read_text()))}
    assert used == {name for name in PRIVATE if name == "_clip_grad_norm"}


def private_names(tree):
    """Private attributes that are asked of a trainer, its arguments or `super()`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            source = ast.unparse(node.value)
            if source in ("super()", "args") or source.endswith(("trainer", "trainer.args", "self.args")):
                yield node.attr
