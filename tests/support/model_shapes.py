"""Qwen2 models of the true shapes with random weights, and conversations of the true lengths.

No weights are downloaded: speed and memory depend on shapes, not on what was learned.
"""

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config

from studio.samples.canonical import read_answer, write_answer
from studio.samples.scheme import BUNDLED_DATA

VOCABULARY = 152_064
BUNDLED_MODEL, BUNDLED_DATASET = BUNDLED_DATA / "base_model", BUNDLED_DATA / "news_300"


@dataclass(frozen=True)
class Shape:
    """The widths of one Qwen2.5 model."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_heads: int
    vocabulary: int
    tied: bool

    def config(self) -> Qwen2Config:
        """Build the Qwen2 config of the shape."""
        return Qwen2Config(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.intermediate,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.key_heads,
            max_position_embeddings=32768,
            tie_word_embeddings=self.tied,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=2,
        )

    def flops_per_token(self, rank: int) -> float:
        """Count the FLOPs of LoRA training for one token, without recomputing activations.

        Forward and the gradient of the input through each frozen weight (4 a weight), all
        six products of the adapter. Attention itself is below 1 % here and left out.
        """
        width = self.hidden // self.heads
        shapes = [
            (self.hidden, self.hidden),
            (self.hidden, self.key_heads * width),
            (self.hidden, self.key_heads * width),
            (self.hidden, self.hidden),
            *[(self.hidden, self.intermediate)] * 3,
        ]
        linear = sum(a * b for a, b in shapes) * self.layers
        adapter = sum(rank * (a + b) for a, b in shapes) * self.layers
        return 4.0 * linear + 4.0 * self.hidden * self.vocabulary + 6.0 * adapter


SHAPES = {
    "0.5B": Shape(896, 4864, 24, 14, 2, 151_936, True),
    "1.5B": Shape(1536, 8960, 28, 12, 2, 151_936, True),
    "7B": Shape(3584, 18944, 28, 28, 4, VOCABULARY, False),
    "tiny": Shape(64, 160, 2, 4, 2, 12_032, False),
}


def save_random_model(shape: Shape, folder: Path, *, seed: int = 0) -> None:
    """Write a model of the shape: transformers' random initialization, bfloat16, the bundled tokenizer."""
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(shape.config(), dtype=torch.bfloat16)
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(BUNDLED_MODEL / file, folder / file)
    del model
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def write_conversations(folder: Path, *, rows: int = 300, shortest: int = 100, longest: int = 400) -> None:
    """Write the bundled conversations, each chain lengthened so that lengths in tokens are uniform.

    The bundled tokenizer knows news and gives about 100 tokens a row; a general one gives
    100 to 400 for such rows.
    """
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED_MODEL)
    given = json.loads((BUNDLED_DATASET / "train.json").read_text(encoding="utf-8"))
    draw = random.Random(0)
    chains = [read_answer(row["conversations"][1]["value"]).chain for row in given]
    written: list[Any] = []
    for row in given[:rows]:
        question, answer = (turn["value"] for turn in row["conversations"])
        parts = read_answer(answer)
        around = len(tokenizer(question + parts.label, add_special_tokens=False)["input_ids"]) + 10
        ids = tokenizer(parts.chain, add_special_tokens=False)["input_ids"]
        wanted = draw.randint(shortest, longest) - around
        while len(ids) < wanted:
            ids += tokenizer(draw.choice(chains), add_special_tokens=False)["input_ids"]
        chain = str(tokenizer.decode(ids[:wanted])).replace("�", "").strip()
        value = write_answer(chain, parts.label)
        written.append(
            {"conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": value}]}
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.json").write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
    info = json.loads((BUNDLED_DATASET / "dataset_info.json").read_text(encoding="utf-8"))
    (folder / "dataset_info.json").write_text(json.dumps({"train": info["train"]}), encoding="utf-8")
