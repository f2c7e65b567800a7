"""Measure the memory of an export of a random model of 1.5 billion weights with an adapter.

    python -m benchmarks.training.export_memory [--format gguf --quant q8_0] [--layers 28]

Exports in a process of its own and prints the process's highest resident memory beside the size of the
model on disk. The model is random: its answers say nothing, its shape is what counts.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, Qwen2Config

from backend.modeling.tokenizers import load_tokenizer
from studio.contract import ExportSpec, Result
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL

GIB = 2**30


def random_model(folder: Path, layers: int) -> Path:
    """Save a random model of Qwen2.5-1.5B's shape in bfloat16, with the bundled tokenizer."""
    tokenizer = load_tokenizer(BUNDLED_MODEL)
    config = Qwen2Config(
        vocab_size=151936, hidden_size=1536, intermediate_size=8960, num_hidden_layers=layers,
        num_attention_heads=12, num_key_value_heads=2, max_position_embeddings=32768,
        tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder, max_shard_size="1GB")
    tokenizer.save_pretrained(folder)
    return folder


def random_adapter(model: Path, folder: Path) -> Path:
    """Save a random adapter of rank 16 on every linear layer; in a model without storage for the base."""
    config = LoraConfig(task_type="CAUSAL_LM", r=16, target_modules="all-linear", init_lora_weights=False)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16)
    get_peft_model(base, config).save_pretrained(str(folder), save_embedding_layers=False)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--format", default="safetensors")
    parser.add_argument("--quant", default="bf16")
    parser.add_argument("--layers", type=int, default=28)
    parser.add_argument("--titles", type=int, default=2)
    parser.add_argument(
        "--keep", type=Path, help="Folder in which the random model is kept for the next time."
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = arguments.keep or Path(scratch)
        model, adapter = place / "model", place / "adapter"
        if not (adapter / "adapter_config.json").is_file():
            random_adapter(random_model(model, arguments.layers), adapter)
        size = sum(file.stat().st_size for file in model.glob("*.safetensors"))
        run = Path(scratch) / "run"
        run.mkdir()
        spec = ExportSpec(
            model_name_or_path=model, adapter_name_or_path=adapter, format=arguments.format,
            quant=arguments.quant, target=Path(scratch) / "out", dataset_dir=BUNDLED_DATASET,
            proof_titles=arguments.titles, proof_chains=0,
        )  # fmt: skip
        (run / "spec.json").write_text(spec.model_dump_json())
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "backend.export", str(run)], check=True)
        seconds = time.monotonic() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert used.ru_maxrss > before, "another child took more memory"
        result = Result.model_validate_json((run / "result.json").read_bytes())
        report = json.loads((Path(scratch) / "out" / "export.json").read_bytes())
        cpu = used.ru_utime + used.ru_stime
        print(
            f"{arguments.format} {arguments.quant}: model {size / GIB:.2f} GiB, peak resident "
            f"{used.ru_maxrss * 1024 / GIB:.2f} GiB = {used.ru_maxrss * 1024 / size:.2f} x, "
            f"{cpu:.0f} CPU s, {seconds:.0f} s; {result.status}, nmse {report['proof']['nmse']}"
        )


if __name__ == "__main__":
    main()
