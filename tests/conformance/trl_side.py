"""What `datasets` and TRL make of files; runs in its own environment, never in ours.

One JSON request a line on stdin, one JSON answer a line on stdout. This program
knows nothing of News Studio: it reports what the packages did, and judges nothing.
"""

import json
import os
import sys
import tempfile

ANSWERS = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
os.environ["HF_HOME"] = tempfile.mkdtemp()

import datasets  # noqa: E402
import torch  # noqa: E402
from peft import LoraConfig  # noqa: E402
from trl import SFTConfig, SFTTrainer  # noqa: E402


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = ACTIONS[request.pop("action")](**request)
        except Exception as error:  # noqa: BLE001  what it dies of, whatever that is, is the answer
            answer = {"died": f"{type(error).__name__}: {error}"}
        os.write(ANSWERS, (json.dumps(answer) + "\n").encode())


def versions() -> dict:
    """The versions that make the answers what they are."""
    from importlib.metadata import version

    return {name: version(name) for name in ("trl", "datasets", "transformers", "peft", "torch")}


def rows(file: str) -> dict:
    """The rows of `datasets.load_dataset("json", data_files=file)`."""
    return {"rows": datasets.load_dataset("json", data_files=file, split="train").to_list()}


def train(file: str, model: str, steps: int = 2, lora: bool = False, keep: int = 8) -> dict:
    """Train on a file as it is: what each step reports, and the text and the learned part of the first samples."""
    torch.manual_seed(0)
    output = tempfile.mkdtemp(dir=os.environ["HF_HOME"])
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=output, max_steps=steps, per_device_train_batch_size=2, logging_steps=1, max_length=512,
            learning_rate=1e-3, report_to="none", save_strategy="no", use_cpu=True, bf16=False, seed=0,
        ),
        train_dataset=datasets.load_dataset("json", data_files=file, split="train"),
        peft_config=LoraConfig(r=4, target_modules="all-linear") if lora else None,
    )  # fmt: skip
    before = {
        name: value.detach().clone()
        for name, value in trainer.model.named_parameters()
        if value.requires_grad
    }
    samples = [trainer.train_dataset[row] for row in range(min(keep, len(trainer.train_dataset)))]
    trainer.train()
    moved = sum(
        not torch.equal(before[name], value)
        for name, value in trainer.model.named_parameters()
        if name in before
    )
    return {
        "rows": len(trainer.train_dataset),
        "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
        "moved": moved,
        "trained": len(before),
        "input_ids": [list(sample["input_ids"]) for sample in samples],
        "labels": [list(sample.get("labels", sample["input_ids"])) for sample in samples],
    }


ACTIONS = {action.__name__: action for action in (versions, rows, train)}

if __name__ == "__main__":
    main()
