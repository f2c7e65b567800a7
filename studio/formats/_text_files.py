"""Open a text file from its start again and again, decoded as its content shows.

A file in one encoding is decoded as it is read. One whose lines are in two, as after two exports
were appended, is transcoded line by line; a line that no encoding fits keeps its place, with the
characters that were lost marked as such.
"""

import io
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from studio.formats.encodings import MIXED, decode_line, find_encoding
from studio.formats.json_stream import is_json_lines

LINE_CHARACTERS = 1 << 20
"""Characters of a line that are looked at to decide the form of a file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextFile:
    """A text file and its encoding: the codec, and its name for people."""

    path: Path
    encoding: str
    codec: str

    def open(self, newline: str | None) -> TextIO:
        """Open the text from its start; `newline` as `open` takes it."""
        if self.codec != MIXED:
            return self.path.open(encoding=self.codec, newline=newline)
        lines = io.BufferedReader(_Transcoded(self.path.open("rb")))
        return io.TextIOWrapper(lines, encoding="utf-8", newline=newline)

    def first_lines(self, count: int) -> list[str]:
        """Read the first lines that are not empty."""
        with self.open(newline=None) as file:
            lines = (line.rstrip("\n") for line in iter(lambda: file.readline(LINE_CHARACTERS), ""))
            return list(islice((line for line in lines if line.strip()), count))

    def is_json_lines(self) -> bool:
        """Return whether the first line is a complete JSON value and more lines follow."""
        with self.open(newline="\n") as opened:
            return is_json_lines(opened)


def text_file(path: Path, name: str) -> TextFile:
    """Find the encoding of a text file; `name` is its name in messages.

    Raises:
        UnreadableFile: empty, damaged, or in no known encoding.
    """
    with path.open("rb") as file:
        encoding = find_encoding(file, name)
    return TextFile(path=path, encoding=encoding.label, codec=encoding.codec)


class _Transcoded(io.RawIOBase):
    """The bytes of a file in UTF-8, each of its lines decoded by itself."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = decode_line(self._file.readline())[0].encode("utf-8")
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
