"""Write a training as shell commands to copy."""

import json
import shlex
from typing import Any

from studio.contract import TrainSpec

_TOLD_APART = ("format_version", "kind", "model_name_or_path", "dataset_dir")


def as_one_line(spec: TrainSpec, base: TrainSpec, *, model: str, dataset: str) -> str:
    """`news-studio train` with every setting in which the spec differs from the sound default.

    Args:
        base: the sound default of that model and dataset, which the command starts from.
        model, dataset: how `--model` and `--dataset` find them again.
    """
    words = ["news-studio", "train", "--model", model, "--dataset", dataset]
    for name in TrainSpec.model_fields:
        value = getattr(spec, name)
        if name not in _TOLD_APART and value != getattr(base, name):
            words += ["--set", f"{name}={_yaml(value)}"]
    return _broken(words)


def by_file(file: str = "spec.yaml") -> str:
    """The same with the settings in a file."""
    return shlex.join(["news-studio", "train", file])


def by_launcher(launcher: str, *, folder: str = "my-run", processes: int = 2) -> str:
    """Several devices: a folder with spec.json is all that the worker needs.

    Args:
        launcher: accelerate or torchrun.
    """
    start = (
        ["accelerate", "launch", "--num_processes", str(processes), "-m"]
        if launcher == "accelerate"
        else ["torchrun", "--nproc_per_node", str(processes), "-m"]
    )
    make = f"mkdir -p {shlex.quote(folder)} && cp spec.json {shlex.quote(folder)}/"
    return f"{make}\n{shlex.join([*start, 'backend.train', folder])}"


def _broken(words: list[str]) -> str:
    """One word pair a line, so that the command can be read."""
    head, rest = words[:2], words[2:]
    pairs = [shlex.join(rest[place : place + 2]) for place in range(0, len(rest), 2)]
    return " \\\n  ".join([shlex.join(head), *pairs])


def _yaml(value: Any) -> str:
    """A value as `--set` reads it."""
    if value is None or isinstance(value, bool | int | tuple | dict):
        return json.dumps(value, ensure_ascii=False)
    return (
        f"{value:.17g}"
        if isinstance(value, float) and float(f"{value:g}") != value
        else (f"{value:g}" if isinstance(value, float) else str(value))
    )
