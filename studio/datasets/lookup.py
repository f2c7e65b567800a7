"""Resolve what a person calls a dataset: a version, a folder, the bundled samples, or a file to evaluate."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from studio.datasets.evaluation_files import evaluation_folder
from studio.datasets.pair_versions import find_pair_version
from studio.datasets.versions import find_version
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.system.documents import typed_path
from studio.workspace import BUNDLED_DATASET, BUNDLED_NAME, Workspace


@dataclass(frozen=True)
class Dataset:
    """A folder with dataset_info.json; `version` is its reference if it is a frozen version."""

    folder: Path
    version: str | None


def resolve_dataset(workspace: Workspace, text: str) -> Dataset:
    """Resolve `bundled`, a version of titles or pairs (`name`, `name@3`) or a path to its dataset folder.

    Raises:
        InputError: there is no such version and no such folder.
    """
    if text == BUNDLED_NAME:
        return Dataset(folder=BUNDLED_DATASET, version=None)
    folder = typed_path(text)
    if (folder / "dataset_info.json").is_file():
        return Dataset(folder=folder, version=None)
    pairs = find_pair_version(workspace, text)
    if pairs is not None:
        return Dataset(folder=pairs.folder, version=pairs.ref)
    with closing(open_store(workspace.database)) as db:
        version = find_version(db, workspace, text)
    return Dataset(folder=version.folder, version=version.ref)


def resolve_evaluated(workspace: Workspace, text: str) -> Dataset:
    """Resolve what is evaluated: as `resolve_dataset` does, or a file or folder of labelled titles.

    Raises:
        InputError: there is no such version, folder or file, or it has no labelled title.
        UnreadableFile: the file cannot be read.
    """
    path = typed_path(text)
    is_plain = path.is_file() or (path.is_dir() and not (path / "dataset_info.json").is_file())
    if text == BUNDLED_NAME or not is_plain:
        return resolve_dataset(workspace, text)
    return Dataset(folder=evaluation_folder(workspace, path, load_scheme()), version=None)
