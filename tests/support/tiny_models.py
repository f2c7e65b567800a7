"""Small real models for the tests of the backend: built from a config, no download."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from backend.data.encoding import IGNORED
from studio.contract import Event, Result, ScoreFile, TrainSpec, event

SPECIAL = {
    "deepseek": [
        "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>",
        "<think>", "</think>",
    ],
    "chatml": ["<|endoftext|>", "<|im_end|>", "<|im_start|>"],
    "plain": ["<s>", "</s>"],
}  # fmt: skip


def byte_tokenizer(family: str) -> PreTrainedTokenizerFast:
    """Build a tokenizer of one token a byte, and the special tokens of a family: no training, no download."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    tokens = SPECIAL[family]
    core.add_special_tokens(tokens[:4] if family == "deepseek" else tokens)
    core.add_tokens(tokens[4:] if family == "deepseek" else [])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=tokens[0], eos_token=tokens[1], pad_token=tokens[0]
    )


CONFIGS: dict[str, Any] = {
    "qwen2": Qwen2Config,
    "qwen3": Qwen3Config,
    "llama": LlamaConfig,
    "gemma": GemmaConfig,
}


def save_tiny_model(
    folder: Path, *, architecture: str = "qwen2", family: str = "deepseek", hidden: int = 32, layers: int = 2
) -> Path:
    """A random model of a few layers with a byte tokenizer."""
    tokenizer = byte_tokenizer(family)
    torch.manual_seed(0)
    config = CONFIGS[architecture](
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=hidden // 4,
        max_position_embeddings=1024,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_run(folder: Path, spec: Any) -> Path:
    """Write a run folder as studio writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
    return folder


def quick_spec(model: Path, dataset: Path, **changes: Any) -> TrainSpec:
    """Build the spec of a training of a few steps."""
    fields: dict[str, Any] = {
        "max_steps": 3,
        "logging_steps": 1,
        "lora_rank": 4,
        "evaluate_after": (),
        "direct_share": 0,
        "label_weight": 1,
        # Exact to the digits that the tests compare, also on a machine with a GPU.
        "bf16": False,
    }
    return TrainSpec(model_name_or_path=model, dataset_dir=dataset, **{**fields, **changes})


def events_of(folder: Path) -> list[Event]:
    """Read all events of a run."""
    return [event.validate_json(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses_of(folder: Path) -> list[float]:
    """Read the training losses of a run, one for each logged step."""
    return [event.loss for event in events_of(folder) if event.event == "step"]


def result_of(folder: Path) -> Result:
    """Read the result of a run."""
    return Result.model_validate_json((folder / "result.json").read_bytes())


def scores_of(folder: Path) -> ScoreFile:
    """Read the scores of a run."""
    return ScoreFile.model_validate_json((folder / "scores.json").read_bytes())


def adapter_base(folder: Path) -> str:
    """Read the base model that an adapter names."""
    return str(json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"])


def samples_of(lengths: list[int]) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    made = []
    for length in lengths:
        ids = torch.randint(5, 250, (length,), generator=generator)
        # The first token is a label too, as in plain text: it must be nobody's target.
        labels = ids.clone()
        labels[1 : length // 3] = IGNORED
        weights = torch.ones(length)
        weights[-2:] = 3.0
        made.append({"input_ids": ids, "labels": labels, "weights": weights})
    return made
