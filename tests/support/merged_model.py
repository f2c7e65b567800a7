"""The bundled model with its recorded adapter merged, for tests of exports and endpoints."""

from pathlib import Path

import torch

from backend.modeling.loading import load_model
from backend.modeling.tokenizers import load_tokenizer
from studio.workspace import BUNDLED_MODEL

(RECORDED_ADAPTER,) = (BUNDLED_MODEL.parent / "sample_run" / "checkpoints").glob("step_*")


def save_merged(folder: Path) -> Path:
    """Merge the recorded adapter into the bundled model, in float32."""
    load_model(BUNDLED_MODEL, RECORDED_ADAPTER, dtype=torch.float32).save_pretrained(folder)
    load_tokenizer(RECORDED_ADAPTER, BUNDLED_MODEL).save_pretrained(folder)
    return folder
