"""Read JSON Lines that a worker is still appending to.

This module knows no run and no meaning of a line.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

log = logging.getLogger(__name__)

TAIL_BYTES = 256 * 1024
_Row = TypeVar("_Row")


def read_lines(path: Path, adapter: TypeAdapter[_Row], *, tail_bytes: int | None = None) -> Iterator[_Row]:
    """Parse the rows of a JSON Lines file; what follows the last line end is still being written.

    A line that does not validate is skipped with a warning. `tail_bytes`: only the end of the file.
    """
    if not path.is_file():
        return
    lines = (path.read_bytes() if tail_bytes is None else _tail(path, tail_bytes)).split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            yield adapter.validate_json(line)
        except ValidationError:
            # A line torn by a full disk, or an event of a later version: the rest counts.
            log.warning("%s: line %d (of those read) is not readable and left out", path, number)


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
