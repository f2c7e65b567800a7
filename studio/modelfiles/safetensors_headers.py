"""Read and check the headers of safetensors files.

A safetensors file is 8 bytes of length, that much JSON (name -> dtype, shape, offsets),
then the numbers. Only the header is read, so a 14 GB file is checked in milliseconds.

Source: https://huggingface.co/docs/safetensors, "Format".
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Literal

from studio.language import say
from studio.system.documents import READ_FAULTS, one_line, parse_json, read_whole

Shape = tuple[int, ...]

_LARGEST_HEADER = 100_000_000
_MOST_NUMBERS = 2**50
_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, kw_only=True)
class ModelProblem:
    """One thing that is wrong with a model or adapter folder, and what to do."""

    code: str
    message: str
    remedy: str
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The tensors of a folder, as far as its files are sound."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    size_bytes: int = 0
    problems: tuple[ModelProblem, ...] = ()


def read_weights(folder: Path, stem: str = "model") -> Weights:
    """Read the tensor shapes of `stem.safetensors`, or of the shards that its index names."""
    index = folder / f"{stem}.safetensors.index.json"
    if index.exists():
        return _read_indexed(folder, index)
    single = folder / f"{stem}.safetensors"
    if single.exists():
        return _read_files([single])
    shards = sorted(folder.glob(f"{stem}-*-of-*.safetensors"))
    if shards:
        return Weights(problems=(_no_index(index),))
    return Weights(problems=(_no_weights(folder, stem),))


def indexed_files(index: Path) -> set[str]:
    """Read the names of the shards in an index; empty when it cannot be read."""
    try:
        return {str(name) for name in parse_json(read_whole(index))["weight_map"].values()}
    except READ_FAULTS:
        return set()


def _read_indexed(folder: Path, index: Path) -> Weights:
    try:
        weight_map = parse_json(read_whole(index))["weight_map"]
        names = sorted({str(name) for name in weight_map.values()})
        missing = [name for name in names if not (folder / name).exists()]
    except READ_FAULTS as error:
        return Weights(problems=(_bad_index(index, error),))
    if missing:
        return Weights(problems=(_missing_shards(folder, missing, len(names)),))
    weights = _read_files(folder / name for name in names)
    absent = sorted(set(weight_map) - set(weights.shapes))
    if absent and not weights.problems:
        return Weights(
            shapes=weights.shapes, size_bytes=weights.size_bytes, problems=(_stale_index(index, absent),)
        )
    return weights


def _read_files(paths: Iterable[Path]) -> Weights:
    shapes: dict[str, Shape] = {}
    problems: list[ModelProblem] = []
    size = 0
    for path in paths:
        header = read_header(path)
        if isinstance(header, ModelProblem):
            problems.append(header)
        else:
            shapes |= header
            size += path.stat().st_size
    return Weights(shapes=shapes, size_bytes=size, problems=tuple(problems))


def read_header(path: Path) -> dict[str, Shape] | ModelProblem:
    """Read tensor shapes by name, or return the problem of a truncated or unreadable file."""
    try:
        if not path.is_file():
            return _unreadable(path, ValueError(say("不是普通文件", "no regular file")))
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            if start == _POINTER[:8]:
                return lfs_pointer(path)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= _LARGEST_HEADER or 8 + length > size:
                return _truncated(path, size, None)
            header = parse_json(file.read(length))
        header.pop("__metadata__", None)
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        shapes = {str(name): _shape(entry["shape"]) for name, entry in header.items()}
        if size != 8 + length + end:
            return _truncated(path, size, 8 + length + end)
    except READ_FAULTS as error:
        return _unreadable(path, error)
    return shapes


def _shape(given: Sequence[int]) -> Shape:
    """Convert a shape.

    Raises:
        ValueError: a tensor of such a shape cannot be on any disk.
    """
    shape = tuple(int(n) for n in given)
    if any(n < 0 for n in shape) or prod(shape) > _MOST_NUMBERS:
        raise ValueError(f"shape {one_line(given, 60)}")
    return shape


def reason(error: Exception) -> str:
    """Format what a parser says of a file; a KeyError says only the key."""
    text = one_line(error)
    return text if isinstance(error, OSError | ValueError) else f"{type(error).__name__} {text}".strip()


def _download_again(path: Path) -> str:
    return say(f"请重新下载 {path.name}。", f"Download {path.name} again.")


def _truncated(path: Path, size: int, expected: int | None) -> ModelProblem:
    if expected is None:
        message = say(
            f"权重文件 {path} 不完整或不是 safetensors（{size} 字节）。",
            f"The weight file {path} is incomplete or no safetensors file ({size:,} bytes).",
        )
    else:
        message = say(
            f"权重文件 {path} 不完整：应为 {expected} 字节，实际 {size} 字节。",
            f"The weight file {path} is incomplete: {size:,} of {expected:,} bytes.",
        )
    return ModelProblem(code="shard_truncated", message=message, remedy=_download_again(path))


def _unreadable(path: Path, error: Exception) -> ModelProblem:
    return ModelProblem(
        code="shard_unreadable",
        message=say(
            "权重文件 {path} 无法读取：{why}",
            "The weight file {path} cannot be read: {why}",
            path=path,
            why=reason(error),
        ),
        remedy=_download_again(path),
    )


def is_lfs_pointer(path: Path) -> bool:
    """Return whether the file is only a Git LFS pointer; False also for what is no regular file."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def lfs_pointer(path: Path) -> ModelProblem:
    """Build the problem of a file that is only a Git LFS pointer."""
    return ModelProblem(
        code="lfs_pointer",
        message=say(
            f"{path} 只是 Git LFS 的指针，不是文件本身。",
            f"{path} is a Git LFS pointer, not the file itself.",
        ),
        remedy=say(
            "请在模型文件夹里运行 git lfs pull，或用 news-studio models download 下载。",
            "Run git lfs pull in the model folder, or download with news-studio models download.",
        ),
    )


def _missing_shards(folder: Path, missing: list[str], total: int) -> ModelProblem:
    names = one_line(", ".join(missing[:5])) + (" ..." if len(missing) > 5 else "")
    return ModelProblem(
        code="shard_missing",
        message=say(
            f"{folder} 缺少 {total} 个权重分片中的 {len(missing)} 个：{names}",
            f"{folder} lacks {len(missing)} of its {total} weight shards: {names}",
        ),
        remedy=say(
            "请下载缺少的文件，放进同一个文件夹。", "Download the missing files into the same folder."
        ),
    )


def _no_index(index: Path) -> ModelProblem:
    return ModelProblem(
        code="index_missing",
        message=say(
            f"权重分成多片，但没有索引 {index}。",
            f"The weights are in shards, but the index {index} is missing.",
        ),
        remedy=_download_again(index),
    )


def _bad_index(index: Path, error: Exception) -> ModelProblem:
    return ModelProblem(
        code="index_unreadable",
        message=say(
            "权重索引 {index} 无法读取：{why}",
            "The weight index {index} cannot be read: {why}",
            index=index,
            why=reason(error),
        ),
        remedy=_download_again(index),
    )


def _stale_index(index: Path, absent: list[str]) -> ModelProblem:
    return ModelProblem(
        code="index_mismatch",
        message=say(
            f"索引 {index} 提到的 {len(absent)} 个张量不在分片里，例如 {one_line(absent[0])}。",
            f"{len(absent)} tensors that {index} names are in no shard, {one_line(absent[0])} for one.",
        ),
        remedy=say(
            "请从同一个来源重新下载索引和全部分片。",
            "Download the index and all shards again from one source.",
        ),
    )


def _no_weights(folder: Path, stem: str) -> ModelProblem:
    if any(folder.glob("*.bin")) or any(folder.glob("*.pth")) or any(folder.glob("*.pt")):
        return ModelProblem(
            code="bin_only",
            message=say(
                f"{folder} 只有 PyTorch .bin 权重；它可能执行任意代码，因此不读取。",
                f"{folder} has PyTorch .bin weights only; they can execute arbitrary code and are not read.",
            ),
            remedy=say(
                "请下载 safetensors 版本，或用 save_pretrained(safe_serialization=True) 转换；"
                "管理员也可在模型页单独允许它。",
                "Download the safetensors files, or convert with save_pretrained(safe_serialization=True);"
                " an admin can also allow this one model on the Models page.",
            ),
        )
    if any(folder.glob("*.gguf")):
        return gguf_only(folder)
    marks = ("*.incomplete", "*.part", "*.tmp", "*.aria2")
    unfinished = next((path.name for mark in marks for path in folder.glob(mark)), None)
    found_zh = f"，只有未完成的下载 {unfinished}" if unfinished else ""
    found_en = f", only an unfinished download, {unfinished}" if unfinished else ""
    return ModelProblem(
        code="weights_missing",
        message=say(f"{folder} 没有权重文件{found_zh}。", f"{folder} has no weight file{found_en}."),
        remedy=say(
            f"请把 {stem}.safetensors 下载到这个文件夹。", f"Download {stem}.safetensors into this folder."
        ),
    )


def gguf_only(path: Path) -> ModelProblem:
    """Build the problem of a GGUF file or folder where a base model is wanted."""
    return ModelProblem(
        code="gguf_only",
        message=say(
            f"{path} 是 GGUF，只能用于推理，不能训练。",
            f"{path} is GGUF: made for inference, it cannot be trained.",
        ),
        remedy=say(
            "请下载同一模型的 safetensors 版本（不带 -GGUF 后缀的仓库）。",
            "Download the same model as safetensors (the repository without -GGUF in its name).",
        ),
    )
