"""What the real LLaMA-Factory makes of a folder; runs in its own environment, never in ours.

One JSON request a line on stdin, one JSON answer a line on stdout. This program
knows nothing of News Studio: it reports what the package did, and judges nothing.
"""

import importlib.util
import json
import os
import resource
import sys
import tempfile
import time
import types
from pathlib import Path

ANSWERS = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the package prints its first sample of every load

os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "LLAMAFACTORY_VERBOSITY": "WARN",
}
os.environ["HF_HOME"] = tempfile.mkdtemp()

import transformers  # noqa: E402

if importlib.util.find_spec("torchaudio") is None:
    # Imported at the top of its mm_plugin, used for sound only. After transformers, which would look for its version.
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")

from llamafactory.data.loader import _get_merged_dataset, get_dataset  # noqa: E402
from llamafactory.data.template import get_template_and_fix_tokenizer  # noqa: E402
from llamafactory.hparams import DataArguments, ModelArguments  # noqa: E402


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        began = time.perf_counter()
        try:
            answer = ACTIONS[request.pop("action")](**request)
        except Exception as error:  # noqa: BLE001  what it dies of, whatever that is, is the answer
            cause = error
            while cause.__cause__:  # datasets wraps the reason in an error of its own
                cause = cause.__cause__
            answer = {"died": f"{type(cause).__name__}: {cause}"}
        answer["seconds"] = time.perf_counter() - began
        answer["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        os.write(ANSWERS, (json.dumps(answer) + "\n").encode())


def versions() -> dict:
    """The versions that make the answers what they are."""
    from importlib.metadata import version

    return {name: version(name) for name in ("llamafactory", "transformers", "datasets", "torch")}


def convert(folder: str, dataset: str) -> dict:
    """The rows that its converter gives: system text, turns, and whether its next step drops them."""
    arguments = _arguments(folder, dataset, "default", 2048)
    rows = _get_merged_dataset(arguments["data_args"].dataset, **arguments, stage="sft")
    return {"rows": [_row(row) for row in rows]}


def _row(row: dict) -> dict:
    prompt, response = row["_prompt"], row["_response"]
    turns = [[turn["role"], turn["content"]] for turn in prompt + response]
    # The condition of SupervisedDatasetProcessor.preprocess_dataset.
    return {"system": row["_system"], "turns": turns, "kept": len(prompt) % 2 == 1 and len(response) == 1}


def rank(folder: str, dataset: str) -> dict:
    """The pairs that its converter gives for the stages rm and dpo: the question, and both answers."""
    arguments = _arguments(folder, dataset, "default", 2048)
    rows = _get_merged_dataset(arguments["data_args"].dataset, **arguments, stage="rm")
    return {
        "rows": [
            [row["_prompt"][0]["content"], *(answer["content"] for answer in row["_response"])]
            for row in rows
        ]
    }


def load(folder: str, dataset: str, tokenizer: str, template: str, cutoff_len: int = 2048) -> dict:
    """Token ids and labels of the rows that training would see, through its own get_dataset."""
    rows = _load(folder, dataset, tokenizer, template, cutoff_len)
    return {"input_ids": list(rows["input_ids"]), "labels": list(rows["labels"])}


def count(folder: str, dataset: str, tokenizer: str | None = None) -> dict:
    """How many rows arrive: converted, or tokenized as well where a tokenizer is given."""
    if tokenizer is not None:
        return {"rows": len(_load(folder, dataset, tokenizer, "deepseekr1", 2048)["input_ids"])}
    arguments = _arguments(folder, dataset, "default", 2048)
    return {"rows": len(_get_merged_dataset(arguments["data_args"].dataset, **arguments, stage="sft"))}


def _load(folder: str, dataset: str, tokenizer: str, template: str, cutoff_len: int):
    bound = transformers.AutoTokenizer.from_pretrained(tokenizer)
    arguments = _arguments(folder, dataset, template, cutoff_len)
    layout = get_template_and_fix_tokenizer(bound, arguments["data_args"])
    return get_dataset(layout, **arguments, stage="sft", tokenizer=bound)["train_dataset"]


def _arguments(folder: str, dataset: str, template: str, cutoff_len: int) -> dict:
    scratch = tempfile.mkdtemp(
        dir=os.environ["HF_HOME"]
    )  # a cache of its own: nothing is answered from memory
    return {
        "model_args": ModelArguments(model_name_or_path=str(Path(folder)), cache_dir=scratch),
        "data_args": DataArguments(
            dataset=dataset,
            dataset_dir=folder,
            template=template,
            cutoff_len=cutoff_len,
            overwrite_cache=True,
        ),
        "training_args": transformers.Seq2SeqTrainingArguments(
            output_dir=scratch, report_to="none", use_cpu=True
        ),
    }


ACTIONS = {action.__name__: action for action in (versions, convert, rank, load, count)}

if __name__ == "__main__":
    main()
