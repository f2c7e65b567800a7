"""Hash what a run was made from, its dataset and base model, and name the code version.

The model is hashed in a thread while the training runs, so that 15 GB do not delay the
first step. Torch-free.
"""

import hashlib
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path

from backend.data import rows
from studio.contract import TrainSpec

BLOCK = 1 << 22
"""Bytes read at once; the interpreter is free while they are hashed."""


class Hashing(threading.Thread):
    """SHA-256 of some files, one after the other, in the background.

    A daemon: a worker that ends early does not wait for it.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        super().__init__(name="hashing", daemon=True)
        self.files = list(files)
        self.digest: str | None = None
        self.start()

    def run(self) -> None:
        """Hash; None stays where a file cannot be read."""
        try:
            self.digest = sha256_of(self.files)
        except OSError:
            self.digest = None

    def wait(self, seconds: float | None) -> str | None:
        """Wait for the digest; None if it is not there after so many seconds."""
        self.join(seconds)
        return self.digest


def sha256_of(files: Iterable[Path]) -> str:
    """Hash the files' bytes, in their order, with SHA-256."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()


def dataset_files(spec: TrainSpec) -> list[Path]:
    """List the files of the entry that is trained on."""
    return [rows.find_entry(spec.dataset_dir, spec.dataset).file]


def model_files(folder: Path) -> list[Path]:
    """List config.json, then the safetensors by name."""
    return [folder / "config.json", *sorted(folder.glob("*.safetensors"))]


def code_version() -> str | None:
    """Name the commit of the checkout that this program runs from, `-dirty` if changed; None without one."""
    root = Path(__file__).resolve().parent.parent.parent
    if not (root / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None
