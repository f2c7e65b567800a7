"""Read the predictions of an evaluation by columns; whole rows only where they are shown.

Of 100,000 predictions only titles, labels and answers are kept, about 20 MiB: think chains stay in the
file, and the offset of each line leads back to them. This module knows no workspace.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from pydantic_core import from_json

from studio.contract import AnswerMode, Prediction
from studio.evaluation.paired import Integers

log = logging.getLogger(__name__)


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
    tokens: Integers
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
    known = {name: position for position, name in enumerate(categories)}
    titles: list[str] = []
    numbers: list[tuple[int, int, int, int, int]] = []
    for offset, fields in _lines(file):
        if fields.get("answer") != answer:
            continue
        label, predicted = fields["label"], fields["predicted"]
        titles.append(fields["title"])
        numbers.append(
            (
                fields["row"],
                known.setdefault(label, len(known)),
                -1 if predicted is None else known.setdefault(predicted, len(known)),
                fields.get("tokens", 0),
                offset,
            )
        )
    table = np.array(numbers, dtype=np.int64).reshape(-1, 5)
    order = _last_of_each_row(table[:, 0])
    row, label, predicted, tokens, offsets = (
        table[:, column] if order is None else table[order, column] for column in range(5)
    )
    return AnswerColumns(
        file=file,
        categories=tuple(known),
        titles=titles if order is None else [titles[position] for position in order.tolist()],
        row=row.astype(np.int32),
        label=label.astype(np.int16),
        predicted=np.where(predicted < 0, len(known), predicted).astype(np.int16),
        tokens=tokens.astype(np.int32),
        offset=offsets.copy(),
    )


def _lines(file: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    if not file.is_file():
        return
    offset = 0
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.endswith(b"\n"):
                try:
                    yield offset, _checked(from_json(line))
                except (ValueError, ValidationError):
                    log.warning("%s: line %d is not readable and left out", file, number)
            offset += len(line)


def _checked(fields: Any) -> dict[str, Any]:
    """Check the few fields that are kept: to validate each whole line would take five times as long.

    Raises:
        ValueError: it is no prediction.
    """
    try:
        fine = (
            type(fields["row"]) is int
            and type(fields["title"]) is str
            and type(fields["label"]) is str
            and (fields["predicted"] is None or type(fields["predicted"]) is str)
        )
    except (TypeError, KeyError) as error:
        raise ValueError("no prediction") from error
    if not fine:
        raise ValueError("no prediction")
    return dict(fields) if type(fields) is not dict else fields


def _last_of_each_row(row: Integers) -> Integers | None:
    """Compute the order by row, of each the last; None where they are in order already."""
    if len(row) < 2 or bool((np.diff(row) > 0).all()):
        return None
    _, last = np.unique(row[::-1], return_index=True)
    return np.asarray(len(row) - 1 - last)
