"""Under which base an adapter of QLoRA should be used: the one on disk, or the rounded one it learned with.

    python -m benchmarks.training.quantized_base [--steps 75]

Trains the bundled model on 4 and 8 bit and prints the held-out loss, nats a token, of
the base, of the run's end, and of its adapter on both bases.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

from backend.data.datasets import encode_datasets
from backend.data.encoding import PaddingCollator, Sample
from backend.data.templates import Renderer
from backend.modeling.adapters import attach_adapter
from backend.modeling.loading import load_for_training, load_model
from backend.modeling.tokenizers import load_tokenizer
from backend.train import train
from backend.training.losses import summed_loss
from backend.worker import RunFolder
from studio.contract import TrainSpec
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL

KINDS: dict[str, dict[str, Any]] = {
    "nf4": {"quantization_bit": 4},
    "fp4": {"quantization_bit": 4, "quantization_type": "fp4"},
    "int8": {"quantization_bit": 8},
}


def main() -> None:
    """Train and print a line for each kind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=75)
    steps = parser.parse_args().steps
    logging.set_verbosity_error()
    tokenizer = load_tokenizer(BUNDLED_MODEL)
    collator = PaddingCollator(tokenizer.pad_token_id)
    print(f"{'':5} {'base':>8} {'rounded':>8} {'+ adapter: on disk':>20} {'rounded':>8}")
    for name, kind in KINDS.items():
        spec = TrainSpec(
            model_name_or_path=BUNDLED_MODEL,
            dataset_dir=BUNDLED_DATASET,
            max_steps=steps,
            learning_rate=1e-3,
            evaluate_after=(),
            **kind,
        )
        adapter = _train(spec)
        _, held_out = encode_datasets(spec, Renderer(tokenizer))
        rounded = load_for_training(spec)
        found = [
            held_out_loss(model, held_out.samples, collator) for model in (load_model(BUNDLED_MODEL), rounded)
        ]
        learned = attach_adapter(rounded.dequantize(), adapter, BUNDLED_MODEL)
        found += [
            held_out_loss(model, held_out.samples, collator)
            for model in (load_model(BUNDLED_MODEL, adapter), learned)
        ]
        print(f"{name:5} {found[0]:8.4f} {found[1]:8.4f} {found[2]:20.4f} {found[3]:8.4f}", flush=True)


def _train(spec: TrainSpec) -> Path:
    """Train; return the adapter's folder."""
    folder = Path(tempfile.mkdtemp())
    (folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
    train(RunFolder(folder))
    return max((folder / "checkpoints").iterdir())


@torch.no_grad()
def held_out_loss(model: Any, samples: list[Sample], collator: PaddingCollator) -> float:
    """Mean over all supervised tokens, in nats."""
    total = torch.zeros(2)
    for start in range(0, len(samples), 16):
        batch = collator(samples[start : start + 16])
        total += torch.stack(summed_loss(model.eval(), batch, weighted=False))
    return float(total[0] / total[1])


if __name__ == "__main__":
    main()
