"""Read the predictions of an evaluation by columns; whole rows only where they are shown.

Of 100,000 predictions only titles, labels and answers are kept, about 20 MiB: think chains stay in the
file, and the offset of each line leads back to them. This module knows no workspace.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from pydantic_core import from_json

from studio.contract import AnswerMode, Prediction
from studio.errors import UnreadableFile
from studio.evaluation.paired import Integers
from studio.language import say
from studio.system.documents import one_line

log = logging.getLogger(__name__)

LARGE = 4 << 20
"""Bytes from which on a file is read with Arrow, whose import alone takes as long as a smaller file."""
LAST_ROW = 2**31 - 1
PORTION = 1 << 20
"""Bytes that are parsed at once."""

Fields = tuple[int, str, str, str, str | None]
"""Row, title, label, way of answering, predicted category."""
_Read = tuple[list[str], Integers, tuple[str, ...]]
"""Titles; row, label, predicted (-1 for none) and offset of each; the names of the categories."""


@dataclass(frozen=True, kw_only=True)
class AnswerColumns:
    """The answers of one evaluation, row by row in the order of the evaluated file.

    `label` and `predicted` are positions in `categories`; `predicted` is their number where no category
    could be parsed.
    """

    file: Path
    categories: tuple[str, ...]
    titles: list[str]
    row: Integers
    label: Integers
    predicted: Integers
    offset: Integers

    def __len__(self) -> int:
        return len(self.titles)

    def read(self, positions: Iterable[int]) -> list[Prediction]:
        """Read whole predictions, with their think chains, at these positions.

        Raises:
            UnreadableFile: what stands there is no whole prediction, or the file is gone.
        """
        found = []
        try:
            with self.file.open("rb") as file:
                for position in positions:
                    file.seek(int(self.offset[position]))
                    found.append(Prediction.model_validate_json(file.readline()))
        except (OSError, ValidationError) as error:
            raise UnreadableFile(
                say(
                    f"{self.file} 里的一条答案读不出来：{one_line(error)}",
                    f"A prediction in {self.file} cannot be read: {one_line(error)}",
                ),
                remedy=say("请再评估一次。", "Evaluate it again."),
            ) from error
        return found


def read_columns(file: Path, answer: AnswerMode, categories: Sequence[str]) -> AnswerColumns:
    """Read the predictions of one way of answering; of a row that was answered twice, the last counts.

    A line that is no prediction is left out with a warning, as is what is still being written.
    """
    large = file.is_file() and file.stat().st_size > LARGE
    found = (large and _read_at_once(file, answer, categories)) or _read_lines(file, answer, categories)
    titles, table, names = found
    order = _last_of_each_row(table[:, 0])
    if order is not None:
        table, titles = table[order], [titles[position] for position in order.tolist()]
    said = table[:, 2]
    return AnswerColumns(
        file=file,
        categories=names,
        titles=titles,
        row=table[:, 0].astype(np.int32),
        label=table[:, 1].astype(np.int16),
        predicted=np.where(said < 0, len(names), said).astype(np.int16),
        offset=table[:, 3].copy(),
    )


def _read_at_once(file: Path, answer: AnswerMode, categories: Sequence[str]) -> _Read | None:
    """Read a large file with Arrow, a portion of lines at once; None where a line is no prediction.

    In portions of our own, since Arrow's readers hold as much memory as the file, or read ahead without end.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import json as arrow_json

    texts = ("title", "label", "answer", "predicted")
    schema = pa.schema([("row", pa.int64()), *((name, pa.string()) for name in texts)])
    parsing = arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    titles: list[str] = []
    parts, names = [], list(categories)
    for begin, lines in _portions(file):
        reading = arrow_json.ReadOptions(use_threads=False, block_size=len(lines) + 1)
        ends = np.flatnonzero(np.frombuffer(lines, dtype=np.uint8) == ord("\n"))
        try:
            table = arrow_json.read_json(
                pa.BufferReader(lines), reading, parsing, memory_pool=pa.system_memory_pool()
            )
        except pa.ArrowInvalid:
            return None
        if len(table) != len(ends) or any(table[each].null_count for each in ("row", *texts[:-1])):
            return None
        row = table["row"].to_numpy()
        if row.min() < 0 or row.max() > LAST_ROW:
            return None
        wanted = pc.equal(table["answer"], answer)
        begins = (np.concatenate(([0], ends[:-1] + 1)) + begin)[wanted.to_numpy()]
        table = table.filter(wanted)
        titles += table["title"].to_pylist()
        label, predicted = (_positions(table[name], names) for name in ("label", "predicted"))
        parts.append(np.column_stack([table["row"].to_numpy(), label, predicted, begins]))
    return (titles, np.concatenate(parts), tuple(names)) if parts else None


def _portions(file: Path) -> Iterator[tuple[int, bytes]]:
    """Read a file in portions of whole lines, each with its offset; an unfinished last line is left out."""
    begin, rest = 0, b""
    with file.open("rb") as opened:
        while portion := opened.read(PORTION):
            whole, end, rest = (rest + portion).rpartition(b"\n")
            if end:
                yield begin, whole + end
                begin += len(whole) + 1


def _positions(column: Any, names: list[str]) -> Integers:
    """Translate names to positions, those that are new added at the end; -1 for no name."""
    encoded = column.combine_chunks().dictionary_encode()
    known = encoded.dictionary.to_pylist()
    names += [name for name in known if name not in names]
    table = np.array([*(names.index(name) for name in known), -1])
    return np.asarray(table[encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)])


def _read_lines(file: Path, answer: AnswerMode, categories: Sequence[str]) -> _Read:
    """Read a file line by line: a small one, or one with lines that are no predictions."""
    known: dict[str | None, int] = {name: position for position, name in enumerate(categories)}
    known[None] = -1
    titles: list[str] = []
    numbers: list[tuple[int, int, int, int]] = []
    for offset, (row, title, label, mode, predicted) in _lines(file):
        if mode == answer:
            titles.append(title)
            first = known.setdefault(label, len(known) - 1)
            numbers.append((row, first, known.setdefault(predicted, len(known) - 1), offset))
    table = np.array(numbers, dtype=np.int64).reshape(-1, 4)
    return titles, table, tuple(name for name in known if name is not None)


def _lines(file: Path) -> Iterator[tuple[int, Fields]]:
    """Read the wanted fields of every whole line, and where it begins."""
    if not file.is_file():
        return
    offset = 0
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.endswith(b"\n"):
                try:
                    yield offset, _fields(line)
                except ValueError:
                    log.warning("%s: line %d is not readable and left out", file, number)
            offset += len(line)


def _fields(line: bytes) -> Fields:
    """Read the wanted fields of a line; to validate all of it would take five times as long.

    Raises:
        ValueError: it is no prediction.
    """
    fields = from_json(line)
    try:
        found = tuple(fields[name] for name in ("row", "title", "label", "answer", "predicted"))
    except (TypeError, KeyError) as error:
        raise ValueError("no prediction") from error
    row, title, label, mode, predicted = found
    if (
        type(row) is not int
        or not 0 <= row <= LAST_ROW
        or not all(type(each) is str for each in (title, label, mode, predicted or ""))
    ):
        raise ValueError("no prediction")
    return row, title, label, mode, predicted


def _last_of_each_row(row: Integers) -> Integers | None:
    """Compute the order by row, of each the last; None where they are in order already."""
    if len(row) < 2 or bool((np.diff(row) > 0).all()):
        return None
    _, last = np.unique(row[::-1], return_index=True)
    return np.asarray(len(row) - 1 - last)
