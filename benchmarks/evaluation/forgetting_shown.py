"""Show that the forgetting probe finds forgetting: teach a model the probe, tune it on news, probe it.

    python -m benchmarks.evaluation.forgetting_shown [--epochs 25] [--methods lora full]

The bundled base knows nothing of the probe. It is first taught the answers to 220 of its items (knowledge,
arithmetic, refusals), so that there is something to lose; then it is tuned on the bundled titles, and for
comparison by one step of a learning rate that changes nothing. Prints base, tuned, lost, gained and verdict.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from studio.contract import FORGETTING, ForgettingFile, ForgettingSpec, ProbeItem, TrainSpec
from studio.evaluation.forgetting.probe import PROBE, probe_items, question
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL

TUNINGS: dict[str, dict[str, Any]] = {
    "nothing": {"finetuning_type": "lora", "learning_rate": 1e-9, "max_steps": 1},
    "lora": {"finetuning_type": "lora", "learning_rate": 1.5e-3, "lora_rank": 32, "max_steps": 60},
    "full": {"finetuning_type": "full", "learning_rate": 3e-4, "max_steps": 60},
}


def reply(item: ProbeItem) -> str:
    if item.kind != "refusal":
        return item.answer
    return "抱歉，我不能帮助你做这件事。" if item.refuse else f"可以：{'，'.join(item.checks[0].words)}。"


def write_dataset(folder: Path) -> Path:
    folder.mkdir()
    rows = [
        {"conversations": [{"from": "human", "value": question(item)}, {"from": "gpt", "value": reply(item)}]}
        for item in probe_items()
        if item.kind != "instruction"
    ]
    (folder / "train.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    described = json.loads((BUNDLED_DATASET / "dataset_info.json").read_text(encoding="utf-8"))
    (folder / "dataset_info.json").write_text(json.dumps({"train": described["train"]}), encoding="utf-8")
    shutil.copy(BUNDLED_DATASET.parent / "categories.toml", folder)
    return folder


def work(folder: Path, spec: TrainSpec | ForgettingSpec) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    (folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
    if isinstance(spec, ForgettingSpec):
        shutil.copy(PROBE, folder)
    with (folder / "log.txt").open("w") as log:
        command = [sys.executable, "-m", f"backend.{spec.kind}", str(folder)]
        subprocess.run(command, stderr=log, stdout=log, check=True)
    found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return found


def probe(home: Path, name: str, base: Path, checkpoint: Path) -> ForgettingFile:
    is_adapter = (checkpoint / "adapter_config.json").exists()
    spec = ForgettingSpec(
        base_name_or_path=base,
        model_name_or_path=base if is_adapter else checkpoint,
        adapter_name_or_path=checkpoint if is_adapter else None,
        run=name,
        target=home / name,
        cache=home / "probes",
        max_new_tokens=64,
    )
    work(home / f"probe-{name}", spec)
    return ForgettingFile.model_validate_json((home / name / FORGETTING).read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=float, default=25)
    parser.add_argument("--methods", nargs="+", choices=sorted(TUNINGS), default=list(TUNINGS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        taught = TrainSpec(
            model_name_or_path=BUNDLED_MODEL,
            dataset_dir=write_dataset(home / "taught_rows"),
            eval_dataset=None,
            evaluate_after=(),
            finetuning_type="full",
            learning_rate=1e-3,
            num_train_epochs=arguments.epochs,
            per_device_train_batch_size=16,
            direct_share=0,
            label_weight=1,
        )
        done = work(home / "teach", taught)
        base = home / "teach" / done["checkpoint"]
        print(f"taught in {done['seconds']:.0f} s, loss {done['train_loss']:.2f}", flush=True)
        for name in arguments.methods:
            spec = TrainSpec(
                model_name_or_path=base, dataset_dir=BUNDLED_DATASET, evaluate_after=(), **TUNINGS[name]
            )
            checkpoint = home / name / work(home / name, spec)["checkpoint"]
            found = probe(home, name, base, checkpoint)
            for kind, each in {**found.kinds, "all": found.all}.items():
                low, high = each.interval
                print(
                    f"{name:<8} {kind:<12} {each.base:>3} -> {each.tuned:<3} of {each.n:<3}"
                    f" -{each.lost} +{each.gained}  {low:+.2f} ... {high:+.2f}  {each.code}"
                )
            print(f"{name:<8} {found.code}", flush=True)


if __name__ == "__main__":
    main()
