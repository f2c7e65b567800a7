"""Peak GPU memory and speed of preference trainings beside the estimate that the Train page shows.

    python -m benchmarks.gpu.preference --work /scratch [--shapes 1.5B] [--stages dpo kto orpo]

A random-initialised Qwen2 shape in bfloat16 with LoRA, pairs of exactly each length, two batch sizes, four
steps of `backend.train`'s own trainer around TRL's. Measured is what the driver gives away, context
included; allocated and reserved are torch's own peaks; tokens a second leave the first step out. Where the
machine has no TRL, carry it: `pip download --no-deps -d wheels trl==1.16.0 datasets==5.2.0 dill==0.4.1
multiprocess==0.70.19 xxhash==4.1.0`, there `pip install --no-index --no-deps wheels/*.whl`. Nothing else may
use the card meanwhile.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

LENGTHS, BATCHES = (256, 1024), (2, 8)
COLUMNS = ("allocated_gib", "reserved_gib", "device_gib")
STEPS = 4


def main() -> None:
    """Run every case, print measured and estimated."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="Folder for weights.")
    parser.add_argument("--shapes", nargs="+", default=["1.5B"])
    parser.add_argument("--stages", nargs="+", default=["dpo", "kto", "orpo"])
    parser.add_argument("--only", help="Inner use: shape and stage as JSON.")
    options = parser.parse_args()
    if options.only:
        run(options.work, *json.loads(options.only))
        return
    print(
        f"{'shape':<6}{'stage':<6}{'length':>7}{'batch':>6}{'alloc':>8}{'resv':>8}{'device':>8}"
        f"  estimate ratio  tokens/s"
    )
    ratios = [
        print_case(options.work, shape, stage, facts)
        for shape in options.shapes
        for stage in options.stages
        for facts in measured(options.work, shape, stage)
    ]
    print(f"largest deviation {max((abs(ratio - 1) for ratio in ratios), default=0):.0%}")


def print_case(work: Path, shape: str, stage: str, facts: dict[str, Any]) -> float:
    """One line of the table; the estimate over what was measured."""
    from studio.training.memory import estimate
    from studio.training.memory_fit import model_shape

    name = f"{shape:<6}{stage:<6}{facts['length']:>7}{facts['batch']:>6}"
    if "error" in facts:
        print(f"{name}  {facts['error']}", flush=True)
        return 1.0
    model = work / shape
    told = estimate(spec_of(model, stage, facts["length"], facts["batch"]), model_shape(model)).total_gib
    ratio = float(told / facts["device_gib"]) if facts["device_gib"] else 1.0  # without a GPU
    peaks = "".join(f"{facts[column]:>8.2f}" for column in COLUMNS)
    print(f"{name}{peaks}{told:>10.2f}{ratio:>6.2f}{facts['tokens_per_second']:>10,.0f}", flush=True)
    return ratio


def measured(work: Path, shape: str, stage: str) -> list[dict[str, Any]]:
    """All lengths and batches of one shape and stage, in a process of their own."""
    environment = {**os.environ, "PYTORCH_ALLOC_CONF": "expandable_segments:True"}  # as backend sets it
    inner = ["--work", str(work), "--only", json.dumps([shape, stage])]
    command = [sys.executable, "-m", "benchmarks.gpu.preference", *inner]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    marked = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    found: list[dict[str, Any]] = [json.loads(line.removeprefix("RESULT ")) for line in marked]
    if done.returncode:
        error = (done.stderr.strip().splitlines() or ["no output"])[-1][:120]
        found.append({"length": 0, "batch": 0, "error": error})
    return found


def spec_of(model: Path, stage: str, length: int, batch: int) -> Any:
    """Build the training of a case."""
    from tests.support.training_methods import benchmark_spec

    return benchmark_spec(
        model,
        model,
        stage=stage,
        allow_few_pairs=True,
        cutoff_len=length,
        per_device_train_batch_size=batch,
        max_steps=STEPS,
        gradient_checkpointing=False,
    )


def run(work: Path, shape: str, stage: str) -> None:
    """Train a few steps on random pairs of exactly each length; a line for each case."""
    from benchmarks.gpu.our_training import forget, memory
    from tests.support.model_shapes import SHAPES, save_random_model

    model = work / shape
    if not (model / "config.json").exists():
        save_random_model(SHAPES[shape], model)
    for length in LENGTHS:
        for batch in BATCHES:
            forget()
            facts = _train(spec_of(model, stage, length, batch), length, batch)
            print("RESULT " + json.dumps({"length": length, "batch": batch, **facts, **memory()}), flush=True)


def _train(spec: Any, length: int, batch: int) -> dict[str, Any]:
    """Train on random pairs whose prompt is a quarter of each answer's sample; tokens a second."""
    from transformers import set_seed

    from backend.data.encoding import Encoded
    from backend.data.pairs import EncodedPairs, TokenPair
    from backend.data.templates import Renderer
    from backend.modeling.loading import load_for_training
    from backend.modeling.methods import make_trainable
    from backend.modeling.tokenizers import load_tokenizer
    from backend.train import Prepared, make_trainer
    from benchmarks.gpu.our_training import Timer

    set_seed(spec.seed)
    draw = torch.Generator().manual_seed(0)

    def ids(count: int) -> list[int]:
        return torch.randint(10, 12_000, (count,), generator=draw).tolist()

    quarter = length // 4
    pairs = [
        TokenPair(ids(quarter), ids(length - quarter), ids(length - quarter)) for _ in range(STEPS * batch)
    ]
    tokenizer = load_tokenizer(spec.model_name_or_path)
    model = make_trainable(load_for_training(spec), spec)
    ready = Prepared(
        tokenizer, Renderer(tokenizer, spec.template), EncodedPairs(pairs=pairs), Encoded(samples=[]), model
    )
    trainer = make_trainer(Path(tempfile.mkdtemp()), spec, ready)
    timer = Timer()
    trainer.add_callback(timer)
    trainer.train()
    tokens = float(trainer.seen[0]) / STEPS * (STEPS - 1)
    return {"tokens_per_second": tokens / (timer.ends[-1] - timer.ends[1])}


if __name__ == "__main__":
    main()
