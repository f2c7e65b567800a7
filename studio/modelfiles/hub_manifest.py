"""List the files of a model on a hub, and verify a copy against them.

Hashes are known from the manifest that a download leaves beside the model, from the names
of the blobs in Hugging Face's cache, and from the metadata of `hf download --local-dir`.
This module knows no network.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict

from studio.errors import DownloadFailed
from studio.language import say
from studio.modelfiles.safetensors_headers import ModelProblem
from studio.modelfiles.tokenizer_files import TOKENIZERS
from studio.system.documents import read_whole

RECORD = "studio_download.json"
"""The manifest beside a downloaded model: its files as the hub lists them."""
WEIGHTS = (".safetensors", ".bin", ".pth", ".pt")
CHUNK = 8 * 2**20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_STANDARD = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
_TEXTS = (".json", ".jinja", ".txt", ".md", ".model", ".tiktoken")
_PAPERS = ("LICENSE", "NOTICE", "USAGE_POLICY")
_PICKLES = (".bin", ".pth", ".pt")


class HubFile(BaseModel):
    """A file as the hub lists it. `size` in bytes; `sha256` is None where the hub gives none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    size: int
    sha256: str | None = None

    @property
    def is_weights(self) -> bool:
        """Whether it holds weights rather than config or tokenizer."""
        return self.path.endswith(WEIGHTS)


class DownloadRecord(BaseModel):
    """studio_download.json: where a model came from, and the hub's own list of its files."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format_version: int = 1
    hub: str = "modelscope"
    endpoint: str
    model_id: str
    revision: str
    fetched_at: datetime
    files: tuple[HubFile, ...]


@dataclass(frozen=True, kw_only=True)
class HashReport:
    """The result of verifying against the hub's hashes; files by name."""

    same: tuple[str, ...]
    unknown: tuple[str, ...]
    problems: tuple[ModelProblem, ...]


def wanted_files(model_id: str, files: Sequence[HubFile], *, unsafe: bool = False) -> list[HubFile]:
    """Select the files of a repository to download: what transformers reads, and the license texts.

    Pictures, other formats and folders are skipped, and so are pickle weights and code
    unless `unsafe`.

    Raises:
        DownloadFailed: the repository holds no complete base model; nothing was fetched yet.
    """
    for file in files:
        _require_plain_path(model_id, file.path)
    top = [file for file in files if "/" not in file.path and not file.path.startswith(".")]
    safe = [file for file in top if file.path.endswith(".safetensors")]
    standard = [file for file in safe if _STANDARD.fullmatch(file.path)]
    pickles = [file for file in top if file.path.endswith(_PICKLES)] if unsafe and not safe else []
    texts = [file for file in top if _is_text(file.path) or (unsafe and file.path.endswith(".py"))]
    _require_model(model_id, {file.path for file in files}, bool(safe or pickles))
    return [*texts, *(standard or safe or pickles)]


def _is_text(name: str) -> bool:
    # vocab.txt, merges.txt, tokenizer.model and their like; not a model's training log.
    return (name.endswith(_TEXTS) and name != RECORD) or name.startswith(_PAPERS)


def _require_plain_path(model_id: str, path: str) -> None:
    parts = PurePosixPath(path)
    if path and not parts.is_absolute() and ".." not in parts.parts and not re.search(r"[\\\0\n:]", path):
        return
    raise DownloadFailed(
        say(
            f"{model_id} 的文件列表里有不安全的文件名，已拒绝。",
            f"The file list of {model_id} holds an unsafe file name and is refused.",
        ),
        remedy=say(
            "请检查镜像地址；正规的仓库里没有这样的文件名。",
            "Check the mirror's address; no proper repository holds such a name.",
        ),
    )


def _require_model(model_id: str, names: set[str], has_weights: bool) -> None:
    if "config.json" not in names and "adapter_config.json" in names:
        raise DownloadFailed(
            say(
                f"{model_id} 是 LoRA 适配器，不是基座模型。",
                f"{model_id} is a LoRA adapter, not a base model.",
            ),
            remedy=say(
                "请下载它的基座；名字在它主页的 adapter_config.json 里。",
                "Download its base, which its adapter_config.json names.",
            ),
        )
    if not has_weights:
        raise _no_safetensors(model_id, names)
    missing = [] if "config.json" in names else ["config.json"]
    missing += [] if names & set(TOKENIZERS) else [TOKENIZERS[0]]
    if missing:
        raise DownloadFailed(
            say(f"{model_id} 里没有 {missing[0]}。", f"{model_id} has no {missing[0]}."),
            remedy=say("请选一个完整的模型仓库。", "Choose a repository with the complete model."),
        )


def _no_safetensors(model_id: str, names: set[str]) -> DownloadFailed:
    if any(name.endswith(".gguf") for name in names):
        found = say("只有 GGUF，不能训练", "only has GGUF files, which cannot be trained")
        remedy = say("请用名字里不带 -GGUF 的仓库。", "Use the repository without -GGUF in its name.")
    elif any(name.endswith(_PICKLES) for name in names):
        found = say(
            "只有 pickle 权重（.bin），它们可能执行任意代码",
            "only has pickle weights, which can run any code",
        )
        remedy = say(
            "请选有 safetensors 的仓库；确需使用时，管理员可在模型页单独允许它。",
            "Choose a repository with safetensors; if it has to be this one,"
            " an admin can allow it on the Models page.",
        )
    elif any(name.endswith(".safetensors") for name in names):
        found = say("的权重在子文件夹里", "keeps its weights in a subfolder")
        remedy = say(
            "它不是一个完整的语言模型仓库，请换一个。", "It is no plain language model; choose another."
        )
    else:
        found = say("里没有权重文件", "has no weight files")
        remedy = say("请检查名字。", "Check the name.")
    return DownloadFailed(
        say(
            "{model_id} {found}；什么也没有下载。",
            "{model_id} {found}; nothing was downloaded.",
            model_id=model_id,
            found=found,
        ),
        remedy=remedy,
    )


def read_record(folder: Path) -> DownloadRecord | None:
    """Read the manifest that a download left beside the model; None without a readable one of ours."""
    try:
        return DownloadRecord.model_validate_json(read_whole(folder / RECORD))
    except (OSError, ValueError):
        return None


def file_sha256(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """Hash a file: SHA-256 in hexadecimal; `on_bytes` is called with the bytes of every chunk."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
            if on_bytes:
                on_bytes(len(piece))
    return digest.hexdigest()


def known_hashes(folder: Path) -> dict[str, str]:
    """Collect the known SHA-256 by file name: from our manifest, else from Hugging Face's cache."""
    record = read_record(folder)
    known = {file.path: file.sha256 for file in record.files if file.sha256} if record else {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        sha256 = _blob_name(file) or _local_dir_etag(folder, file.name)
        if sha256:
            known.setdefault(file.name, sha256)
    return known


def _blob_name(file: Path) -> str | None:
    """Read the hash from a link in Hugging Face's cache: LFS blobs are named by their hash."""
    name = file.readlink().name if file.is_symlink() else ""
    return name if _SHA256.fullmatch(name) else None


def _local_dir_etag(folder: Path, name: str) -> str | None:
    metadata = folder / ".cache" / "huggingface" / "download" / f"{name}.metadata"
    try:
        lines = metadata.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    # Commit, ETag, time. The ETag of an LFS file is its hash.
    return lines[1] if len(lines) > 1 and _SHA256.fullmatch(lines[1]) else None


def verify_hashes(folder: Path, on_progress: Callable[[int, int], None] | None = None) -> HashReport:
    """Verify every file of a model whose hash is known; takes a second a gigabyte or two.

    Args:
        folder: the model.
        on_progress: called with bytes done and bytes in all.
    """
    known = known_hashes(folder)
    paths = {name: folder / name for name in known}
    total = sum(path.stat().st_size for path in paths.values() if path.is_file())
    done = 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        if on_progress:
            on_progress(done, total)

    problems = [_compare(paths[name], known[name], report) for name in known]
    bad = {name for name, problem in zip(known, problems, strict=True) if problem}
    return HashReport(
        same=tuple(name for name in known if name not in bad),
        unknown=tuple(sorted(_loose_files(folder, known))),
        problems=tuple(problem for problem in problems if problem),
    )


def _loose_files(folder: Path, known: Iterable[str]) -> set[str]:
    files = {file.name for file in folder.iterdir() if file.is_file()} if folder.is_dir() else set()
    return {name for name in files - set(known) - {RECORD} if not name.startswith(".")}


def _compare(path: Path, expected: str, on_bytes: Callable[[int], None]) -> ModelProblem | None:
    if not path.is_file():
        code, zh, en = "file_missing", "不在了", "is missing"
    elif file_sha256(path, on_bytes) != expected:
        code, zh, en = (
            "hash_mismatch",
            "的内容与发布的不同（SHA-256 不符）",
            "differs from what was published (SHA-256)",
        )
    else:
        return None
    return ModelProblem(
        code=code,
        message=say(f"{path} {zh}。", f"{path} {en}."),
        remedy=say(
            f"请重新下载 {path.name}；在模型页下载同一个模型只会取坏掉的文件。",
            f"Download {path.name} again; downloading the model once more on the Models page"
            " fetches only what is bad.",
        ),
    )
