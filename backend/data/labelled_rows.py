"""Select the rows whose answer is a category, which can be answered and scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.data import rows
from studio.contract import Prediction
from studio.samples.canonical import exact_category, read_answer
from studio.samples.scheme import Scheme
from studio.validation.rows import find_title, shared_prefix


@dataclass(frozen=True)
class LabelledRow:
    """A row whose answer is one of the categories. `row` is its index in the file, from 0."""

    row: int
    title: str
    category: str
    chain: str

    def predicted_as(self, category: str | None, **answered: Any) -> Prediction:
        """Make the prediction of a model for this row; `answered` are its other fields."""
        return Prediction(
            row=self.row,
            title=self.title,
            label=self.category,
            label_chain=self.chain,
            predicted=category,
            **answered,
        )


def labelled_rows(
    folder: Path, name: str, scheme: Scheme, only: Sequence[int] | None = None
) -> tuple[list[LabelledRow], int]:
    """Select the rows whose answer is a category, and count the others; among all rows, or `only` these."""
    found = []
    read = rows.read_rows(folder, name)
    prefix = shared_prefix(read, scheme)
    wanted = range(len(read)) if only is None else [number for number in only if number < len(read)]
    for number in wanted:
        messages = rows.messages_of(read[number], scheme.prompt)
        answer = read_answer(messages[-1]["content"])
        category = exact_category(answer.label, scheme.names)
        if category:
            title = find_title(read[number], prefix, scheme)
            found.append(LabelledRow(number, title, category, answer.chain or ""))
    return found, len(wanted) - len(found)
