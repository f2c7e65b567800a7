"""List the folders that may hold a model: the workspace, two hubs' caches, the user's own.

Only names of folders are read here; `modelfiles.folder_check` reads what is in them.

    ~/.cache/modelscope/models/OWNER--NAME/snapshots/REVISION     modelscope 1.38 and later
    ~/.cache/modelscope/hub/models/OWNER/NAME                     before; a dot in NAME is ___
    ~/.cache/huggingface/hub/models--OWNER--NAME/snapshots/COMMIT
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from studio.modelfiles.folder_check import models_below
from studio.modelfiles.settings import load_model_settings
from studio.system.documents import read_whole
from studio.workspace import BUNDLED_MODEL, BUNDLED_NAME, Workspace

LocationSource = Literal["bundled", "workspace", "modelscope", "huggingface", "folder"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelLocation:
    """A folder that may be a model. `name` is its name at the source; two sources may share one."""

    name: str
    path: Path
    source: LocationSource


def list_locations(workspace: Workspace) -> list[ModelLocation]:
    """List every folder that may be a model, in the order in which a name is looked up."""
    bundled = (
        [ModelLocation(name=BUNDLED_NAME, path=BUNDLED_MODEL, source="bundled")]
        if BUNDLED_MODEL.exists()
        else []
    )
    found = [*bundled, *_in_workspace(workspace.models), *_in_modelscope(), *_in_huggingface()]
    for folder in load_model_settings(workspace).folders:
        found += _in_folder(folder)
    return list({location.path: location for location in reversed(found)}.values())[::-1]


def modelscope_roots() -> list[Path]:
    """Return the cache folders of ModelScope's clients, new and old, that exist."""
    base = Path(os.environ.get("MODELSCOPE_CACHE") or "~/.cache/modelscope").expanduser()
    return [root for root in (base / "models", base / "hub" / "models") if root.is_dir()]


def huggingface_root() -> Path:
    """Return the cache folder of Hugging Face, by its own environment variables."""
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()


def _children(folder: Path) -> list[Path]:
    """List the subfolders by name, without hidden ones; none where the folder cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir())
    except OSError:
        return []


def _in_workspace(models: Path) -> Iterator[ModelLocation]:
    """Yield models/NAME and, where NAME only groups others, models/NAME/OTHER."""
    for folder in _children(models):
        inner = _children(folder)
        groups = not (folder / "config.json").exists() and any(
            (each / "config.json").exists() for each in inner
        )
        if groups:
            for each in inner:
                yield ModelLocation(name=f"{folder.name}/{each.name}", path=each, source="workspace")
        elif inner or _has_files(folder):
            yield ModelLocation(name=folder.name, path=folder, source="workspace")


def _has_files(folder: Path) -> bool:
    """Return whether the folder holds more than an unfinished download."""
    try:
        entries = list(folder.iterdir())
    except OSError:
        return True  # listed, with what keeps it from being read
    return not entries or any(not entry.name.startswith(".") for entry in entries)


def _in_modelscope() -> Iterator[ModelLocation]:
    for root in modelscope_roots():
        for folder in _children(root):
            if (folder / "snapshots").is_dir() and "--" in folder.name:
                yield from _snapshots(folder, folder.name.replace("--", "/", 1), "modelscope", "master")
                continue
            for model in _children(folder):
                name = f"{folder.name}/{model.name.replace('___', '.')}"
                # The old client also leaves links with the dots in place.
                if not model.is_symlink():
                    yield ModelLocation(name=name, path=model, source="modelscope")


def _in_huggingface() -> Iterator[ModelLocation]:
    for folder in _children(huggingface_root()):
        if folder.name.startswith("models--"):
            name = folder.name.removeprefix("models--").replace("--", "/", 1)
            yield from _snapshots(folder, name, "huggingface", _main_commit(folder))


def _main_commit(folder: Path) -> str:
    try:
        return read_whole(folder / "refs" / "main", 1000).decode().strip()
    except (OSError, ValueError):
        return ""


def _snapshots(folder: Path, name: str, source: LocationSource, main: str) -> Iterator[ModelLocation]:
    """Yield the main snapshot under the plain name, others as NAME@REVISION."""
    snapshots = [path for path in _children(folder / "snapshots") if _has_files(path)]
    first = next((path for path in snapshots if path.name == main), snapshots[0] if snapshots else None)
    for path in snapshots:
        revision = path.name[:8] if source == "huggingface" else path.name
        yield ModelLocation(name=name if path == first else f"{name}@{revision}", path=path, source=source)


def _in_folder(folder: Path) -> Iterator[ModelLocation]:
    if (folder / "config.json").is_file():
        yield ModelLocation(name=folder.name, path=folder, source="folder")
        return
    for path in models_below(folder):
        yield ModelLocation(name=str(path.relative_to(folder)), path=path, source="folder")
