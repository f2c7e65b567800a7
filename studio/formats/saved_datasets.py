"""Find the files of a data set folder that has no dataset_info.json of LLaMA-Factory's kind.

Two kinds: what `datasets` saved to disk, with state.json and arrow files, and what a hub
repository holds, one or several files a split. This module reads no row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.formats._file_types import broken_file
from studio.formats.encodings import decode
from studio.formats.json_stream import parse_json
from studio.formats.split_names import split_of

STATE, SPLITS = "state.json", "dataset_dict.json"
_FILES = 10_000
"""Files of a folder that are looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitFile:
    """A file of a split; `name` is its path in the folder."""

    path: Path
    name: str
    split: str


def saved_files(folder: Path) -> list[SplitFile] | None:
    """List the files of a data set that `datasets` saved to disk; None where the folder is none.

    Raises:
        UnreadableFile: its state names no files, or files outside of it.
    """
    if (folder / SPLITS).is_file():
        splits = _read(folder / SPLITS).get("splits")
        if not isinstance(splits, list) or not all(_is_name(split) for split in splits):
            raise broken_file(SPLITS, "splits")
        return [file for split in splits for file in _of_state(folder, folder / split, split)]
    if (folder / STATE).is_file():
        return list(_of_state(folder, folder, ""))
    return None


def _of_state(home: Path, folder: Path, split: str) -> Iterator[SplitFile]:
    state = _read(folder / STATE)
    files = state.get("_data_files")
    for file in files if isinstance(files, list) else []:
        name = file.get("filename") if isinstance(file, dict) else None
        if not isinstance(name, str) or not _is_name(name):
            raise broken_file(STATE, "_data_files")
        path = folder / name
        yield SplitFile(
            path=path, name=str(path.relative_to(home)), split=split or str(state.get("_split") or "")
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise broken_file(path.name, error.strerror) from error
    value = parse_json(decode(data, path.name), path.name)
    if not isinstance(value, dict):
        raise broken_file(path.name, type(value).__name__)
    return value


def _is_name(name: object) -> bool:
    """Return whether a name is that of a file or folder right here."""
    return isinstance(name, str) and name not in ("", ".", "..") and "/" not in name and "\\" not in name


def hub_files(folder: Path, suffixes: tuple[str, ...]) -> list[SplitFile]:
    """List the readable files of a hub repository that are named after splits, in it or in its `data`."""
    found = []
    for place in (folder, folder / "data"):
        if not place.is_dir():
            continue
        for path in sorted(place.iterdir())[:_FILES]:
            split = split_of(path.stem)
            if path.is_file() and path.suffix.lower() in suffixes and split is not None:
                found.append(SplitFile(path=path, name=str(path.relative_to(folder)), split=split))
    return found
