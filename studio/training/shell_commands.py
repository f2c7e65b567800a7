"""Write a training as shell commands to copy."""

import json
import shlex
from typing import Any

from studio.contract import TrainSpec
from studio.training.presets import with_preferences

_WITHOUT_SET = ("format_version", "kind", "model_name_or_path", "dataset_dir")
"""Fields that the command gives by options of its own, or that never change."""


def as_one_line(spec: TrainSpec, base: TrainSpec, *, model: str, dataset: str) -> str:
    """Write `news-studio train` with a `--set` for every setting that differs from the sound default.

    Args:
        spec: the training.
        base: the sound default of that model and dataset, which the command starts from.
        model: the value of `--model`.
        dataset: the value of `--dataset`.
    """
    words = ["news-studio", "train", "--model", model, "--dataset", dataset]
    if spec.learns_preferences:
        # The command starts from these, too, once it reads the stage.
        words += ["--set", f"stage={spec.stage}"]
        base = with_preferences(base, spec.stage)
    for name in TrainSpec.model_fields:
        value = getattr(spec, name)
        if name not in _WITHOUT_SET and value != getattr(base, name):
            words += ["--set", f"{name}={_yaml(value)}"]
    return _wrap(words)


def by_file(file: str = "spec.yaml") -> str:
    """Write `news-studio train` with the settings in a file."""
    return shlex.join(["news-studio", "train", file])


def by_launcher(launcher: str, *, folder: str = "my-run", processes: int = 2) -> str:
    """Write the command of a launcher for several devices: the worker needs only a folder with spec.json.

    Args:
        launcher: accelerate or torchrun.
        folder: the run folder that the command makes.
        processes: one a device.
    """
    start = (
        ["accelerate", "launch", "--num_processes", str(processes), "-m"]
        if launcher == "accelerate"
        else ["torchrun", "--nproc_per_node", str(processes), "-m"]
    )
    make = f"mkdir -p {shlex.quote(folder)} && cp spec.json {shlex.quote(folder)}/"
    return f"{make}\n{shlex.join([*start, 'backend.train', folder])}"


def _wrap(words: list[str]) -> str:
    """Wrap a command to one option with its value a line, so that it can be read."""
    head, rest = words[:2], words[2:]
    pairs = [shlex.join(rest[start : start + 2]) for start in range(0, len(rest), 2)]
    return " \\\n  ".join([shlex.join(head), *pairs])


def _yaml(value: Any) -> str:
    """Format a value as `--set` parses it; a float in as few digits as keep it exact."""
    if value is None or isinstance(value, bool | int | tuple | dict):
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else f"{value:.17g}"
