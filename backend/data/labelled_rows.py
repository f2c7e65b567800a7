"""Select the rows whose answer is a category, which can be answered and scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.data import rows
from studio.contract import Prediction
from studio.samples.canonical import exact_category, read_answer, read_question
from studio.samples.scheme import Scheme


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
    conversations = rows.read_conversations(folder, name)
    wanted = range(len(conversations)) if only is None else [r for r in only if r < len(conversations)]
    for number in wanted:
        messages = conversations[number]
        answer = read_answer(messages[-1]["content"])
        category = exact_category(answer.label, scheme.names)
        question = next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")
        if category:
            title, _ = read_question(question, scheme.prompt)
            found.append(LabelledRow(number, title, category, answer.chain or ""))
    return found, len(wanted) - len(found)
