"""Pack the folder of an export as a zip: for a browser where it is small, else as a file beside it."""

import io
import zipfile
from pathlib import Path
from typing import IO

LARGEST_DOWNLOAD = 200 * 2**20
"""Bytes up to which a zip goes through the browser; the web server holds a download in memory."""
_STORED = (".gguf", ".safetensors")
"""Weights do not get smaller; compressing them would only take time."""


def folder_size(folder: Path) -> int:
    """Add up the bytes of all files of a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def zip_bytes(folder: Path) -> bytes:
    """Pack a folder in memory; ask `folder_size` first."""
    packed = io.BytesIO()
    _write(folder, packed)
    return packed.getvalue()


def zip_file(folder: Path) -> Path:
    """Pack a folder into a file beside it, which appears in one step; file by file, not in memory."""
    target = folder.with_name(f"{folder.name}.zip")
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        with unfinished.open("wb") as out:
            _write(folder, out)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def _write(folder: Path, out: IO[bytes]) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not file.is_symlink():
                kind = zipfile.ZIP_STORED if file.suffix in _STORED else zipfile.ZIP_DEFLATED
                packed.write(file, Path(folder.name) / file.relative_to(folder), compress_type=kind)
