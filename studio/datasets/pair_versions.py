"""List and find frozen versions of preference pairs, which lie beside the versions of titles.

    datasets/<name>/v<number>/  pairs.json  dataset_info.json  categories.toml  version.json

The folder is the version: version.json says what it is and where each pair came from, and holds the
hash of the rest. `studio.preferences.freezing` writes it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.datasets.files import file_hash
from studio.errors import UnreadableFile
from studio.language import say
from studio.system.documents import READ_FAULTS, one_line, parse_json, read_whole
from studio.workspace import Workspace

PAIR_FILES = ("pairs.json", "dataset_info.json", "categories.toml")
"""The files whose bytes make a version's sha256."""
VERSION = "version.json"
KIND = "pairs"
"""What version.json says under `kind`; a version of titles says nothing."""
_LARGEST = 2**31


@dataclass(frozen=True, kw_only=True)
class PairVersion:
    """One frozen version of the pairs `name`; `counts` as `Selection.to_json` builds them."""

    name: str
    number: int
    folder: Path
    sha256: str
    counts: Mapping[str, Any]
    created_at: str
    author: str

    @property
    def ref(self) -> str:
        """The name by which `find_pair_version` finds exactly this version."""
        return f"{self.name}@{self.number}"

    @property
    def pairs(self) -> int:
        """Count its pairs."""
        return int(self.counts.get("pairs", 0))

    @property
    def files(self) -> dict[str, bytes]:
        """The bytes of every file, by name.

        Raises:
            UnreadableFile: a file was removed or changed after freezing.
        """
        contents = {}
        for name in (*PAIR_FILES, VERSION):
            try:
                contents[name] = read_whole(self.folder / name, _LARGEST)
            except READ_FAULTS as error:
                raise self._damaged(f"{name}: {one_line(error)}") from error
        if pair_hash(contents) != self.sha256:
            raise self._damaged(say("内容与冻结时不同", "the content is not what was frozen"))
        return contents

    def to_json(self) -> dict[str, Any]:
        """Build the document of `news-studio pairs freeze --json`."""
        return {
            "name": self.name,
            "number": self.number,
            "ref": self.ref,
            "folder": str(self.folder),
            "sha256": self.sha256,
            **self.counts,
            "created_at": self.created_at,
            "author": self.author,
        }

    def _damaged(self, what: str) -> UnreadableFile:
        return UnreadableFile(
            say(
                "偏好对版本 {ref} 的文件不完整（{what}）。",
                "The files of pair version {ref} are damaged ({what}).",
                ref=self.ref,
                what=what,
            ),
            remedy=say(
                f"请从备份恢复 {self.folder}，或重新冻结一个版本。",
                f"Restore {self.folder} from a backup, or freeze a new version.",
            ),
        )


def pair_hash(contents: Mapping[str, bytes]) -> str:
    """Hash the files of a pair version together, names included, as `sha256sum` would list them."""
    return file_hash("".join(f"{file_hash(contents[name])}  {name}\n" for name in PAIR_FILES).encode())


def is_pair_version(folder: Path) -> bool:
    """Whether a version's folder holds pairs, and not titles."""
    return (folder / PAIR_FILES[0]).is_file()


def list_pair_versions(workspace: Workspace) -> list[PairVersion]:
    """List every version of pairs, the newest first; a folder that cannot be read is left out."""
    found = [version for version in map(_read, _folders(workspace.datasets)) if version is not None]
    return sorted(found, key=lambda version: (version.created_at, version.number), reverse=True)


def find_pair_version(workspace: Workspace, ref: str) -> PairVersion | None:
    """Find the version of pairs that `name` (the latest) or `name@number` means; None: there is none.

    Raises:
        UnreadableFile: its files were removed or changed.
    """
    name, _, number = ref.partition("@")
    mine = [version for version in list_pair_versions(workspace) if version.name == name]
    for version in sorted(mine, key=lambda version: version.number, reverse=True):
        if number in {"", str(version.number)}:
            _ = version.files
            return version
    return None


def _folders(datasets: Path) -> Iterator[Path]:
    for file in datasets.glob(f"*/v*/{VERSION}"):
        if file.parent.name[1:].isdecimal() and is_pair_version(file.parent):
            yield file.parent


def _read(folder: Path) -> PairVersion | None:
    try:
        known = parse_json(read_whole(folder / VERSION, _LARGEST))
        if not isinstance(known, dict) or known.get("kind") != KIND:
            return None
        return PairVersion(
            name=folder.parent.name,
            number=int(folder.name[1:]),
            folder=folder,
            sha256=str(known["sha256"]),
            counts=dict(known["counts"]),
            created_at=str(known["created_at"]),
            author=str(known["author"]),
        )
    except (*READ_FAULTS, KeyError, TypeError):
        return None
