"""Peak GPU memory of real trainings beside the estimate that the Train page shows.

    python -m benchmarks.gpu.memory --work /scratch [--shapes 0.5B 1.5B 7B]

Random-initialised Qwen2 shapes: LoRA, QLoRA in 4 bit, and full where the card holds it; two
lengths, two batch sizes, three steps of `backend.train`'s own trainer. Measured is what the
driver gives away, context included; allocated and reserved are torch's own peaks. Nothing
else may use the card meanwhile.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from tests.support.training_methods import METHODS

TOLD = ("lora", "qlora4", "full")
"""What is measured where nothing else is asked for."""
LENGTHS, BATCHES = (256, 1024), (2, 8)
COLUMNS = ("allocated_gib", "reserved_gib", "device_gib")


def main() -> None:
    """Run every case, print measured and estimated."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="Folder for weights.")
    parser.add_argument("--shapes", nargs="+", default=["0.5B", "1.5B", "7B"])
    parser.add_argument("--methods", nargs="+", default=TOLD, choices=METHODS)
    parser.add_argument("--only", help="Inner use: shape and method as JSON.")
    options = parser.parse_args()
    if options.only:
        run(options.work, *json.loads(options.only))
        return
    print(
        f"{'shape':<6}{'method':<8}{'length':>7}{'batch':>6}"
        f"{'alloc':>8}{'resv':>8}{'device':>8}  estimate ratio"
    )
    worst = 0.0
    for shape in options.shapes:
        for method in options.methods:
            if method == "full" and shape == "7B":
                continue
            for facts in measured(options.work, shape, method):
                worst = max(worst, print_case(options.work, shape, method, facts))
    print(f"largest deviation {worst:.0%}")


def print_case(work: Path, shape: str, method: str, facts: dict[str, Any]) -> float:
    """One line of the table; how far the estimate is off, as a share."""
    name = f"{shape:<6}{method:<8}{facts['length']:>7}{facts['batch']:>6}"
    if "error" in facts:
        print(f"{name}  {facts['error']}", flush=True)
        return 0.0
    estimate = estimated(work / shape, method, facts["length"], facts["batch"])
    ratio = float(estimate / facts["device_gib"]) if facts["device_gib"] else float("nan")  # without a GPU
    peaks = "".join(f"{facts[column]:>8.2f}" for column in COLUMNS)
    print(f"{name}{peaks}{estimate:>10.2f}{ratio:>6.2f}", flush=True)
    return abs(ratio - 1)


def measured(work: Path, shape: str, method: str) -> list[dict[str, Any]]:
    """All lengths and batches of one shape and method, in a process of their own."""
    environment = {**os.environ, "PYTORCH_ALLOC_CONF": "expandable_segments:True"}  # as backend sets it
    command = [
        sys.executable,
        "-m",
        "benchmarks.gpu.memory",
        "--work",
        str(work),
        "--only",
        json.dumps([shape, method]),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    marked = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    found: list[dict[str, Any]] = [json.loads(line.removeprefix("RESULT ")) for line in marked]
    if done.returncode:
        error = (done.stderr.strip().splitlines() or ["no output"])[-1][:120]
        found.append({"length": 0, "batch": 0, "error": error})
    return found


def estimated(model: Path, method: str, length: int, batch: int) -> float:
    """Estimate as the studio does beforehand."""
    from studio.training.memory import estimate
    from studio.training.memory_fit import model_shape

    return estimate(spec_of(model, method, length, batch), model_shape(model)).total_gib


def spec_of(model: Path, method: str, length: int, batch: int) -> Any:
    """Build the training of a case."""
    from tests.support.training_methods import benchmark_spec

    return benchmark_spec(
        model,
        model,
        cutoff_len=length,
        per_device_train_batch_size=batch,
        max_steps=3,
        **{"gradient_checkpointing": False} | METHODS[method],
    )


def run(work: Path, shape: str, method: str) -> None:
    """Train three steps on random rows of exactly each length; a line for each case."""
    from benchmarks.gpu.our_training import build, forget, memory
    from tests.support.model_shapes import SHAPES, save_random_model

    model = work / shape
    if not (model / "config.json").exists():
        save_random_model(SHAPES[shape], model)
    for length in LENGTHS:
        for batch in BATCHES:
            forget()
            draw = torch.Generator().manual_seed(0)
            samples = []
            for _ in range(3 * batch):
                ids = torch.randint(10, 12_000, (length,), generator=draw)
                samples.append({"input_ids": ids, "labels": ids.clone(), "weights": torch.ones(length)})
            trainer = build(spec_of(model, method, length, batch), samples)
            trainer.train()
            print("RESULT " + json.dumps({"length": length, "batch": batch, **memory()}), flush=True)
            del trainer


if __name__ == "__main__":
    main()
