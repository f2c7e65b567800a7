"""Folders of preference pairs, as LLaMA-Factory's ranking entries."""

import json
from pathlib import Path
from typing import Any

from studio.formats.sharegpt import canonical_blocks, conversation, json_bytes
from studio.samples.canonical import write_answer, write_question

RANKING = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}


def pair(number: int, *, chosen: str = "体育", rejected: str = "娱乐", chain: str = "球队") -> dict[str, Any]:
    """A pair about one title; without a chain both answers are direct ones."""
    question = write_question("新闻分类：", f"第 {number} 场比赛{'加时' * (number % 4)}结束")
    return {
        "conversations": conversation(question, "")[:1],
        "chosen": {"from": "gpt", "value": write_answer(chain, chosen)},
        "rejected": {"from": "gpt", "value": write_answer(chain and f"{chain}明星", rejected)},
    }


def write_pairs(folder: Path, pairs: list[dict[str, Any]], held_out: list[Any] | None = None) -> Path:
    """Write a dataset folder of pairs to train on and conversations to hold out."""
    folder.mkdir(parents=True, exist_ok=True)
    info: dict[str, Any] = {
        "train": {"file_name": "pairs.json", "ranking": True, **canonical_blocks(), "columns": RANKING}
    }
    (folder / "pairs.json").write_bytes(json_bytes(pairs))
    if held_out is not None:
        info["eval"] = {"file_name": "eval.json", **canonical_blocks()}
        (folder / "eval.json").write_bytes(json_bytes(held_out))
    (folder / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")
    return folder
