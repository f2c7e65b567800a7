"""Read the predictions of an evaluation by columns; whole rows only where they are shown.

Of 100,000 predictions only titles, labels and answers are kept, about 20 MiB: think chains stay in the
file, and the offset of each line leads back to them. This module knows no workspace.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic_core import from_json

from studio.contract import AnswerMode, Prediction
from studio.evaluation.paired import Integers

log = logging.getLogger(__name__)

_TEXT = rb'"([^"\\]*(?:\\.[^"\\]*)*)"'
_LINE = re.compile(
    rb'\{"row":(\d+),"title":' + _TEXT + rb',"label":' + _TEXT + rb',"label_chain":' + _TEXT[:1]
    + rb'[^"\\]*(?:\\.[^"\\]*)*","answer":"(\w+)","predicted":(?:null|' + _TEXT + rb")[,}]"
)  # fmt: skip
"""A prediction as workers write it: its first fields are read without parsing the chains behind them."""

Fields = tuple[int, str, str, str, str | None]
"""Row, title, label, way of answering, predicted category."""


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
        """Read whole predictions, with their think chains, at these positions."""
        found = []
        with self.file.open("rb") as file:
            for position in positions:
                file.seek(int(self.offset[position]))
                found.append(Prediction.model_validate_json(file.readline()))
        return found


def read_columns(file: Path, answer: AnswerMode, categories: Sequence[str]) -> AnswerColumns:
    """Read the predictions of one way of answering; of a row that was answered twice, the last counts.

    A line that is no prediction is left out with a warning, as is what is still being written.
    """
    known: dict[str | None, int] = {name: position for position, name in enumerate(categories)}
    known[None] = -1
    titles: list[str] = []
    numbers: list[tuple[int, int, int, int]] = []
    for offset, (row, title, label, mode, predicted) in _lines(file):
        if mode == answer:
            titles.append(title)
            first, second = (
                known.setdefault(label, len(known) - 1),
                known.setdefault(predicted, len(known) - 1),
            )
            numbers.append((row, first, second, offset))
    table = np.array(numbers, dtype=np.int64).reshape(-1, 4)
    order = _last_of_each_row(table[:, 0])
    if order is not None:
        table, titles = table[order], [titles[position] for position in order.tolist()]
    names = tuple(name for name in known if name is not None)
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
    """Read the wanted fields of a line.

    Raises:
        ValueError: it is no prediction.
    """
    found = _LINE.match(line)
    if found is None or not line.endswith(b"}\n"):
        return _parsed(line)
    row, title, label, mode, predicted = found.groups()
    return int(row), _text(title), _name(label), _name(mode), None if predicted is None else _name(predicted)


def _text(raw: bytes) -> str:
    return str(json.loads(b'"' + raw + b'"')) if b"\\" in raw else raw.decode()


_name = lru_cache(maxsize=256)(_text)
"""The few names of categories and ways of answering are not decoded again for every line."""


def _parsed(line: bytes) -> Fields:
    """Read a line that is written otherwise; to validate all of it would take five times as long."""
    fields = from_json(line)
    try:
        found = tuple(fields[name] for name in ("row", "title", "label", "answer", "predicted"))
    except (TypeError, KeyError) as error:
        raise ValueError("no prediction") from error
    row, title, label, mode, predicted = found
    if type(row) is not int or not all(type(each) is str for each in (title, label, mode, predicted or "")):
        raise ValueError("no prediction")
    return row, title, label, mode, predicted


def _last_of_each_row(row: Integers) -> Integers | None:
    """Compute the order by row, of each the last; None where they are in order already."""
    if len(row) < 2 or bool((np.diff(row) > 0).all()):
        return None
    _, last = np.unique(row[::-1], return_index=True)
    return np.asarray(len(row) - 1 - last)
