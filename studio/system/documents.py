"""Read files of unknown content: regular ones only, up to a size, with errors of few kinds.

A parser raises more than its own errors: nesting exhausts the stack (RecursionError), a number has too
many digits, infinity is no integer. Whatever it is, it is something about that file, to be reported.
"""

import json
import os
import stat
from pathlib import Path
from typing import Any

LARGEST = 64 * 2**20
"""Bytes; the largest tokenizer.json known is smaller."""

READ_FAULTS = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
    MemoryError,
)
"""What reading a file and walking through what it holds can raise, none of it a fault of ours."""


def read_whole(path: Path, most: int = LARGEST) -> bytes:
    """Read a regular file; a pipe would block for ever, a device would never end.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, or larger than `most`.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("no regular file")
        if found.st_size > most:
            raise ValueError(f"{found.st_size} bytes, more than {most}")
        return file.read(most + 1)


def read_head(path: Path, most: int) -> str:
    """Read the head of a regular text file, `most` bytes; empty without one."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as opened:
            return opened.read(most).decode("utf-8", errors="replace")
    except OSError:
        return ""


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def typed_path(text: str) -> Path:
    """Return the path that a person typed, absolute; one that no system can have becomes one that is not.

    A null character, a name of 300 characters or `~nobody` raises an error of its own in every call.
    """
    try:
        path = Path(text).expanduser().absolute()
        path.exists()
    except (OSError, ValueError, RuntimeError):
        return Path("/", one_line(text, 40).replace("\0", "").replace("/", "_") or "_")
    return path


def parse_json(content: bytes | str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: it is none, or is nested too deeply.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def one_line(value: object, most: int = 300) -> str:
    """Format what a file holds or an error says for a message: short, one line, no half characters."""
    try:
        text = str(value)
    except READ_FAULTS:
        return "?"
    text = " ".join(text[: 4 * most].encode("utf-8", "replace").decode("utf-8").split())
    return text if len(text) <= most else text[:most] + "…"
