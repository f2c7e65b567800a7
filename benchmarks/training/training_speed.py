"""Training on a CPU: ours beside plain transformers.Trainer and LLaMA-Factory, and how soon it begins.

    make conformance                      once, for LLaMA-Factory's environment
    python -m benchmarks.training.training_speed [--rounds 3] [--starts 3] [--llamafactory PYTHON]

The bundled model and its 300 rows once, LoRA of rank 8 on all linear layers, batches of 8,
learning from the answers alone. Every run is a process of its own; they take turns, so that
other work on the machine hits all. Tokens are those of the rows, padding not counted, and
the same for all. LLaMA-Factory computes in the precision of the model's files, bfloat16 here;
ours and the plain Trainer in float32 by default. `busy` is the CPU time of the loop in seconds: what
is left of the difference when other work shares the machine.

A start is the time from the start of the process to its first point in metrics.jsonl, of the
sound default without its evaluation.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from studio.contract import TrainSpec
from studio.training.presets import sound_default
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL

HERE = Path(__file__).resolve().parent
THEIR_PYTHON = HERE.parent.parent / ".venv-conformance" / "llamafactory" / "bin" / "python"
TEMPLATE = "deepseekr1"
OURS = ("ours", "ours, flat", "plain", "ours, bfloat16")
THEIRS = ("llamafactory", "llamafactory, best")
COMMON: dict[str, Any] = {
    "per_device_train_batch_size": 8,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "cosine",
    "num_train_epochs": 1.0,
    "logging_steps": 10,
    "seed": 42,
}


def main() -> None:
    """Train by turns and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--llamafactory", type=Path, default=THEIR_PYTHON, help="Python of its environment.")
    parser.add_argument("--contenders", nargs="+", choices=OURS + THEIRS, default=OURS + THEIRS)
    parser.add_argument("--only", nargs=2, metavar=("NAME", "RESULT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        name, result = options.only
        Path(result).write_text(json.dumps(run_ours(name)))
        return
    names = [name for name in options.contenders if name in OURS or options.llamafactory.exists()]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            fact = in_own_process(name, options.llamafactory)
            found[name].append(fact)
            print(f"{name:<20} {fact['seconds']:7.1f} s {fact['busy']:7.1f} s busy", flush=True)
    show(found)
    starts = [first_step() for _ in range(options.starts)]
    for wall, busy in starts:
        print(f"start to first step {wall:6.1f} s, {busy:5.1f} s busy")


def in_own_process(name: str, their_python: Path) -> dict[str, Any]:
    """Seconds of the loop, the processor's seconds in it, and the tokens of its rows."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        if name in THEIRS:
            arguments = Path(folder) / "arguments.json"
            arguments.write_text(json.dumps(their_arguments(name, folder)))
            command: list[Any] = [their_python, HERE / "llamafactory_training.py", arguments, result]
        else:
            command = [sys.executable, "-m", "benchmarks.training.training_speed", "--only", name, result]
        # Idle threads sleep, for all: LLaMA-Factory's would spin otherwise, and lose on a busy machine.
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
        subprocess.run([*map(str, command)], env=environment, capture_output=True, check=True)
        fact = json.loads(result.read_text())
    assert not fact.get("error"), fact["error"]
    tokens = sum(len(row) for row in fact["rows"])
    return {
        "seconds": fact["ends"][-1] - fact["ends"][0],
        "busy": fact["busy"][-1] - fact["busy"][0],
        "steps": len(fact["ends"]) - 1,
        "tokens": tokens,
        "losses": fact["losses"],
    }


def their_arguments(name: str, folder: str) -> dict[str, Any]:
    """LLaMA-Factory's own defaults, or every switch of it that makes this job faster."""
    best = {"disable_gradient_checkpointing": True, "train_sampling_strategy": "group_by_length"}
    return {
        **COMMON,
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "lora_rank": 8,
        "lora_dropout": 0.0,
        "lora_target": "all",
        "model_name_or_path": str(BUNDLED_MODEL),
        "dataset": "train",
        "dataset_dir": str(BUNDLED_DATASET),
        "template": TEMPLATE,
        "cutoff_len": 2048,
        "output_dir": f"{folder}/out",
        "overwrite_cache": True,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        **(best if name == "llamafactory, best" else {}),
    }


def our_spec(*, flat: bool, bf16: bool) -> TrainSpec:
    """Write the same job as a spec; direct answers and heavy tokens would be other rows and another loss."""
    return TrainSpec(
        model_name_or_path=BUNDLED_MODEL,
        dataset_dir=BUNDLED_DATASET,
        template=TEMPLATE,
        lora_rank=8,
        lora_dropout=0,
        direct_share=0,
        label_weight=1,
        eval_dataset=None,
        evaluate_after=(),
        cutoff_len=2048,
        warmup_ratio=0,
        padding_free=flat,
        bf16=bf16,
        **COMMON,
    )


def run_ours(name: str) -> dict[str, Any]:
    """Train in this process: by backend.train's trainer, or by transformers' as its manual shows it."""
    from transformers import PrinterCallback, TrainerCallback

    from backend.data.datasets import encode_datasets
    from backend.data.encoding import Encoded
    from backend.data.templates import Renderer
    from backend.modeling.loading import load_for_training
    from backend.modeling.methods import make_trainable
    from backend.modeling.tokenizers import load_tokenizer
    from backend.train import Prepared, make_trainer

    class Timer(TrainerCallback):
        def __init__(self) -> None:
            self.ends: list[float] = []
            self.busy: list[float] = []

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.ends.append(time.perf_counter())
            self.busy.append(time.process_time())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.on_train_begin()

    spec = our_spec(flat=name == "ours, flat", bf16=name == "ours, bfloat16")
    tokenizer = load_tokenizer(BUNDLED_MODEL)
    renderer = Renderer(tokenizer, spec.template)
    training, _ = encode_datasets(spec, renderer)
    model = make_trainable(load_for_training(spec), spec)
    with tempfile.TemporaryDirectory() as folder:
        if name == "plain":
            trainer: Any = plain_trainer(model, training.samples, tokenizer, folder)
        else:
            prepared = Prepared(tokenizer, renderer, training, Encoded([]), model)
            trainer = make_trainer(Path(folder), spec, prepared)
        timer = Timer()
        trainer.add_callback(timer)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    losses = [point["loss"] for point in trainer.state.log_history if "loss" in point]
    rows = [sample["input_ids"].tolist() for sample in training.samples]
    return {"ends": timer.ends, "busy": timer.busy, "rows": rows, "losses": losses}


def plain_trainer(model: Any, samples: list[Any], tokenizer: Any, folder: str) -> Any:
    """transformers.Trainer as its documentation shows it."""
    from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

    rows = [{key: sample[key].tolist() for key in ("input_ids", "labels")} for sample in samples]
    arguments = TrainingArguments(
        output_dir=folder, save_strategy="no", report_to="none", disable_tqdm=True, use_cpu=True, **COMMON
    )
    return Trainer(
        model=model, args=arguments, train_dataset=rows, data_collator=DataCollatorForSeq2Seq(tokenizer)
    )


def show(found: dict[str, list[dict[str, Any]]]) -> None:
    """Medians, and ours against each by wall time and by the processor's time."""
    print(
        f"{'':<20} {'tokens':>7} {'steps':>5} {'tokens/s':>9} {'busy s':>7}  ours is: wall, busy; last loss"
    )
    medians = {
        name: {key: statistics.median(fact[key] for fact in facts) for key in ("seconds", "busy")}
        for name, facts in found.items()
    }
    for name, facts in found.items():
        ratios = {key: medians[name][key] / medians["ours"][key] for key in ("seconds", "busy")}
        fact = facts[0]
        print(
            f"{name:<20} {fact['tokens']:>7} {fact['steps']:>5} "
            f"{fact['tokens'] / medians[name]['seconds']:>9.0f} {medians[name]['busy']:>7.1f}  "
            f"{ratios['seconds']:.2f} x, {ratios['busy']:.2f} x; {fact['losses'][-1]:.3f}"
        )


def first_step() -> tuple[float, float]:
    """Seconds from the start of a worker to its first step, and the processor's seconds of its whole life."""
    with tempfile.TemporaryDirectory() as folder:
        spec = sound_default(BUNDLED_MODEL, BUNDLED_DATASET).model_copy(
            update={"max_steps": 1, "logging_steps": 1, "evaluate_after": (), "eval_dataset": None}
        )
        (Path(folder) / "spec.json").write_text(spec.model_dump_json())
        curve = Path(folder) / "metrics.jsonl"
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "backend.train", folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not (curve.exists() and '"event":"step"' in curve.read_text()):
            assert time.perf_counter() - began < 300, "no first step within five minutes"
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, status
        return seconds, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
