"""Preview a tokenized dataset: token counts of every row, single rows token by token.

    previews/<key>/  spec.json in, metrics.jsonl (progress), preview.json and result.json out

A worker tokenizes with the trainer's own encoding. Results are cached by spec, dataset and
tokenizer files, so that the same preview is computed once. This module knows no template and
no token.
"""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from studio.contract import PreviewFile, PreviewSpec, Progress, Result, TemplateName, event
from studio.language import say
from studio.modelfiles.settings import unsafe_environment
from studio.system import processes
from studio.system.atomic import guard_disk
from studio.system.background import reap
from studio.system.documents import read_whole
from studio.system.jsonl import read_tail
from studio.workspace import Workspace

KEPT = 40
"""Previews kept in the cache; older ones are deleted when a new one starts."""
BLOCK = 20
"""Rows rendered at once, so that paging on needs no new worker."""


@dataclass(frozen=True, kw_only=True)
class TokenPreview:
    """A preview with its state and progress; `failure` is problem and remedy."""

    folder: Path
    state: Literal["running", "done", "failed"]
    file: PreviewFile | None = None
    done: int = 0
    total: int = 0
    failure: tuple[str, str] | None = None


def count_rows(
    workspace: Workspace,
    *,
    model: Path,
    dataset_dir: Path,
    template: TemplateName = "auto",
    entries: Sequence[str] = ("train", "eval"),
    command: Sequence[str] = processes.DEFAULT_COMMAND,
) -> TokenPreview:
    """Count the tokens of every row; called again while the worker runs, it returns the progress."""
    spec = PreviewSpec(
        model_name_or_path=model, dataset_dir=dataset_dir, template=template, count=tuple(entries)
    )
    return _request(workspace, spec, command)


def see_block(
    workspace: Workspace,
    *,
    model: Path,
    dataset_dir: Path,
    template: TemplateName = "auto",
    label_weight: float = 3.0,
    entry: str,
    row: int,
    command: Sequence[str] = processes.DEFAULT_COMMAND,
) -> TokenPreview:
    """Render the block of BLOCK rows around a row (from 0) token by token."""
    start = row // BLOCK * BLOCK
    spec = PreviewSpec(
        model_name_or_path=model,
        dataset_dir=dataset_dir,
        template=template,
        label_weight=label_weight,
        dataset=entry,
        rows=tuple(range(start, start + BLOCK)),
    )
    return _request(workspace, spec, command)


def too_long(lengths: Sequence[int], cutoff_len: int) -> int:
    """Count the rows that a training with that limit drops."""
    return sum(length > cutoff_len for length in lengths)


def forget(preview: TokenPreview) -> None:
    """Delete a cached preview, so that it can be computed again."""
    assert preview.state != "running", preview.folder
    shutil.rmtree(preview.folder, ignore_errors=True)


def _request(workspace: Workspace, spec: PreviewSpec, command: Sequence[str]) -> TokenPreview:
    """Read a preview from the cache, or start its worker."""
    folder = workspace.previews / _key(spec)
    if not processes.was_started(folder):
        _start(workspace, folder, spec, command)
    # The lock before the result: a worker that ends in between must not look lost.
    alive = processes.is_alive(folder)
    result_file = folder / "result.json"
    if not result_file.exists():
        return _running(folder) if alive else _failed(folder, _lost(folder))
    try:
        result = Result.model_validate_json(read_whole(result_file))
    except (OSError, ValueError):
        return _failed(folder, _lost(folder))
    if result.status != "done":
        return _failed(folder, (result.text("message"), result.text("remedy")))
    try:
        file = PreviewFile.model_validate_json(read_whole(folder / "preview.json"))
    except (OSError, ValueError):
        return _failed(folder, _lost(folder))
    return TokenPreview(folder=folder, state="done", file=file)


def _start(workspace: Workspace, folder: Path, spec: PreviewSpec, command: Sequence[str]) -> None:
    _drop_old(workspace)
    with guard_disk(workspace.previews):
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / ".spec.json.unfinished"
        unfinished.write_text(spec.model_dump_json(indent=2) + "\n", encoding="utf-8")
        unfinished.replace(folder / "spec.json")
        try:
            process = processes.start_worker(
                folder,
                processes.worker_command(spec.kind, command),
                cwd=workspace.home,
                environment=unsafe_environment(workspace),
            )
        except FileExistsError:
            return  # another page requested the same at this moment
    reap(process)


def _drop_old(workspace: Workspace) -> None:
    folders = sorted(workspace.previews.glob("*"), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in folders[KEPT:]:
        if not processes.is_alive(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _key(spec: PreviewSpec) -> str:
    """Hash the spec and the files that the preview depends on."""
    parts = [spec.model_dump_json()]
    for folder in (spec.model_name_or_path, spec.dataset_dir):
        for path in sorted(folder.glob("*")):
            if path.is_file() and path.suffix not in (".safetensors", ".bin", ".gguf"):
                known = path.stat()
                parts.append(f"{path.name} {known.st_size} {known.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def _running(folder: Path) -> TokenPreview:
    last = Progress(phase="loading")
    for line in read_tail(folder / "metrics.jsonl", 2).splitlines():
        try:
            reported = event.validate_json(line)
        except ValidationError:
            continue  # still being written
        last = reported if isinstance(reported, Progress) else last
    return TokenPreview(folder=folder, state="running", done=last.done, total=last.total)


def _failed(folder: Path, failure: tuple[str, str]) -> TokenPreview:
    return TokenPreview(folder=folder, state="failed", failure=failure)


def _lost(folder: Path) -> tuple[str, str]:
    return (
        say(
            f"统计词元的进程中断：{read_tail(folder / 'log.txt', 2)}",
            f"Counting tokens was interrupted: {read_tail(folder / 'log.txt', 2)}",
        ),
        say("请再试一次。", "Try again."),
    )
