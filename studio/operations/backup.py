"""Back a workspace up while people work: one tar file with the database, the folders, and their hashes.

    studio.db  datasets/...  runs/...  models.json  ...   then manifest.json, which names them all

The database is copied in one transaction; folders are read as they are, since files in them are written
once, appended to, or replaced in one step. What can be made again (previews, scans, the state of servers)
and what is secret (keys) stays out; base models are large and stay out unless they are asked for.
`studio.operations.restore` reads the file.
"""

import contextlib
import hashlib
import io
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict

from studio.errors import DiskFull, InputError, WorkspaceBusy
from studio.language import say
from studio.store import require_usable, snapshot
from studio.system.atomic import in_one_step
from studio.workspace import Workspace

MANIFEST = "manifest.json"
FORMAT_VERSION = 1
MADE_AGAIN = ("backups", "owners", "previews", "probes", "quality", "serving", "suggesting")
"""Folders of a workspace that stay out: the studio writes them anew, or they are copies themselves."""
NEVER = (".lock", ".log", ".key")
"""How names at the top of a workspace end that stay out: locks, logs, keys."""


class FileEntry(BaseModel):
    """A file of a backup: bytes, and the SHA-256 of its content in hexadecimal digits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    sha256: str


class Manifest(BaseModel):
    """What a backup holds; its last entry, so that a file that breaks off has none."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format_version: int
    made_at: str
    """UTC, ISO 8601."""
    studio: str
    """Version of the studio that wrote it."""
    files: dict[str, FileEntry]
    left_out: list[str]
    """Paths in the workspace that stay out and that nobody but their owner can make again."""


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A backup that was written: its file, what is in it, and what is not."""

    path: Path
    size: int
    manifest: Manifest

    def to_json(self) -> dict[str, object]:
        """Build the document of `news-studio backup --json`."""
        return {
            "path": str(self.path),
            "bytes": self.size,
            "files": len(self.manifest.files),
            "made_at": self.manifest.made_at,
            "left_out": self.manifest.left_out,
        }


def write_backup(
    workspace: Workspace,
    out: Path,
    *,
    with_models: bool = False,
    on_bytes: Callable[[int, int], None] = lambda done, total: None,
) -> Backup:
    """Write a backup of the workspace; nobody who works in it waits.

    Args:
        out: the file, or a folder in which one is named after the time. A file of that name is replaced
            once the new one is whole, and not before.
        with_models: with the base models in `models/`.
        on_bytes: called with the bytes written so far, and those there will be.

    Raises:
        InputError: there is nothing to back up.
        DatabaseUnusable: the database is lost or damaged; a backup of it would be none.
        DiskFull: not enough room; what was there is untouched.
    """
    require_usable(workspace.database)
    if not workspace.database.exists():
        raise InputError(
            say(f"{workspace.home} 里还没有数据。", f"There is nothing in {workspace.home} yet."),
            remedy=say("请用 --home 指定工作区。", "Name the workspace with --home."),
        )
    target = out / _file_name() if out.is_dir() else out
    with in_one_step(target) as draft, _database_copy(workspace, target) as database:
        files = {"studio.db": database, **_files(workspace, with_models, without={target, draft, database})}
        total = sum(path.stat().st_size for path in files.values() if path.exists())
        _require_room(target.parent, total)
        manifest = _write_archive(
            draft, files, _left_out(workspace, with_models), lambda n: on_bytes(n, total)
        )
    return Backup(path=target, size=target.stat().st_size, manifest=manifest)


class _Counted:
    """A file that is read to the size it had when it was listed, hashed and counted on the way.

    A log that grows meanwhile is taken as it was then.
    """

    def __init__(self, file: IO[bytes], size: int, on_bytes: Callable[[int], None]) -> None:
        self.file = file
        self.left = size
        self.hash = hashlib.sha256()
        self.on_bytes = on_bytes

    def read(self, count: int = -1) -> bytes:
        piece = self.file.read(self.left if count < 0 else min(count, self.left))
        self.left -= len(piece)
        self.hash.update(piece)
        self.on_bytes(len(piece))
        return piece


def _write_archive(
    draft: Path, files: dict[str, Path], left_out: list[str], on_bytes: Callable[[int], None]
) -> Manifest:
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        on_bytes(done)

    entries = {}
    with tarfile.open(_private(draft), "w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in files.items():
            # A checkpoint that was pruned, a run that was deleted since the files were listed.
            with contextlib.suppress(FileNotFoundError), path.open("rb") as opened:
                entry = archive.gettarinfo(arcname=name, fileobj=opened)
                entry.uname = entry.gname = ""
                counted = _Counted(opened, entry.size, count)
                _add(archive, entry, counted, path)
                entries[name] = FileEntry(size=entry.size, sha256=counted.hash.hexdigest())
        manifest = Manifest(
            format_version=FORMAT_VERSION,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            studio=version("news-studio"),
            files=entries,
            left_out=left_out,
        )
        content = manifest.model_dump_json(indent=1).encode()
        last = tarfile.TarInfo(MANIFEST)
        last.size, last.mode, last.mtime = len(content), 0o600, int(time.time())
        archive.addfile(last, io.BytesIO(content))
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    return manifest


def _add(archive: tarfile.TarFile, entry: tarfile.TarInfo, content: _Counted, path: Path) -> None:
    try:
        archive.addfile(entry, content)
    except OSError as error:
        if error.errno is not None:
            raise
        # tarfile's own: fewer bytes came than the size that stands in the archive already.
        raise WorkspaceBusy(
            say(f"{path} 在备份时被截短了。", f"{path} was cut short while it was being backed up."),
            remedy=say(
                "请再试一次；原来的备份没有动。", "Try again; the backup that was there is untouched."
            ),
        ) from error


def _private(path: Path) -> Path:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    return path


@contextlib.contextmanager
def _database_copy(workspace: Workspace, target: Path) -> Iterator[Path]:
    copy = target.with_name(f".{target.name}.db")
    try:
        snapshot(workspace.database, copy)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _files(workspace: Workspace, with_models: bool, without: set[Path]) -> dict[str, Path]:
    """List the files of a backup by their path in the workspace, but for the database."""
    found = {}
    for folder, folders, names in os.walk(workspace.home):
        here = Path(folder)
        is_top = here == workspace.home
        skipped = {*MADE_AGAIN, *(() if with_models else ("models",))} if is_top else set()
        folders[:] = sorted(name for name in folders if not _is_draft(name) and name not in skipped)
        for name in sorted(names):
            path = here / name
            if path in without or _is_draft(name) or path.is_symlink() or not path.is_file():
                continue
            if is_top and (name.startswith(workspace.database.name) or name.endswith(NEVER)):
                continue
            found[path.relative_to(workspace.home).as_posix()] = path
    return found


def _is_draft(name: str) -> bool:
    return name.startswith(".freezing-") or name.endswith(".part")


def _left_out(workspace: Workspace, with_models: bool) -> list[str]:
    """List what stays out and cannot be made again by the studio: base models, keys, links."""
    models = [] if with_models else sorted(workspace.models.iterdir())
    keys = sorted(workspace.home.glob("*.key"))
    links = (
        Path(folder) / name
        for folder, folders, names in os.walk(workspace.home)
        for name in (*folders, *names)
        if (Path(folder) / name).is_symlink()
    )
    return sorted({path.relative_to(workspace.home).as_posix() for path in (*models, *keys, *links)})


def _require_room(folder: Path, total: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < total:
        raise DiskFull(
            say(
                f"{folder} 只剩 {free / 2**30:.1f} GiB，备份要 {total / 2**30:.1f} GiB。",
                f"{folder} has {free / 2**30:.1f} GiB left, the backup takes {total / 2**30:.1f}.",
            ),
            remedy=say("请腾出空间，或写到另一块磁盘。", "Free some space, or write it to another disk."),
        )


def _file_name() -> str:
    return f"news-studio-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.tar"
