"""Save and restore the state that resuming needs, and truncate the curve to it.

    resume/loop.json            LoopState: counts, sums, the best point
    resume/trainable.safetensors    the trained weights as they are in memory, where the checkpoint's own
                                    files are not just that (an adapter is saved under other names)
    resume/optimizer.pt scheduler.pt rng_state.pth trainer_state.json    as transformers names and reads them

The .pt files are read by transformers with weights_only=True.
"""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from transformers.trainer_callback import TrainerState

from backend.training.controlled_trainer import ControlledTrainer

STATE = "loop.json"
WEIGHTS = "trainable.safetensors"


class LoopState(BaseModel):
    """State of the loop. Times in seconds, sums of losses in nats over optimizer steps."""

    model_config = ConfigDict(extra="forbid")

    format_version: int = 1
    step: int
    finished: bool = False
    seconds: float = 0.0
    tokens: float = 0.0
    samples: float = 0.0
    clipped: float = 0.0
    loss_since_point: float = 0.0
    loss_before: float = 0.0
    last_point: int = 0
    best_step: int | None = None
    best_value: tuple[float, float] | None = None
    points_without_better: int = 0
    train_loss: float | None = None


@dataclass(frozen=True)
class ResumeState:
    """The contents of `resume`, collected on all processes and written by the main one."""

    loop: LoopState
    model: nn.Module
    states: dict[str, Any]
    trainer_state: TrainerState | None

    def write(self, resume: Path) -> None:
        """Write everything into the folder of a checkpoint that has its model; the loop's state last.

        Raises:
            OSError: among others when the disk is full.
        """
        resume.mkdir()
        if not _has_every_weight(resume.parent, self.model):
            save_file(trainable_weights(self.model), resume / WEIGHTS)
        for name, state in self.states.items():
            # Through a file of ours: torch.save to a path reports a full disk as a RuntimeError.
            with (resume / name).open("wb") as file:
                torch.save(state, file)
        if self.trainer_state:
            self.trainer_state.save_to_json(str(resume / "trainer_state.json"))
        self.write_loop(resume)

    def write_loop(self, resume: Path) -> None:
        """Write the loop's state alone."""
        unfinished = resume / f".{STATE}.unfinished"
        unfinished.write_text(self.loop.model_dump_json(indent=2) + "\n", encoding="utf-8")
        unfinished.replace(resume / STATE)


def resume_state(trainer: ControlledTrainer, loop: LoopState) -> ResumeState:
    """Collect what resuming after this step needs. All processes must call it."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if loop.finished:
        return ResumeState(loop, model, {}, None)
    assert trainer.optimizer and trainer.lr_scheduler, "collected while training"
    states: dict[str, Any] = {"optimizer.pt": trainer.optimizer.state_dict()}
    states["scheduler.pt"] = trainer.lr_scheduler.state_dict()
    every = gather_object([_random_states()])
    for rank, state in enumerate(every):
        states["rng_state.pth" if len(every) == 1 else f"rng_state_{rank}.pth"] = state
    return ResumeState(loop, model, states, trainer.state)


def _random_states() -> dict[str, Any]:
    """Collect the random states that transformers' Trainer restores, under its names."""
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "cpu": torch.random.get_rng_state(),
    }
    if torch.cuda.is_available():
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        states["cuda"] = (
            torch.cuda.random.get_rng_state_all() if distributed else torch.cuda.random.get_rng_state()
        )
    return states


def trainable_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """Copy the weights that are trained, by name, to the CPU."""
    return {
        name: parameter.detach().cpu().contiguous().clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


@torch.no_grad()
def load_weights(model: nn.Module, checkpoint: Path) -> None:
    """Load a checkpoint's trained weights into the model that they came from."""
    exact = checkpoint / "resume" / WEIGHTS
    missing = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    for file in [exact] if exact.is_file() else _model_files(checkpoint):
        with safe_open(file, framework="pt") as tensors:
            for name in missing.keys() & set(tensors.keys()):
                missing.pop(name).copy_(tensors.get_tensor(name))
    assert not missing, f"{checkpoint} lacks {sorted(missing)[:3]}"


def _has_every_weight(checkpoint: Path, model: nn.Module) -> bool:
    """Whether the checkpoint's own files have every trained weight under its name."""
    saved: set[str] = set()
    for file in _model_files(checkpoint):
        with safe_open(file, framework="pt") as tensors:
            saved |= set(tensors.keys())
    return all(name in saved for name, weight in model.named_parameters() if weight.requires_grad)


def _model_files(checkpoint: Path) -> list[Path]:
    return sorted(checkpoint.glob("model*.safetensors"))


def truncate_curve(metrics: Path, step: int) -> None:
    """Drop the points of metrics.jsonl after this step, and a last line that was cut off."""
    if not metrics.is_file():
        return
    kept = [line for line in metrics.read_text(encoding="utf-8").splitlines() if _is_before(line, step)]
    unfinished = metrics.with_name(f".{metrics.name}.unfinished")
    unfinished.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    unfinished.replace(metrics)


def _is_before(line: str, step: int) -> bool:
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return False
    return event.get("event") not in ("step", "held_out") or event["step"] <= step
