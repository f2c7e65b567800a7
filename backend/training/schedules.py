"""Fill in and check the options of transformers' learning-rate schedules.

Two of them refuse to start without a number, which gets a sound default here.
"""

import inspect
from typing import Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau
from transformers import get_scheduler, optimization
from transformers.trainer_utils import SchedulerType

from studio.contract import TrainSpec
from studio.errors import InputError
from studio.language import say

LOWEST_SHARE = 0.1
"""Default lowest rate of a schedule that has one, as a share of the peak."""
DECAY_SHARE = 0.2
"""Default share of the steps in which warmup_stable_decay falls."""
WATCHING = ("reduce_lr_on_plateau", "greedy")
"""Schedules that follow the held-out loss instead of the steps."""
NOT_OPTIONS = {"optimizer", "num_warmup_steps", "num_training_steps", "last_epoch", "kwargs", "verbose"}


def schedule_options(name: str, given: dict[str, float], total_steps: int) -> dict[str, Any]:
    """Fill in the options of the schedule `name`; whole numbers as int."""
    options: dict[str, Any] = {key: int(v) if float(v).is_integer() else v for key, v in given.items()}
    if name in ("cosine_with_min_lr", "cosine_warmup_with_min_lr") and not options.keys() & {
        "min_lr",
        "min_lr_rate",
    }:
        options["min_lr_rate"] = LOWEST_SHARE
    if name == "warmup_stable_decay":
        options.setdefault("num_decay_steps", max(1, round(DECAY_SHARE * total_steps)))
    return options


def require_schedule(spec: TrainSpec) -> None:
    """Build the spec's schedule on a dummy optimizer, before a model is loaded for it.

    Raises:
        InputError: lr_scheduler_kwargs has an option that it does not take, it needs a held-out
            loss and there is none, or the installed transformers lacks it.
    """
    name = spec.lr_scheduler_type
    if name in WATCHING and not spec.has_held_out:
        raise InputError(
            say(f"{name} 需要留出集的损失。", f"{name} needs a held-out loss."),
            remedy=say("请填写 eval_dataset 或 val_size。", "Give eval_dataset or val_size."),
        )
    if name not in {kind.value for kind in SchedulerType}:
        raise InputError(
            say(
                f"安装的 transformers 没有调度 {name}。",
                f"The installed transformers has no schedule {name}.",
            ),
            remedy=say(
                "请升级 transformers，或换一个调度。", "Upgrade transformers, or choose another schedule."
            ),
        )
    names = _names_of(name)
    dummy = torch.optim.SGD([torch.zeros(1)], lr=spec.learning_rate)
    try:
        # A constant rate takes none, and transformers would ignore them silently.
        if unknown := [key for key in spec.lr_scheduler_kwargs if key not in names]:
            raise ValueError(", ".join(unknown))
        get_scheduler(
            name,
            dummy,
            num_warmup_steps=1,
            num_training_steps=100,
            scheduler_specific_kwargs=schedule_options(name, spec.lr_scheduler_kwargs, 100),
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            say(
                f"调度 {name} 不能用这些 lr_scheduler_kwargs：{error}",
                f"The schedule {name} cannot use these lr_scheduler_kwargs: {error}",
            ),
            remedy=say(
                f"它可以接受：{'、'.join(names) or '无'}。", f"It takes: {', '.join(names) or 'none'}."
            ),
        ) from error


def _names_of(name: str) -> list[str]:
    """List the options that a schedule takes."""
    classes = {"reduce_lr_on_plateau": ReduceLROnPlateau, "greedy": getattr(optimization, "GreedyLR", None)}
    function: Any = classes.get(name) or optimization.TYPE_TO_SCHEDULER_FUNCTION[SchedulerType(name)]
    parameters = inspect.signature(function).parameters
    return [
        key
        for key, parameter in parameters.items()
        if key not in NOT_OPTIONS and not isinstance(parameter.default, str)
    ]
