"""One training run of LLaMA-Factory, timed step by step; runs in its own environment, never in ours.

    python benchmarks/training/llamafactory_training.py ARGUMENTS.json RESULT.json

Knows nothing of News Studio. The result holds each step's loss and end time, the
processor's seconds until then, the token ids that it trained on, and the peak of GPU memory.
"""

import importlib.util
import json
import os
import sys
import time
import types
from pathlib import Path
from typing import Any

os.environ |= {
    "DISABLE_VERSION_CHECK": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "PYTORCH_ALLOC_CONF": "expandable_segments:True",
}

import torch
import transformers

if importlib.util.find_spec("torchaudio") is None:
    # Imported at the top of its mm_plugin, used for sound only.
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")

from llamafactory.train.tuner import run_exp  # type: ignore[import-not-found]


class Timer(transformers.TrainerCallback):
    """Notes the end of every step and its loss."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.busy: list[float] = []
        self.losses: list[float] = []
        self.rows: list[list[int]] = []

    def on_train_begin(
        self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **_: Any
    ) -> None:
        dataset = train_dataloader.dataset if train_dataloader is not None else []
        self.rows = [list(row["input_ids"]) for row in dataset]
        self.tick()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.tick()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))

    def tick(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())
        self.busy.append(time.process_time())


def main() -> None:
    arguments, result = (Path(name) for name in sys.argv[1:3])
    timer = Timer()
    try:
        run_exp(json.loads(arguments.read_text()), callbacks=[timer])
        error = ""
    except Exception as failure:  # noqa: BLE001  whatever it dies of is the answer
        import traceback

        traceback.print_exc()
        error = f"{type(failure).__name__}: {failure}"[:500]
    from importlib.metadata import version

    facts = {
        "error": error,
        "ends": timer.ends,
        "busy": timer.busy,
        "losses": timer.losses,
        "rows": timer.rows,
        "versions": {name: version(name) for name in ("llamafactory", "transformers", "peft", "torch")},
        "allocated_gib": torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0,
        "reserved_gib": torch.cuda.max_memory_reserved() / 2**30 if torch.cuda.is_available() else 0.0,
    }
    result.write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
