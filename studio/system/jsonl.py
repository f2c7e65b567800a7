"""Append JSON Lines so that they survive a kill, and read those that a worker is still appending to.

This module knows no run and no meaning of a line.
"""

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

log = logging.getLogger(__name__)

TAIL_BYTES = 256 * 1024
SYNC_SECONDS = 1.0
"""Longest time that a line waits for the disk: what a power cut may take."""
_Row = TypeVar("_Row")


def read_lines(path: Path, adapter: TypeAdapter[_Row], *, tail_bytes: int | None = None) -> Iterator[_Row]:
    """Parse the rows of a JSON Lines file; what follows the last line end is still being written.

    A line that does not validate is skipped with a warning. `tail_bytes`: only the end of the file.
    """
    if not path.is_file():
        return
    lines = _whole_lines(path) if tail_bytes is None else _tail(path, tail_bytes).split(b"\n")[:-1]
    for number, line in enumerate(lines, start=1):
        try:
            yield adapter.validate_json(line)
        except ValidationError:
            # A line torn by a full disk, or an event of a later version: the rest counts.
            log.warning("%s: line %d (of those read) is not readable and left out", path, number)


def _whole_lines(path: Path) -> Iterator[bytes]:
    """Stream the lines of a file that have their end."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line


class Journal:
    """A JSON Lines file that is appended to, whole lines only, whatever ended the last writer.

    Opening it removes a line that was torn; a line is with the system once it is appended, and on the disk
    within `SYNC_SECONDS` or when the journal is closed.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab+")
        self._synced = time.monotonic()
        _drop_torn_line(self._file)

    def __enter__(self) -> Self:
        """Return the open journal."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def append(self, row: BaseModel) -> None:
        """Append a row."""
        self._file.write(f"{row.model_dump_json()}\n".encode())
        self._file.flush()
        if (now := time.monotonic()) - self._synced >= SYNC_SECONDS:
            self._synced = now
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Bring everything to the disk."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()


def _drop_torn_line(file: IO[bytes]) -> None:
    """Truncate a file behind its last line end."""
    size = end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - TAIL_BYTES)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        log.warning("%s: a line that was not finished is left out", file.name)
        file.truncate(end)


def _tail(path: Path, size: int) -> bytes:
    """Read the last bytes of a file, from the start of a line on; empty without a regular file."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(max(0, length - size))
        text = file.read()
    return text if length <= size else text.partition(b"\n")[2]


def read_tail(path: Path, lines: int) -> str:
    r"""Read the last lines of a log; of a line redrawn with \r, as by a progress bar, the final state."""
    text = _tail(path, TAIL_BYTES).decode("utf-8", errors="replace")
    final = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return "\n".join(final[-lines - 1 :]).strip("\n")
