"""Check that every token of a tokenizer has a row in the embedding of the weights beside it."""

import re
from collections.abc import Mapping
from pathlib import Path

from studio.language import say
from studio.modelfiles.safetensors_headers import ModelProblem
from studio.system.documents import READ_FAULTS, parse_json, read_head, read_whole

Shape = tuple[int, ...]

TOKENIZER_HEAD = 2_000_000
"""Bytes of tokenizer.json that are read: its special tokens come first, its vocabulary last."""
_LARGEST_CONFIG = 4_000_000
_ADDED_ID = re.compile(r'"id"\s*:\s*(\d{1,9})\b')


def tokens_without_row(folder: Path, shapes: Mapping[str, Shape]) -> ModelProblem | None:
    """Detect tokens whose id is beyond the embedding; None without any, or where nothing is known.

    A text with such a token could not be computed. What people write is never read as one, so that this
    is a warning; other programs may fail on it, and converters to GGUF do.
    """
    table = next((shape for name, shape in shapes.items() if name.endswith("embed_tokens.weight")), None)
    largest = max((*_added_ids(folder / "tokenizer.json"), *_decoder_ids(folder)), default=-1)
    if table is None or len(table) != 2 or largest < table[0]:
        return None
    return ModelProblem(
        code="token_without_row",
        message=say(
            f"{folder}：分词器的编号到 {largest}，词向量只有 {table[0]} 行。",
            f"{folder}: the tokenizer has ids up to {largest}, the embedding {table[0]} rows.",
        ),
        remedy=say(
            "这里照常使用；换到别的程序前，请从同一个来源重新下载分词器和权重。",
            "It works here; before taking it elsewhere, download tokenizer and weights from one source.",
        ),
        severity="warning",
    )


def _added_ids(file: Path) -> list[int]:
    added = read_head(file, TOKENIZER_HEAD).partition('"added_tokens"')[2].partition('"normalizer"')[0]
    return [int(found) for found in _ADDED_ID.findall(added)]


def _decoder_ids(folder: Path) -> list[int]:
    """Read the ids that tokenizer_config.json names; transformers adds these tokens when it loads."""
    try:
        named = parse_json(read_whole(folder / "tokenizer_config.json", _LARGEST_CONFIG))[
            "added_tokens_decoder"
        ]
        return [int(key) for key in named if key.isdecimal()]
    except READ_FAULTS:
        # Without one, or without the key; whatever is wrong with the file is a finding of its own.
        return []
