"""The tutorial's job on one GPU: 300 conversations, 7B, LoRA on all layers, bfloat16, beside LLaMA-Factory.

    python -m benchmarks.gpu.speed --work /scratch [--llamafactory SITE] [--shape 7B] [--rows 16] [--steps 20]

SITE is a folder with LLaMA-Factory 0.9.5 and what it needs, put first on its path. Every
run is a process of its own, takes the same rows in the same order, `--rows` a step, from the
same random weights and the same fresh adapter. Rates are real tokens (no padding) a second
over the steps after the first three; the card's matrix rate is measured in the same run.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

BENCHMARKS = Path(__file__).resolve().parent.parent
WARM_UP = 3
RANK = 8
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main() -> None:
    """Prepare, run each contender, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="Folder for weights and results.")
    parser.add_argument("--llamafactory", type=Path, help="Folder with LLaMA-Factory; without: ours alone.")
    parser.add_argument("--shape", default="7B")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rows", type=int, default=16, help="Conversations a step.")
    parser.add_argument("--contenders", default="ours,lf_default,lf_best,lf_packed")
    parser.add_argument("--only", help="Inner use: run this one contender of ours in this process.")
    parser.add_argument("--profile", action="store_true", help="Print where the time of ours goes.")
    options = parser.parse_args()
    if options.only:
        run_ours(options)
        return
    prepare(options)
    (options.work / "gemm.json").write_text(json.dumps(matrix_rate(options.shape)))
    for name in options.contenders.split(","):
        began = time.perf_counter()
        start(name, options)
        print(f"{name}: {time.perf_counter() - began:.0f} s in all", flush=True)
        print_table(options)


def prepare(options: argparse.Namespace) -> None:
    """Weights, adapter and rows, written once."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from tests.support.model_shapes import SHAPES, save_random_model, write_conversations

    began = time.perf_counter()
    write_conversations(options.work / "rows")
    if not (options.work / "model" / "config.json").exists():
        save_random_model(SHAPES[options.shape], options.work / "model")
    with torch.device("meta"):
        bare = AutoModelForCausalLM.from_config(SHAPES[options.shape].config())
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=TARGETS, task_type="CAUSAL_LM")
    wrapped = get_peft_model(bare, config)
    torch.manual_seed(1)
    weights = {}
    for name, parameter in wrapped.named_parameters():
        if "lora_" in name:
            values = torch.empty(parameter.shape)
            torch.nn.init.kaiming_uniform_(values, a=5**0.5) if "lora_A" in name else values.zero_()
            weights[name.replace(".default", "")] = values
    save_adapter(options.work / "adapter", weights)
    print(f"prepared in {time.perf_counter() - began:.0f} s", flush=True)


def save_adapter(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    """Save a fresh adapter that every version of peft reads."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": RANK,
        "lora_alpha": 2 * RANK,
        "lora_dropout": 0.0,
        "target_modules": TARGETS,
        "bias": "none",
        "inference_mode": False,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))


def matrix_rate(shape: str) -> dict[str, float]:
    """TFLOP/s of an 8192-cubed bfloat16 product on random numbers, the median of 20."""
    if not torch.cuda.is_available():
        return {"tflops": float("nan")}
    size = 8192
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(25):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        a @ b
        end.record()
        torch.cuda.synchronize()
        seconds.append(begin.elapsed_time(end) / 1e3)
    return {"tflops": 2 * size**3 / sorted(seconds[5:])[10] / 1e12}


def start(name: str, options: argparse.Namespace) -> None:
    """One contender in a process of its own."""
    result = options.work / f"{name}.json"
    # As backend and LLaMA-Factory's run set it, before torch is loaded.
    environment = {**os.environ, "PYTORCH_ALLOC_CONF": "expandable_segments:True"}
    if name.startswith("ours"):
        command = [
            sys.executable,
            "-m",
            "benchmarks.gpu.speed",
            "--work",
            str(options.work),
            "--shape",
            options.shape,
        ]
        command += ["--steps", str(options.steps), "--rows", str(options.rows), "--only", name]
        command += ["--profile"] if options.profile and name == "ours" else []
    else:
        if options.llamafactory is None:
            return
        arguments = options.work / f"{name}.arguments.json"
        arguments.write_text(json.dumps(llamafactory_arguments(name, options)))
        environment["PYTHONPATH"] = str(options.llamafactory)
        command = [
            sys.executable,
            str(BENCHMARKS / "training" / "llamafactory_training.py"),
            str(arguments),
            str(result),
        ]
    log = options.work / f"{name}.log"
    with log.open("w") as file:
        code = subprocess.run(command, env=environment, stdout=file, stderr=subprocess.STDOUT).returncode
    if code or options.profile:
        print("\n".join(log.read_text(errors="replace").splitlines()[-60:]), flush=True)


def llamafactory_arguments(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """lf_default: its examples/train_lora setting. lf_best: every switch of it that makes this job faster."""
    arguments: dict[str, Any] = {
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "model_name_or_path": str(options.work / "model"),
        "adapter_name_or_path": str(options.work / "adapter"),
        "lora_target": "all",
        "dataset": "train",
        "dataset_dir": str(options.work / "rows"),
        "template": "deepseekr1",
        "cutoff_len": 2048,
        "output_dir": str(options.work / f"{name}.out"),
        "overwrite_cache": True,
        "learning_rate": 1e-4,
        "max_steps": options.steps,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 4,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": options.rows,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "disable_shuffling": True,
        "bf16": torch.cuda.is_available(),
        "seed": 42,
    }
    if not torch.cuda.is_available():
        arguments["use_cpu"] = True
    if name != "lf_default":
        arguments |= {
            "per_device_train_batch_size": options.rows,
            "gradient_accumulation_steps": 1,
            "disable_gradient_checkpointing": True,
            "enable_liger_kernel": torch.cuda.is_available(),
            "pure_bf16": torch.cuda.is_available(),
            "bf16": False,
            "flash_attn": "sdpa",
        }
    if name == "lf_packed":
        # About the same tokens a step; its rows share a step as its knapsack wants it.
        packs = packs_a_step(options.rows)
        arguments |= {"packing": True, "neat_packing": True, "per_device_train_batch_size": packs}
    return arguments


def packs_a_step(rows: int) -> int:
    """Packs of 2,048 tokens that hold about so many rows of 250."""
    return max(rows // 8, 1)


def run_ours(options: argparse.Namespace) -> None:
    """Our training path with the Trainer's log turned into the same facts as LLaMA-Factory's."""
    logging.basicConfig(level=logging.INFO)
    began = time.perf_counter()
    from benchmarks.gpu.our_training import build, encoded_rows, measure
    from tests.support.training_methods import benchmark_spec

    spec = benchmark_spec(
        options.work / "model",
        options.work / "rows",
        max_steps=options.steps,
        adapter_name_or_path=options.work / "adapter",
        per_device_train_batch_size=options.rows,
        gradient_checkpointing=True if options.only == "ours_twice" else None,
        padding_free=False if options.only == "ours_padded" else None,
    )
    samples = encoded_rows(spec)
    trainer = build(spec, samples)
    facts = measure(trainer, profile=options.profile)
    facts |= {"rows": [sample["input_ids"].tolist() for sample in samples], "error": ""}
    facts["start_seconds"] = facts["ends"][0] - began
    (options.work / f"{options.only}.json").write_text(json.dumps(facts))


def print_table(options: argparse.Namespace) -> None:
    """Print what is known so far."""
    from tests.support.model_shapes import SHAPES

    rate = json.loads((options.work / "gemm.json").read_text())["tflops"]
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    operations = SHAPES[options.shape].flops_per_token(RANK)
    print(
        f"\n{card}, torch {torch.__version__}, matrix rate {rate:.0f} TFLOP/s, "
        f"{operations / 1e9:.2f} GFLOP/token"
    )
    print(
        f"{'run':<12}{'tokens/s':>9}{'of rate':>9}{'s/step':>8}"
        f"{'alloc GiB':>10}{'resv GiB':>10}  loss 1, 10, 20, last"
    )
    facts = {
        file.stem: json.loads(file.read_text())
        for file in sorted(options.work.glob("*.json"))
        if file.stem.startswith(("ours", "lf_")) and "arguments" not in file.stem
    }
    for name, fact in facts.items():
        if fact["error"]:
            print(f"{name:<12} {fact['error']}")
            continue
        steps = len(fact["ends"]) - 1
        seconds = fact["ends"][-1] - fact["ends"][WARM_UP]
        share = packs_a_step(options.rows) if name == "lf_packed" else options.rows
        tokens = sum(real_tokens(fact, name)[WARM_UP * share : steps * share])
        losses = [fact["losses"][k] for k in (0, 9, 19, -1) if k < len(fact["losses"])]
        print(
            f"{name:<12}{tokens / seconds:>9.0f}{tokens / seconds * operations / rate / 1e12:>9.1%}"
            f"{seconds / max(steps - WARM_UP, 1):>8.3f}"
            f"{fact['allocated_gib']:>10.2f}{fact['reserved_gib']:>10.2f}  "
            + ", ".join(f"{loss:.4f}" for loss in losses)
        )
    compare(facts)


def real_tokens(fact: dict[str, Any], name: str) -> list[int]:
    """Tokens of each row in training order; a pack counts what is no padding."""
    if name == "lf_packed":
        return [sum(token != 2 for token in row) for row in fact["rows"]] * 50
    return [len(row) for row in fact["rows"]] * 50


def compare(facts: dict[str, Any]) -> None:
    """Whether the token ids agree, and how far the first 20 losses are from each of LLaMA-Factory's."""
    ours = facts.get("ours")
    for name, fact in facts.items():
        if ours is None or fact["error"] or name == "ours" or name == "lf_packed":
            continue
        gaps = [abs(a - b) for a, b in zip(ours["losses"][:20], fact["losses"][:20], strict=False)]
        same = ours["rows"] == fact["rows"]
        print(
            f"ours against {name}: same token ids {same}, "
            f"largest loss gap of {len(gaps)} steps {max(gaps):.4f}"
        )


if __name__ == "__main__":
    main()
