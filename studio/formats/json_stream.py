"""Stream JSON values one at a time: a list, or JSON Lines.

Memory holds one value, not the file. Syntax errors are reported by line and column.
This module knows no record, no title and no encoding.
"""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TextIO

from studio.errors import UnreadableFile
from studio.formats._file_types import broken_file
from studio.formats._json_rows import rows_of
from studio.formats.faulty import FaultyRecord
from studio.language import say
from studio.messages import message

_PIECE = 1 << 18
"""Characters that are read at once; more where a value is longer."""
_FIRST_LINE = 1 << 22
"""Characters after which a first line counts as a list on one line, not as JSON lines."""
_NEAR_END = 64
"""Characters: this close to the end of a piece, an error may only mean that the rest is still to be read."""


def parse_json(text: str, name: str, line: int | None = None) -> Any:
    """Parse a JSON text, which is all of a file or its given line.

    Raises:
        UnreadableFile: with line and column of the syntax error, or of where the text is truncated.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        truncated = error.msg.startswith("Unterminated string") or error.pos >= len(text.rstrip())
        around = text[max(0, error.pos - 12) : error.pos + 12]
        what = None if truncated else (error.msg, around)
        _refuse_json(name, line or error.lineno, error.colno, what, error)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, endless nesting
        raise broken_file(name, error) from error
    return _replace_surrogates(value) if _SURROGATE.search(text) else value


def json_lines(file: TextIO, name: str) -> Iterator[tuple[int, Any]]:
    """Stream JSON Lines: line numbers and values; empty lines are skipped.

    A line that is no JSON is a faulty record among the others; a file that begins with such
    lines is no JSON Lines.

    Raises:
        UnreadableFile: all of the first lines, or a single one, are not JSON.
    """
    first_error: UnreadableFile | None = None
    good = broken = 0
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            value = parse_json(line.rstrip("\n"), name, line=number)
        except UnreadableFile as error:
            if (written := _python_object(line)) is not None:
                good += 1
                yield number, written
                continue
            first_error = first_error or error
            broken += 1
            if not good and broken > _BROKEN_AT_FIRST:
                raise first_error from error
            yield (
                number,
                FaultyRecord(
                    code="broken_line",
                    reason=message("line_is_no_json", line=number),
                    found=line.strip()[:200],
                ),
            )
            continue
        good += 1
        yield number, value
    if first_error is not None and not good:
        raise first_error


def _python_object(line: str) -> dict[str, Any] | None:
    """Parse a line that Python's `print` wrote for an object, with its own quotation marks; else None."""
    if not line.startswith("{'") or len(line) > _PYTHON_CHARACTERS:
        return None
    try:
        # By way of JSON: sets, bytes and complex numbers are no values of a record.
        found = json.loads(json.dumps(ast.literal_eval(line.strip())))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None
    return _replace_surrogates(found) if isinstance(found, dict) else None


_PYTHON_CHARACTERS = 1 << 16
_BROKEN_AT_FIRST = 5
"""Lines at the start that may be broken before the file is taken for something else."""


def json_values(file: TextIO, name: str) -> Iterator[Any]:
    """Stream the rows of a file that is one JSON value: a list of rows, a row, or an object with rows in it.

    Raises:
        UnreadableFile: not JSON, or a value in which no rows are found.
    """
    reader = _ListReader(file, name)
    if reader.next_mark() == "{":
        yield from _objects(reader, name)
        return
    if reader.next_mark() != "[":
        yield from rows_of(parse_json(reader.everything(), name), name)
        return
    reader.step()
    if reader.next_mark() == "]":
        reader.step()
    else:
        yield reader.element()
        while reader.next_mark() == ",":
            reader.step()
            if reader.next_mark() == "]":
                break  # a comma behind the last element, as people and templates leave it
            yield reader.element()
        if reader.next_mark() != "]":
            reader.refuse("Expecting ',' delimiter")
        reader.step()
    if reader.next_mark():
        reader.refuse("Extra data")


def _objects(reader: "_ListReader", name: str) -> Iterator[Any]:
    """Stream objects that stand one after the other, a row each; one alone may have its rows in it."""
    first = reader.element()
    if not reader.next_mark():
        yield from rows_of(first, name)
        return
    yield first
    while reader.next_mark() == "{":
        yield reader.element()
    if reader.next_mark():
        reader.refuse("Extra data")


def is_json_lines(file: TextIO) -> bool:
    """Return whether the first line is a complete JSON value and more lines follow; reads from the start."""
    first = ""
    while not first.strip():
        first = file.readline(_FIRST_LINE)
        if not first:
            return False
    if not first.endswith("\n"):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return any(line.strip() for line in iter(lambda: file.readline(_PIECE), ""))


class _ListReader:
    """Reads a list through a window on its text: `at` is the index in it, `line` and `column` its start."""

    def __init__(self, file: TextIO, name: str) -> None:
        self.file, self.name = file, name
        self.window, self.at, self.is_last = "", 0, False
        self.line, self.column = 1, 1
        self.decoder = json.JSONDecoder()

    def more(self) -> None:
        """Drop what was parsed from the window, and read a piece at least as long as the rest."""
        done, self.window = self.window[: self.at], self.window[self.at :]
        self.line, self.column = self.position_after(done)
        piece = self.file.read(max(_PIECE, len(self.window)))
        self.window, self.at, self.is_last = self.window + piece, 0, not piece

    def position_after(self, done: str) -> tuple[int, int]:
        """Compute line and column after a prefix of the window."""
        if "\n" not in done:
            return self.line, self.column + len(done)
        return self.line + done.count("\n"), len(done) - done.rfind("\n")

    def next_mark(self) -> str:
        """Peek at the next character that is not white space; empty at the end."""
        while True:
            match = _NO_SPACE.search(self.window, self.at)
            if match is not None:
                self.at = match.start()
                return self.window[self.at]
            self.at = len(self.window)
            if self.is_last:
                return ""
            self.more()

    def step(self) -> None:
        """Consume one character."""
        self.at += 1

    def everything(self) -> str:
        """Read the rest, padded so that lines and columns count from the start of the file."""
        return "\n" * (self.line - 1) + " " * (self.column - 1) + self.window + self.file.read()

    def element(self) -> Any:
        """Parse the value that begins here; afterwards the window holds the text behind it, if any."""
        while True:
            try:
                value, end = self.decoder.raw_decode(self.window, self.at)
            except json.JSONDecodeError as error:
                unfinished = error.msg.startswith("Unterminated string")
                if not self.is_last and (unfinished or error.pos > len(self.window) - _NEAR_END):
                    self.more()
                    continue
                self.at = error.pos
                self.refuse(error.msg, truncated=unfinished)
            except (ValueError, RecursionError) as error:
                raise broken_file(self.name, error) from error
            if self.is_last or end < len(self.window) - _NEAR_END:
                text, self.at = self.window[self.at : end], end
                return _replace_surrogates(value) if _SURROGATE.search(text) else value
            self.more()

    def refuse(self, what: str, *, truncated: bool = False) -> NoReturn:
        """Report a syntax error here, or that the list is truncated."""
        line, column = self.position_after(self.window[: self.at])
        around = self.window[max(0, self.at - 12) : self.at + 12]
        truncated = truncated or not self.next_mark()
        _refuse_json(self.name, line, column, None if truncated else (what, around))


_NO_SPACE = re.compile(r"[^ \t\n\r]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _replace_surrogates(value: Any) -> Any:
    """Replace lone surrogates, which JSON can escape but neither UTF-8 nor a database can hold, by \ufffd."""
    if isinstance(value, dict):
        return {_replace_surrogates(key): _replace_surrogates(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replace_surrogates(inner) for inner in value]
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _refuse_json(
    name: str, line: int, column: int, what: tuple[str, str] | None, error: Exception | None = None
) -> NoReturn:
    """Report a syntax error with the text around it; without `what`, that the file is truncated."""
    if what is None:
        problem = say(
            f"{name} 不完整：第 {line} 行第 {column} 列之后的内容缺失。",
            f"{name} is truncated: what follows line {line}, column {column} is missing.",
        )
        remedy = say("请重新下载或导出这个文件。", "Download or export the file again.")
    else:
        message, around = what[0], what[1].replace("\n", " ")
        problem = say(
            "{name} 第 {line} 行第 {column} 列不是有效的 JSON（{message}），附近是“{around}”。",
            "{name}, line {line}, column {column}: not valid JSON ({message}), near “{around}”.",
            name=name,
            line=line,
            column=column,
            message=message,
            around=around,
        )
        remedy = say("请改正这一处后再试。", "Correct it there and try again.")
    raise UnreadableFile(problem, remedy=remedy) from error
