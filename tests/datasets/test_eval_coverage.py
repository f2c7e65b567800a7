"""A dataset whose eval rows lack a category says so before anybody trains on it."""

import json

from studio.datasets.eval_coverage import lacking_categories
from studio.datasets.versions import freeze
from studio.ingest.importer import import_path
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import BUNDLED_DATASET
from tests.support.pages import open_page
from tests.support.samples import sample, write_folder


def test_the_bundled_samples_lack_none():
    assert lacking_categories(BUNDLED_DATASET, load_scheme()) == []


def test_categories_without_an_eval_row_are_listed_in_order(tmp_path):
    names = load_scheme().names
    folder = write_folder(
        tmp_path / "set",
        train=[sample()],
        eval=[sample("女排夺冠", category=names[3]), sample("不认识", category="别的")],
    )
    assert lacking_categories(folder, load_scheme()) == [name for name in names if name != names[3]]


def test_without_eval_rows_nothing_is_said(tmp_path):
    assert lacking_categories(write_folder(tmp_path / "set", train=[sample()]), load_scheme()) == []


def test_train_warns_before_it_starts(workspace):
    db = open_store(workspace.database)
    samples = json.loads((BUNDLED_DATASET / "train.json").read_text(encoding="utf-8"))
    rows = [row for row in samples if row["conversations"][1]["value"].endswith(("体育", "经济"))]
    import_path(db, write_folder(workspace.home / "set", train=rows), load_scheme())
    freeze(db, workspace, "news", author="ann", scheme=load_scheme(), accept_warnings=True, resplit=True)
    app = open_page("train")
    assert not app.exception
    (said,) = [each.value for each in app.warning if "评估样本里没有" in each.value]
    assert "政治" in said
    assert "体育" not in said
