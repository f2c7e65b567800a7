"""Hash a checkpoint, so that a release stands for certain weights and not for a folder."""

import hashlib
from functools import lru_cache
from pathlib import Path

from studio.errors import ModelUnusable
from studio.language import say
from studio.releases.models import Release
from studio.workspace import SAMPLE_RUN, Workspace


def checkpoint_hash(folder: Path) -> str:
    """Hash the files of a checkpoint, names included; what a training needs to go on is not part of it.

    Raises:
        OSError: a file cannot be read.
    """
    lines = [
        f"{_file_hash(*_state(file))}  {file.name}\n" for file in sorted(folder.iterdir()) if file.is_file()
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _state(file: Path) -> tuple[Path, int, int]:
    status = file.stat()
    return file, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=256)
def _file_hash(file: Path, size: int, written: int) -> str:
    """Cache by path, length and time: a page asks at every press."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def checkpoint_of(workspace: Workspace, release: Release) -> Path:
    """Return the folder of the checkpoint of a release, whether it is there or not."""
    folder = SAMPLE_RUN if release.run == SAMPLE_RUN.name else workspace.runs / release.run
    return folder / release.checkpoint


def is_unchanged(workspace: Workspace, release: Release) -> bool:
    """Return whether the checkpoint of a release is there and is what was signed."""
    try:
        return checkpoint_hash(checkpoint_of(workspace, release)) == release.checkpoint_sha256
    except OSError:
        return False


def require_unchanged(workspace: Workspace, release: Release) -> None:
    """Require that the checkpoint of a release is what was signed.

    Raises:
        ModelUnusable: it was changed or moved away.
    """
    if not is_unchanged(workspace, release):
        raise ModelUnusable(
            say(
                "发布 {name} 的检查点与签发时不同，或已不在。",
                "The checkpoint of release {name} is not what was signed, or is gone.",
                name=release.name,
            ),
            remedy=say(
                "请从备份恢复 {folder}，或在“发布”页退回上一个。",
                "Restore {folder} from a backup, or go back to the release before on the Release page.",
                folder=checkpoint_of(workspace, release),
            ),
        )
