"""Measure how long a scan for many models of realistic size takes, the first time and again.

    python -m benchmarks.app.model_scan [--models 100]

Each has four shards whose headers are those of a 7B model (sparse files: no disk needed),
and a tokenizer.json of 11 MB.
"""

import argparse
import json
import os
import shutil
import struct
import tempfile
import time
from pathlib import Path

from studio.models.catalog import scan_models
from studio.workspace import open_workspace

SHARDS = 4
SHARD_BYTES = 3_600_000_000
CONFIG = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "hidden_size": 3584}


def make_model(folder: Path, tokenizer: Path) -> None:
    """Write a model folder that is complete as far as headers show."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer_config.json").write_text("{}")
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    weight_map: dict[str, str] = {}
    for shard in range(1, SHARDS + 1):
        name = f"model-{shard:05}-of-{SHARDS:05}.safetensors"
        each = SHARD_BYTES // 84
        tensors = {
            f"model.layers.{shard}.{number}.weight": {
                "dtype": "F16",
                "shape": [3584, each // 7168],
                "data_offsets": [number * each, (number + 1) * each],
            }
            for number in range(84)
        }
        header = json.dumps(tensors).encode()
        with (folder / name).open("wb") as file:
            file.write(struct.pack("<Q", len(header)) + header)
            file.truncate(8 + len(header) + 84 * each)
        weight_map |= dict.fromkeys(tensors, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def main() -> None:
    """Build a cache, scan it twice, print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=100)
    count = parser.parse_args().models
    with tempfile.TemporaryDirectory() as name:
        parent = Path(name)
        os.environ["MODELSCOPE_CACHE"] = str(parent / "modelscope")
        tokenizer = parent / "tokenizer.json"
        tokenizer.write_text(json.dumps({"added_tokens": ["<|im_start|>"], "vocab": "x" * 11_000_000}))
        for number in range(count):
            make_model(
                parent / "modelscope" / "models" / f"owner--{number}" / "snapshots" / "master", tokenizer
            )
        workspace = open_workspace(parent / "home")
        for which in ("first", "second"):
            began = time.perf_counter()
            found = scan_models(workspace)
            seconds = time.perf_counter() - began
            ok = sum(model.ok for model in found)
            size = sum(model.size_bytes for model in found) / 2**40
            models = f"{len(found)} models ({ok} complete, {size:.1f} TiB)"
            print(f"{which:<7} scan of {models}: {seconds * 1000:7.0f} ms")


if __name__ == "__main__":
    main()
