"""Restore a backup into an empty workspace: all of it, or nothing.

Everything is unpacked beside the workspace, compared with the hashes of the manifest, and the database
is read from end to end, before the folder takes its place.
"""

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from studio.errors import DiskFull, InputError, UnreadableFile
from studio.language import say
from studio.operations.backup import FORMAT_VERSION, MANIFEST, Manifest
from studio.store import integrity_problem, require_usable
from studio.system.atomic import guard_disk
from studio.workspace import Workspace

_PIECE = 1 << 20
_LARGEST_MANIFEST = 256 << 20


def restore(
    backup: Path, home: Path, *, on_bytes: Callable[[int, int], None] = lambda done, total: None
) -> Manifest:
    """Restore a backup into a workspace that is empty or does not exist yet.

    Args:
        on_bytes: called with the bytes of the backup read so far, and all of them.

    Raises:
        InputError: the workspace has something in it.
        UnreadableFile: the file is no backup, broken off, changed, or of a newer studio; nothing was
            restored.
        DatabaseUnusable: the database in it cannot be used by this studio; nothing was restored.
        DiskFull: not enough room; nothing was restored.
    """
    home = home.expanduser().absolute()
    _require_empty(home)
    draft = home.with_name(f".{home.name}.restoring")
    with guard_disk(home):
        home.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        try:
            manifest = _unpack(backup, draft, on_bytes)
            _require_sound(backup, draft)
            if home.exists():
                _remove_empty(home)
            draft.rename(home)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return manifest


def _require_empty(home: Path) -> None:
    """Check that nothing would be written over; the empty folders of a new workspace count as nothing."""
    first = next((path for path in sorted(home.rglob("*")) if not path.is_dir()), None)
    if first is None and (home.is_dir() or not home.exists()):
        return
    raise InputError(
        say(
            f"{home} 不是空的（例如 {first or home}）。",
            f"{home} is not empty (for example {first or home}).",
        ),
        remedy=say(
            "请用 --home 指定一个新文件夹；恢复不会覆盖任何东西。",
            "Name a new folder with --home; restoring writes over nothing.",
        ),
    )


def _remove_empty(home: Path) -> None:
    for folder, _folders, _names in os.walk(home, topdown=False):
        Path(folder).rmdir()


def _unpack(backup: Path, draft: Path, on_bytes: Callable[[int, int], None]) -> Manifest:
    found: dict[str, tuple[int, str]] = {}
    manifest = None
    try:
        total = backup.stat().st_size
        if shutil.disk_usage(draft).free < total:
            raise _no_room(draft, total)
        with tarfile.open(backup, "r:") as archive:
            for entry in archive:
                on_bytes(entry.offset, total)
                if entry.name == MANIFEST:
                    manifest = _read_manifest(archive, entry, backup)
                else:
                    found[entry.name] = _unpack_file(archive, entry, draft, backup)
    except FileNotFoundError as error:
        raise _unreadable(backup, say("没有这个文件", "there is no such file")) from error
    except (tarfile.TarError, EOFError) as error:
        raise _unreadable(
            backup, say("不是备份文件，或已被截断", "it is no backup, or it breaks off")
        ) from error
    if manifest is None:
        raise _unreadable(
            backup, say("缺少结尾的清单，已被截断", "the list at its end is missing: it breaks off")
        )
    expected = {name: (entry.size, entry.sha256) for name, entry in manifest.files.items()}
    different = sorted(
        name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
    )
    if different:
        raise _unreadable(
            backup, say(f"{different[0]} 与清单不符", f"{different[0]} is not what its list says")
        )
    return manifest


def _unpack_file(
    archive: tarfile.TarFile, entry: tarfile.TarInfo, draft: Path, backup: Path
) -> tuple[int, str]:
    parts = PurePosixPath(entry.name).parts
    is_plain = entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and entry.sparse is None
    if not is_plain or not parts or entry.name.startswith("/") or ".." in parts:
        raise _unreadable(
            backup, say(f"{entry.name!r} 不该在备份里", f"{entry.name!r} has no place in a backup")
        )
    content = archive.extractfile(entry)
    assert content is not None
    path = draft.joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        while piece := content.read(_PIECE):
            digest.update(piece)
            size += len(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(entry.mode & 0o777)
    os.utime(path, (entry.mtime, entry.mtime))
    return size, digest.hexdigest()


def _read_manifest(archive: tarfile.TarFile, entry: tarfile.TarInfo, backup: Path) -> Manifest:
    content = archive.extractfile(entry)
    if content is None or entry.size > _LARGEST_MANIFEST:
        raise _unreadable(backup, say("清单无法读取", "its list cannot be read"))
    try:
        manifest = Manifest.model_validate_json(content.read())
    except ValidationError as error:
        raise _unreadable(backup, say("清单无法读取", "its list cannot be read")) from error
    if manifest.format_version > FORMAT_VERSION:
        raise UnreadableFile(
            say(
                f"{backup} 由更新版本的 News Studio（{manifest.studio}）写成。",
                f"{backup} was written by a newer News Studio ({manifest.studio}).",
            ),
            remedy=say(
                "请先升级 News Studio。没有恢复任何东西。", "Update News Studio. Nothing was restored."
            ),
        )
    return manifest


def _require_sound(backup: Path, draft: Path) -> None:
    workspace = Workspace(home=draft)
    if not workspace.database.exists():
        raise _unreadable(backup, say("里面没有数据库", "there is no database in it"))
    require_usable(workspace.database)
    if problem := integrity_problem(workspace.database):
        raise _unreadable(backup, say(f"数据库已损坏：{problem}", f"its database is damaged: {problem}"))


def _unreadable(backup: Path, why: str) -> UnreadableFile:
    return UnreadableFile(
        say("不能从 {backup} 恢复：{why}。", "Cannot restore from {backup}: {why}.", backup=backup, why=why),
        remedy=say(
            "请换一份备份，或重新传输这个文件；没有恢复任何东西。",
            "Take another backup, or copy the file again; nothing was restored.",
        ),
    )


def _no_room(folder: Path, total: int) -> DiskFull:
    return DiskFull(
        say(
            f"恢复要 {total / 2**30:.1f} GiB，{folder.parent} 的空间不够。",
            f"Restoring takes {total / 2**30:.1f} GiB, more than {folder.parent} has left.",
        ),
        remedy=say(
            "请腾出空间后再试；没有恢复任何东西。", "Free some space and try again; nothing was restored."
        ),
    )
