"""Diagnose the files of a tokenizer: one is missing, damaged, or no tokenizer."""

import os
from pathlib import Path

from studio.language import say
from studio.modelfiles.safetensors_headers import ModelProblem, is_lfs_pointer, lfs_pointer, reason
from studio.system.documents import READ_FAULTS, parse_json, read_whole

TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "spiece.model",
    "vocab.txt",
    "tiktoken.model",
    "qwen.tiktoken",
)
"""Files of which a tokenizer needs one."""
_PARSED_BYTES = 4_000_000
"""A tokenizer.json with more is of a large vocabulary; parsing it for a list of models would take long."""


def tokenizer_problem(path: Path) -> ModelProblem | None:
    """Diagnose the tokenizer of a model folder; None if nothing is wrong with its files."""
    present = [path / name for name in TOKENIZERS if os.path.lexists(path / name)]
    if not present:
        return ModelProblem(
            code="tokenizer_missing",
            message=say(f"{path} 里没有分词器。", f"{path} has no tokenizer."),
            remedy=say(
                "请下载 tokenizer.json 和 tokenizer_config.json。",
                "Download tokenizer.json and tokenizer_config.json.",
            ),
        )
    odd = next((file for file in present if not file.is_file()), None)
    if odd:
        return _tokenizer_unreadable(odd, say("不是普通文件", "is no regular file"))
    pointer = next((file for file in present if is_lfs_pointer(file)), None)
    if pointer:
        return lfs_pointer(pointer)
    if present[0].name == "tokenizer.json" and not _ends_like_json(present[0]):
        return _tokenizer_unreadable(present[0], say("不完整", "is incomplete"))
    return _tokenizer_json_problem(path)


def _tokenizer_json_problem(path: Path) -> ModelProblem | None:
    """Parse what is parsed when the model is loaded: what breaks a parser is to be found before that."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        file = path / name
        if not os.path.lexists(file) or (file.is_file() and file.stat().st_size > _PARSED_BYTES):
            continue
        try:
            document = parse_json(read_whole(file))
            if not isinstance(document, dict):
                raise TypeError(say("不是 JSON 对象", "not a JSON object"))
        except READ_FAULTS as error:
            return _tokenizer_unreadable(
                file, say("无法读取：{why}", "cannot be read: {why}", why=reason(error))
            )
    return None


def _tokenizer_unreadable(file: Path, why: str) -> ModelProblem:
    return ModelProblem(
        code="tokenizer_unreadable",
        message=say("{file} {why}。", "{file} {why}.", file=file, why=why),
        remedy=say(f"请重新下载 {file.name}。", f"Download {file.name} again."),
    )


def _ends_like_json(path: Path) -> bool:
    """Return whether the last character closes an object; parsing 11 MB for this would take long."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64))
        return file.read().rstrip().endswith(b"}")
