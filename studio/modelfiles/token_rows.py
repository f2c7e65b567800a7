"""Check that every token of a tokenizer has a row in the embedding of the weights beside it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.language import say
from studio.modelfiles.safetensors_headers import ModelProblem

Shape = tuple[int, ...]

_HEAD_BYTES = 2_000_000
"""So much of tokenizer.json is read: the tokens that were added stand in front of the vocabulary."""
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
    if not file.is_file():
        return []
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return []
    added = head.partition('"added_tokens"')[2].partition('"normalizer"')[0]
    return [int(found) for found in _ADDED_ID.findall(added)]


def _decoder_ids(folder: Path) -> list[int]:
    """Read the ids that tokenizer_config.json names; transformers adds these tokens when it loads."""
    file = folder / "tokenizer_config.json"
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST_CONFIG:
            return []
        document: Any = json.loads(file.read_text(encoding="utf-8"))
        named = document.get("added_tokens_decoder") if isinstance(document, dict) else None
    except (OSError, ValueError, RecursionError):
        # Whatever is wrong with the file is a finding of its own.
        return []
    return [int(key) for key in named if key.isdecimal()] if isinstance(named, dict) else []
