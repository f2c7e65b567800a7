"""The cases that were found by use come in as their README says; skipped where the folder is not there."""

from contextlib import closing
from pathlib import Path

import pytest

from studio.ingest.importer import import_path
from studio.store import open_store
from tests.support.samples import SCHEME

CASES = Path(__file__).parents[3] / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the folder of cases is not beside the checkout")

EXPECTED = {
    # file: rows, decided, waiting, refused
    "alpaca-instruction-only/alpaca.json": (6, 6, 0, 0),
    "csv-ragged/export.csv": (4, 2, 2, 0),
    "csv-roundtrip-formula/titles.txt": (4, 0, 4, 0),
    "dataset-info-hub-and-file": (6, 6, 0, 0),
    "doccano-jsonl/admin.jsonl": (6, 4, 2, 0),
    "doccano-jsonl-data/all.jsonl": (6, 6, 0, 0),
    "excel-unicode-text/标注.txt": (6, 6, 0, 0),
    "fasttext-label/train.txt": (6, 6, 0, 0),
    "firefly-input-target": (6, 6, 0, 0),
    "fullwidth-comma-csv/titles.csv": (4, 4, 0, 0),
    "jsonl-numeric-title/rows.jsonl": (3, 2, 0, 1),
    "jsonl-one-broken-line/rows.jsonl": (6, 5, 0, 1),
    "label-studio-csv/export.csv": (6, 6, 0, 0),
    "label-studio-multi-annotator/export.csv": (4, 1, 1, 0),
    "label-suggestion-columns/rows.csv": (4, 0, 4, 0),
    "multi-label-cell/rows.csv": (4, 0, 4, 0),
    "openai-content-parts/messages.jsonl": (3, 3, 0, 0),
    "pandas-nan-json/rows.csv": (4, 1, 3, 0),
    "pandas-nan-json/rows.json": (3, 1, 2, 0),
    "paste-line-separator/pasted.txt": (2, 0, 2, 0),
    "pipe-csv/titles.csv": (6, 6, 0, 0),
    "prodigy-binary/textcat.jsonl": (5, 2, 3, 0),
    "sep-line-csv/titles.csv": (6, 6, 0, 0),
    "single-object-json/one.json": (1, 1, 0, 0),
    "single-object-json/one.jsonl": (1, 1, 0, 0),
    "thucnews-tab-txt/train.txt": (6, 0, 6, 0),
    "tnews-jsonl/train.json": (6, 0, 6, 0),
    "train-alpaca-folder": (7, 7, 0, 0),
    "train-openai-folder": (7, 7, 0, 0),
    "trl-prompt-completion/train.jsonl": (3, 3, 0, 0),
    "two-title-columns/rows.csv": (4, 4, 0, 0),
    "xlsx-formula-title/formula.xlsx": (3, 2, 0, 1),
    "xlsx-formula-title/heading-above.xlsx": (2, 2, 0, 0),
    "html-entities/titles.txt": (4, 0, 3, 0),
}
NEVER = ("标题", "title|label", "标题，类别", "标题 类别")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_case_comes_in_as_its_readme_says(tmp_path, name):
    with closing(open_store(tmp_path / "a.db")) as db:
        report = import_path(db, CASES / name, SCHEME)
        titles = [row["text"] for row in db.query("select text from titles")]
    assert (report.rows, report.decided, report.waiting, len(report.refused)) == EXPECTED[name]
    assert not [title for title in titles if title in NEVER or title.startswith("__label__") or "\t" in title]


def test_every_case_of_a_file_is_among_them():
    suffixes = (".txt", ".csv", ".tsv", ".json", ".jsonl", ".xlsx")
    elsewhere = (
        "lf-yaml",
        "lfs-pointer",
        "serve-content-parts",
        "serve-finish-reason",
        "yaml-two-datasets-overridden",
    )
    named = {name.split("/")[0] for name in EXPECTED}
    found = {path.parent.name for path in CASES.glob("*/*") if path.suffix in suffixes}
    assert found - named <= set(elsewhere)
