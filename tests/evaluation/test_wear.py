"""What an evaluation set has served is counted once a pair, whoever is A, and cannot be rewritten."""

import sqlite3

import pytest

from studio.errors import UnreadableFile
from studio.evaluation.entries import entries_of
from studio.evaluation.nearest_rows import TrainingData, nearest_rows, training_data
from studio.evaluation.wear import WORN, Wear, record_comparison, wear_of
from studio.runs import get_run
from studio.store import open_store
from studio.workspace import BUNDLED_DATASET, SAMPLE_RUN
from tests.support.evaluations import finished, predictions, titles


def test_a_pair_counts_once_in_either_order(workspace):
    db = open_store(workspace.database)
    one, two, three = (
        entries_of(finished(workspace, predictions(titles(20), lambda row, n=n: row < n)))[0]
        for n in (5, 8, 9)
    )
    for entries in ([one, two], [two, one], [one, two, three]):
        record_comparison(db, "rows", entries, author="li")
    record_comparison(db, "other rows", [one, two], author="li")
    assert wear_of(db, "rows") == Wear(comparisons=2, evaluations=3)
    assert not wear_of(db, "rows").is_worn and Wear(comparisons=WORN, evaluations=9).is_worn
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("delete from comparisons")


def test_the_nearest_training_rows_are_those_that_share_the_most(workspace):
    data = training_data(workspace, get_run(workspace, SAMPLE_RUN.name))
    assert data is not None and data.folder == BUNDLED_DATASET
    (first, *_) = nearest_rows(data, "女足世界杯中国队提前出线")
    every = nearest_rows(data, first.row.title)
    assert every[0].row == first.row and every[0].similarity == pytest.approx(1) and every[0].row.category
    assert nearest_rows(data, "qqqq zzzz") == []
    with pytest.raises(UnreadableFile, match="恢复"):
        nearest_rows(TrainingData(name="gone", folder=workspace.home / "gone", entry="train"), "x")
    evaluation = finished(workspace, predictions(titles(5), lambda row: True))
    assert training_data(workspace, evaluation) is None
