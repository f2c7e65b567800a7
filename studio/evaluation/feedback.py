"""Requeue titles for labelling: of wrong predictions, and of the training rows behind them.

Knows predictions, rows and titles; it does not know which cell of which confusion matrix they are from.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from studio.annotation.requeue import send_back
from studio.contract import Prediction
from studio.corpus.titles import find_title
from studio.formats.conversations import RawRow
from studio.ingest.importer import import_rows
from studio.messages import message, stored
from studio.samples.canonical import write_answer, write_question
from studio.samples.scheme import Scheme
from studio.store import Store
from studio.team.rights import require_right


class TaughtRow(Protocol):
    """A row that a model was trained on."""

    @property
    def row(self) -> int:
        """Its number in the file, from 0."""

    @property
    def title(self) -> str:
        """Its title."""

    @property
    def category(self) -> str:
        """The category that was trained."""

    @property
    def chain(self) -> str:
        """The think chain that was trained; often empty."""


def send_predictions_back(
    db: Store, predictions: Sequence[Prediction], *, run_name: str, author: str, scheme: Scheme
) -> int:
    """Requeue the titles of these predictions for labelling; return how many wait now.

    A title that the workspace lacks is imported first, with the dataset's category and
    chain and for evaluation, since it was evaluated: it must not be trained on by accident.
    """
    require_right("send_back", db, author)
    missing = [prediction for prediction in predictions if find_title(db, prediction.title) is None]
    if missing:
        import_rows(
            db, [_row(prediction, run_name, scheme) for prediction in missing], scheme, source=run_name
        )
    by_reason = defaultdict(list)
    waiting = 0
    for prediction in predictions:
        title = find_title(db, prediction.title)
        assert title is not None, prediction.title
        by_reason[_reason(prediction, run_name)].append(title.id)
        waiting += title.status == "waiting"
    return waiting + sum(
        send_back(db, title_ids, reason=reason, author=author) for reason, title_ids in by_reason.items()
    )


def send_training_rows_back(
    db: Store, rows: Sequence[TaughtRow], *, reason: str, source: str, author: str, scheme: Scheme
) -> int:
    """Requeue the titles of training rows for labelling; return how many wait now.

    A title that the workspace lacks is imported first, with the category and the chain that were trained.

    Args:
        db: store.
        rows: of the trained data.
        reason: a stored message: why they are looked at again.
        source: name of the run, where titles have to be imported.
        author: who asks.
        scheme: the categories.
    """
    require_right("send_back", db, author)
    missing = [
        RawRow(
            file=source,
            row=row.row + 1,
            split="train",
            kind="conversation",
            record=row.title,
            question=write_question(scheme.prompt, row.title),
            answer=write_answer(row.chain, row.category),
        )
        for row in rows
        if find_title(db, row.title) is None
    ]
    if missing:
        import_rows(db, missing, scheme, source=source)
    found = [title for title in (find_title(db, row.title) for row in rows) if title is not None]
    waiting = sum(title.status == "waiting" for title in found)
    return waiting + send_back(db, [title.id for title in found], reason=reason, author=author)


def _row(prediction: Prediction, run_name: str, scheme: Scheme) -> RawRow:
    return RawRow(
        file=run_name,
        row=prediction.row + 1,
        split="eval",
        kind="conversation",
        record=prediction.title,
        question=write_question(scheme.prompt, prediction.title),
        answer=write_answer(prediction.label_chain, prediction.label),
    )


def _reason(prediction: Prediction, run_name: str) -> str:
    if prediction.predicted is None:
        return stored(message("run_unparsed", run=run_name, expected=prediction.label))
    return stored(
        message("run_answered", run=run_name, label=prediction.predicted, expected=prediction.label)
    )
