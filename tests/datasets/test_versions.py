"""A frozen version never changes, loads anywhere, and splits its rows the same way every time."""

import json
import sqlite3

import pytest

from studio.annotation import annotations
from studio.corpus.titles import get_title
from studio.datasets import versions
from studio.datasets.outlook import freeze_outlook
from studio.errors import DiskFull, InputError, NothingToFreeze, UnreadableFile
from studio.ingest.importer import import_path, import_text
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.validation.check import check_path
from studio.workspace import BUNDLED_DATASET
from tests.support.full_disk import error_on_a_full_disk
from tests.support.samples import (
    CHAIN,
    COURSE,
    SCHEME,
    needs_course_set,
    new_store,
    sample,
    write_folder,
    write_json,
)
from tests.support.titles import next_waiting


@pytest.fixture
def opened(tmp_path):
    return new_store(tmp_path / "home")


@pytest.fixture
def db(opened):
    return opened[0]


def decide(db, count, *, start=1, categories=SCHEME.names):
    """Import titles without a split, and label them with the categories in turn."""
    import_text(db, "\n".join(f"第{number}条新闻标题" for number in range(start, start + count)), SCHEME)
    for index, title in enumerate(next_waiting(db, limit=count)):
        category = categories[index % len(categories)]
        annotations.annotate(db, title.id, category=category, author="li", seen_revision=title.revision)


def freeze(opened, name="news", **more):
    return versions.freeze(*opened, name, author="li", scheme=SCHEME, **more)


def titles_in(version, split):
    rows = json.loads(version.files[f"{split}.json"])
    return [row["conversations"][0]["value"].removeprefix(SCHEME.prompt) for row in rows]


def test_the_bundled_set_comes_out_as_it_went_in(opened):
    import_path(opened[0], BUNDLED_DATASET, SCHEME)
    version = freeze(opened)
    assert version.rows == {"train": 300, "eval": 100}
    for split in ("train", "eval"):
        shipped = json.loads((BUNDLED_DATASET / f"{split}.json").read_text(encoding="utf-8"))
        frozen = json.loads(version.files[f"{split}.json"])
        assert sorted(frozen, key=str) == sorted(shipped, key=str)


@needs_course_set
def test_only_decided_rows_of_the_course_set_are_frozen(opened):
    import_path(opened[0], COURSE, SCHEME)
    version = freeze(opened)
    report = check_path(version.folder, SCHEME)
    assert version.rows == {"train": 267, "eval": 93}
    assert (report.rows, report.valid, report.has_errors) == (360, 360, False)


def test_dataset_info_leaves_nothing_to_defaults(opened, db):
    decide(db, 10)
    info = json.loads(freeze(opened).files["dataset_info.json"])
    assert list(info) == ["train", "eval"]
    assert info["eval"]["file_name"] == "eval.json"
    assert info["eval"]["columns"] == {"messages": "conversations"}
    assert len(info["eval"]["tags"]) == 7


def test_a_title_without_a_chain_gets_an_empty_block(opened, db):
    decide(db, 10)
    rows = json.loads(freeze(opened).files["train.json"])
    assert rows[0]["conversations"][1]["value"].startswith("<think>\n\n</think>\n\n")


def test_the_categories_file_of_a_version_reads_back_equal(opened, db):
    decide(db, 10)
    assert load_scheme(freeze(opened).folder / "categories.toml") == SCHEME


def test_freezing_twice_makes_two_versions_with_the_same_bytes(opened, db):
    decide(db, 20)
    first, second = freeze(opened), freeze(opened)
    assert (first.number, second.number, first.sha256) == (1, 2, second.sha256)
    assert all(first.files[name] == second.files[name] for name in first.files if name != "version.json")


def test_another_workspace_freezes_the_same_bytes(opened, db, tmp_path):
    decide(db, 20)
    other = new_store(tmp_path / "other")
    decide(other[0], 20)
    assert freeze(opened).sha256 == freeze(other).sha256


def test_the_order_of_the_work_does_not_show(opened, db, tmp_path):
    other = new_store(tmp_path / "other")
    rows = [
        sample(f"{number}号公路今晨通车，{number * 7}辆车先行", SCHEME.names[number % 10])
        for number in range(60)
    ]
    import_path(db, write_json(tmp_path / "a.json", rows), SCHEME)
    for part, portion in enumerate([rows[40:], rows[:40][::-1]]):
        import_path(other[0], write_json(tmp_path / f"b{part}.json", portion), SCHEME)
    one, two = freeze(opened, resplit=True), freeze(other, resplit=True)
    assert all(one.files[name] == two.files[name] for name in one.files if name != "version.json")


def test_later_labels_do_not_reach_a_frozen_version(opened, db):
    decide(db, 10)
    version = freeze(opened)
    before = version.files
    annotations.annotate(
        db, 1, category="社会", author="li", seen_revision=get_title(db, 1).revision, chain=CHAIN
    )
    assert versions.find_version(*opened, "news@1").files == before


def test_version_json_records_which_title_each_row_is(opened, db):
    decide(db, 10)
    version = freeze(opened, seed=7)
    described = json.loads(version.files["version.json"])
    texts = [get_title(db, row["title_id"]).text for row in described["rows"]["train"]]
    assert texts == titles_in(version, "train")
    assert [described[key] for key in ("name", "number", "sha256", "seed")] == ["news", 1, version.sha256, 7]


def test_without_fixed_rows_a_fifth_of_every_category_is_evaluated(opened, db):
    decide(db, 100)
    version = freeze(opened)
    assert version.rows == {"train": 80, "eval": 20}
    assert set(version.categories["eval"].values()) == {2}


def test_a_few_titles_still_have_something_to_evaluate(opened, db):
    decide(db, 12)
    version = freeze(opened)
    assert version.rows == {"train": 10, "eval": 2}
    assert set(version.categories["train"]) == set(SCHEME.names)


def test_the_seed_picks_and_the_share_counts(opened, db):
    decide(db, 100)
    picks = {seed: titles_in(freeze(opened, f"s{seed}", seed=seed), "eval") for seed in (1, 2)}
    assert picks[1] != picks[2]
    assert freeze(opened, "half", eval_share=0.5).rows == {"train": 50, "eval": 50}


def test_rows_with_a_fixed_split_keep_it(opened, db, tmp_path):
    folder = write_folder(tmp_path / "set", train=[sample()], eval=[sample("女排夺冠")])
    import_path(db, folder, SCHEME)
    decide(db, 10)
    version = freeze(opened)
    assert titles_in(version, "eval") == ["女排夺冠"]
    assert version.rows == {"train": 11, "eval": 1}


def test_what_was_evaluated_once_stays_evaluated(opened, db):
    decide(db, 50)
    first = freeze(opened)
    decide(db, 50, start=100)
    second = freeze(opened, seed=5)
    assert set(titles_in(first, "eval")) <= set(titles_in(second, "eval"))
    assert set(titles_in(first, "train")) <= set(titles_in(second, "train"))
    assert second.rows == {"train": 80, "eval": 20}


def test_even_an_import_cannot_move_an_evaluated_title_to_training(opened, db, tmp_path):
    decide(db, 50)
    evaluated = titles_in(freeze(opened), "eval")
    rows = [sample(title, get_category(db, title)) for title in evaluated]
    import_path(db, write_json(tmp_path / "train.json", rows), SCHEME)
    assert titles_in(freeze(opened), "eval") == evaluated


def get_category(db, text):
    return db.execute("select category from current_titles where text = ?", [text]).fetchone()[0]


def test_datasets_of_other_names_split_anew(opened, db):
    decide(db, 50)
    assert titles_in(freeze(opened), "eval") != titles_in(freeze(opened, "other", seed=9), "eval")


def test_nothing_decided_is_nothing_to_freeze(opened, db):
    import_text(db, "女排夺冠", SCHEME)
    with pytest.raises(NothingToFreeze, match="标注"):
        freeze(opened)


def test_one_title_cannot_fill_two_splits(opened, db):
    decide(db, 1)
    with pytest.raises(NothingToFreeze, match="评估集是空的"):
        freeze(opened)
    assert versions.list_versions(*opened) == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", "a@1", ".hidden", "x" * 81])
def test_a_name_that_is_no_folder_name_is_refused(opened, db, name):
    decide(db, 10)
    with pytest.raises(InputError, match="名称"):
        freeze(opened, name)


@pytest.mark.parametrize("share", [0, 1, -0.5, 7])
def test_a_share_is_between_zero_and_one(opened, db, share):
    decide(db, 10)
    with pytest.raises(InputError, match=r"0\.2"):
        freeze(opened, eval_share=share)


def test_a_category_outside_the_scheme_is_refused(opened, db):
    decide(db, 10, categories=("体育", "军事"))
    with pytest.raises(InputError, match="军事"):
        freeze(opened)


def test_versions_are_found_by_name_and_number(opened, db):
    decide(db, 10)
    freeze(opened), freeze(opened), freeze(opened, "新闻")
    assert [version.ref for version in versions.list_versions(*opened)] == ["新闻@1", "news@2", "news@1"]
    assert versions.find_version(*opened, "news").number == 2
    assert versions.find_version(*opened, "news@1").number == 1


@pytest.mark.parametrize("ref", ["other", "news@9", "news@"])
def test_an_unknown_version_lists_the_known_ones(opened, db, ref):
    decide(db, 10)
    freeze(opened)
    if ref == "news@":
        assert versions.find_version(*opened, ref).number == 1
    else:
        with pytest.raises(InputError, match="news@1"):
            versions.find_version(*opened, ref)


@pytest.mark.parametrize("change", [lambda file: file.write_text("[]"), lambda file: file.unlink()])
def test_a_version_whose_file_was_touched_is_not_used(opened, db, change):
    decide(db, 10)
    change(freeze(opened).folder / "train.json")
    with pytest.raises(UnreadableFile, match=r"train\.json|不同"):
        versions.find_version(*opened, "news")


def test_a_folder_without_its_entry_is_not_overwritten(opened, db):
    decide(db, 10)
    lost = opened[1].datasets / "news" / "v1"
    write_json(lost / "train.json", [])
    assert freeze(opened).number == 2
    assert (lost / "train.json").read_text() == "[]"


def test_a_full_disk_leaves_no_half_made_version(opened, db):
    decide(db, 400)
    error = error_on_a_full_disk(10_000, lambda: freeze((open_store(opened[1].database), opened[1])))
    assert error.startswith("DiskFull") and "完好" in error
    assert list((opened[1].datasets / "news").iterdir()) == []
    assert freeze(opened).number == 1


def test_a_database_that_cannot_grow_leaves_no_folder(opened, db):
    decide(db, 400)
    pages = db.execute("pragma page_count").fetchone()[0]
    db.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(DiskFull, match="没有保存"):
        freeze(opened)
    assert versions.list_versions(*opened) == []
    assert list((opened[1].datasets / "news").iterdir()) == []


def test_problems_of_the_decided_titles_lead_to_the_title(opened, db, tmp_path):
    rows = [sample(), sample("国足备战", chain=CHAIN.replace("所以归体育", "所以归经济"))]
    import_path(db, write_json(tmp_path / "a.json", rows), SCHEME)
    found = {problem.code: problem.title_id for problem in versions.data_problems(db, SCHEME)}
    assert found["chain_contradicts"] == 2
    assert found["category_missing"] is None


def test_frozen_rows_cannot_be_touched(opened, db):
    decide(db, 10)
    freeze(opened)
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("delete from version_rows")


def test_the_outlook_names_titles_without_a_chain_and_thin_categories(db):
    decide(db, 30)
    outlook = freeze_outlook(db, "news", scheme=SCHEME)
    assert (outlook.without_chain, outlook.rows["train"] + outlook.rows["eval"]) == (30, 30)
    assert (outlook.needed, set(outlook.thin)) == (60, set(SCHEME.names))
    assert len(outlook.sentences) == 2
    assert not freeze_outlook(db, "news", half_width=0.9, eval_share=0.5, scheme=SCHEME).thin


def test_titles_without_a_chain_stay_out_where_that_is_asked_for(opened, db):
    import_path(db, BUNDLED_DATASET, SCHEME)
    decide(db, 5)
    assert sum(freeze(opened, "all").rows.values()) == 405
    version = freeze(opened, "chains", chainless="leave_out")
    assert sum(version.rows.values()) == 400
    assert b"<think>\\n\\n</think>" not in version.files["train.json"]
