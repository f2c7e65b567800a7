"""One spec on one GPU and on several: the same losses, and how much faster.

    python -m benchmarks.gpu.processes --work /scratch [--shape 1.5B] [--processes 2] [--rows 32] [--steps 30]

Random-initialised Qwen2 shape, 300 conversations, bfloat16; LoRA, and full fine-tuning. Each is
trained as users train it: `python -m backend.train`, and the same by torchrun, `--rows` a step
in all. Rates are real tokens a second, the median of the points after the fifth step.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from studio.contract import TrainSpec
from tests.support.model_shapes import SHAPES, save_random_model, write_conversations

WARM_UP = 5
METHODS: dict[str, dict[str, Any]] = {
    "lora": {"learning_rate": 1e-4},
    "full": {"finetuning_type": "full", "learning_rate": 1e-5},
}


def main() -> None:
    """Train each method on one process and on several, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="Folder for weights and runs.")
    parser.add_argument("--shape", default="1.5B", choices=SHAPES)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rows", type=int, default=32, help="Conversations a step, over all processes.")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    options = parser.parse_args()
    write_conversations(options.work / "rows")
    if not (options.work / "model" / "config.json").exists():
        save_random_model(SHAPES[options.shape], options.work / "model")
    lines = [f"{'method':<8}{'processes':>10}{'tokens/s':>10}{'peak GiB':>10}{'wall s':>8}  loss 1, 10, last"]
    for method in options.methods:
        curves = [run(options, method, processes) for processes in (1, options.processes)]
        lines += [line for _, line in curves]
        (alone, _), (together, _) = curves
        gap = max(abs(a["loss"] - b["loss"]) for a, b in zip(alone, together, strict=True))
        lines.append(f"largest gap of loss {gap:.1e}, speed x {rate(together) / rate(alone):.2f}")
    print("\n".join(lines))


def run(options: argparse.Namespace, method: str, processes: int) -> tuple[list[dict[str, Any]], str]:
    """Train; return the curve and its line of the table."""
    folder = options.work / f"{method}_{processes}"
    folder.mkdir()
    spec = TrainSpec(
        model_name_or_path=options.work / "model",
        dataset_dir=options.work / "rows",
        eval_dataset=None,
        template="deepseekr1",
        cutoff_len=2048,
        lora_rank=8,
        direct_share=0.0,
        per_device_train_batch_size=options.rows // processes,
        max_steps=options.steps,
        logging_steps=1,
        warmup_steps=4,
        **METHODS[method],
    )
    (folder / "spec.json").write_text(spec.model_dump_json())
    program = ["-m", "backend.train", str(folder)]
    if processes > 1:
        program = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", *program]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ",".join(str(n) for n in range(processes))}
    began = time.perf_counter()
    with (folder / "output.txt").open("w") as output:
        done = subprocess.run(
            [sys.executable, *program], stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    wall = time.perf_counter() - began
    assert done.returncode == 0, (folder / "output.txt").read_text()[-3000:]
    events = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    curve = [event for event in events if event["event"] == "step"]
    losses = ", ".join(f"{curve[step]['loss']:.4f}" for step in (0, min(9, len(curve) - 1), -1))
    peak = max(point["memory_gib"] for point in curve)
    return curve, f"{method:<8}{processes:>10}{rate(curve):>10.0f}{peak:>10.1f}{wall:>8.0f}  {losses}"


def rate(curve: list[dict[str, Any]]) -> float:
    """Tokens a second once warm."""
    return float(statistics.median(point["tokens_per_second"] for point in curve[WARM_UP:]))


if __name__ == "__main__":
    main()
