"""How long the Models page looks for: many models of a real one's size, first and again.

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
    """A model folder that is whole as far as headers tell."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer_config.json").write_text("{}")
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    places: dict[str, str] = {}
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
        places |= dict.fromkeys(tensors, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def main() -> None:
    """Build a cache, look twice, print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=100)
    count = parser.parse_args().models
    with tempfile.TemporaryDirectory() as place:
        os.environ["MODELSCOPE_CACHE"] = f"{place}/modelscope"
        tokenizer = Path(place) / "tokenizer.json"
        tokenizer.write_text(json.dumps({"added_tokens": ["<|im_start|>"], "vocab": "x" * 11_000_000}))
        for number in range(count):
            make_model(
                Path(place) / "modelscope" / "models" / f"owner--{number}" / "snapshots" / "master", tokenizer
            )
        workspace = open_workspace(Path(place) / "home")
        for look in ("first", "second"):
            began = time.perf_counter()
            found = scan_models(workspace)
            seconds = time.perf_counter() - began
            ok = sum(model.ok for model in found)
            size = sum(model.size_bytes for model in found) / 2**40
            print(
                f"{look:<7} look at {len(found)} models ({ok} whole, {size:.1f} TiB): {seconds * 1000:7.0f} ms"
            )


if __name__ == "__main__":
    main()
