"""Annotations leave the workspace as a file and come back whole: authors, times, seconds, suggestions."""

import csv
import json

import pytest

from studio.annotation import annotations
from studio.annotation.annotation_files import FORMS, annotation_rows, read_annotations, write_annotations
from studio.annotation.annotation_import import import_annotations
from studio.annotation.annotations import Suggested
from studio.corpus.titles import decided_titles, find_title
from studio.errors import InputError, UnreadableFile
from studio.ingest.importer import import_path, import_text
from studio.messages import message, stored
from studio.team import agreement_data, people
from studio.workspace import BUNDLED_DATASET
from tests.support.samples import SCHEME, new_store
from tests.support.team import TITLES, TWO, dispute, label, share, team


def titles_of(db):
    """The bundled titles, unlabelled."""
    rows = json.loads((BUNDLED_DATASET / "train.json").read_text("utf-8"))
    text = "\n".join(row["conversations"][0]["value"].partition("：")[2] for row in rows)
    import_text(db, text, SCHEME)
    return db


@pytest.fixture
def source(tmp_path):
    """A workspace with every kind of act on real titles."""
    db, _ = new_store(tmp_path / "source")
    titles_of(db)
    for name in ("li", "wang"):
        people.sign_in(db, name)
    ids = [row[0] for row in db.execute("select title_id from states order by title_id").fetchall()]
    for number, title_id in enumerate(ids[:120]):
        seen = annotations.get_title(db, title_id)
        common = {"author": ("li", "wang")[number % 2], "seen_revision": seen.revision}
        if number % 10 == 8:
            annotations.flag(db, title_id, reason=stored(message("reason_no_rule")), **common)
        elif number % 10 == 9:
            annotations.skip(db, title_id, reason="=说不清", **common)
        else:
            name = SCHEME.names[number % 10]
            annotations.annotate(
                db,
                title_id,
                category=name,
                chain=f"写“{seen.text[:4]}”，归{name}。" if number % 3 == 0 else None,
                active_seconds=number / 7,
                suggested=Suggested(category=SCHEME.names[number % 4], source="tfidf")
                if number % 2
                else None,
                **common,
            )
    annotations.undo(db, author="li")
    again = annotations.get_title(db, ids[0])
    annotations.annotate(db, ids[0], category="社会", author="wang", seen_revision=again.revision)
    return db


def essence(db):
    return [(row.title, row.annotator, row.at, row.kind, row.category, row.reason, row.reason_code, row.chain,
             row.seconds, row.suggestion, row.suggestion_source, row.retracted_at, row.title_status,
             row.title_category) for row in annotation_rows(db)]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_round_trip_keeps_every_act_and_where_each_title_stands(source, tmp_path, form):
    out = tmp_path / f"a.{form}"
    assert write_annotations(out, annotation_rows(source)) == 121
    fresh = titles_of(new_store(tmp_path / "fresh")[0])
    done = import_annotations(fresh, read_annotations(out), SCHEME)
    assert (done.rows, done.added, done.unmatched_rows, done.refused_rows) == (121, 121, 0, 0)
    assert sorted(essence(fresh)) == sorted(essence(source))
    assert find_title(fresh, essence(source)[0][0]).category == "社会"
    again = import_annotations(fresh, read_annotations(out), SCHEME)
    assert (again.added, again.already_there) == (0, 121)
    assert people.find_person(fresh, "wang").role == "annotator"
    assert people.sign_in(fresh, "first").role == "admin"


def test_a_dispute_and_its_agreement_survive(tmp_path):
    db = share(team(tmp_path / "a"))
    dispute(db)
    label(db, "wang", "体育", settings=TWO)
    label(db, "chen", "体育", settings=TWO)
    out = tmp_path / "a.jsonl"
    write_annotations(out, annotation_rows(db))
    fresh = new_store(tmp_path / "b")[0]
    import_text(fresh, TITLES, SCHEME)
    import_annotations(fresh, read_annotations(out), SCHEME)
    assert [each[-2:] for each in essence(fresh)] == [("disputed", None)] * 2 + [("decided", "体育")] * 2
    assert essence(fresh) == essence(db)
    shared = [[each.answers for each in agreement_data.load_shared(one)] for one in (db, fresh)]
    assert shared[0] == shared[1] != []


def test_a_title_that_is_decided_keeps_its_category_and_what_does_not_fit_is_named(tmp_path):
    db = team(tmp_path / "a")
    label(db, "wang", "经济")
    at = "2026-11-20T09:00:00+08:00"
    rows = [
        {"title": "央行宣布降息！", "annotator": "zhao", "category": "社会", "at": at},
        {"title": "没有这条", "annotator": "zhao", "category": "社会", "at": at},
        {"title": "女排逆转夺冠", "annotator": "zhao", "category": "运动", "at": at},
        {"title": "女排逆转夺冠", "annotator": "zhao", "category": "体育", "at": "昨天"},
        {"title": "女排逆转夺冠", "annotator": "", "category": "体育", "at": at},
        {"title": "女排逆转夺冠", "annotator": "z", "kind": "skip", "category": "体育", "at": at},
    ]
    out = tmp_path / "in.jsonl"
    out.write_text("".join(json.dumps(row) + "\n" for row in rows) + "[1]\n{\n", "utf-8")
    done = import_annotations(db, read_annotations(out), SCHEME)
    assert (done.rows, done.added, done.unmatched, done.moved) == (8, 1, [(2, "没有这条")], 0)
    assert [row for row, _ in done.refused] == [3, 4, 5, 6, 7, 8]
    assert find_title(db, "央行宣布降息").category == "经济"
    assert ("zhao", "2026-11-20T01:00:00.000Z") in {each[1:3] for each in essence(db)}


def test_a_csv_carries_no_formula_and_an_annotator_no_other_and_no_gold(source, tmp_path):
    out = tmp_path / "own.csv"
    write_annotations(out, annotation_rows(source, author="wang"))
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["annotator"] for row in rows} == {"wang"}
    assert {row["title_category"] for row in rows} == {""}
    assert "'=说不清" in {row["reason"] for row in rows}
    assert "=说不清" in {row["reason"] for row in read_annotations(out)}


def test_files_of_other_forms_are_refused_with_a_remedy(tmp_path, source):
    with pytest.raises(InputError, match="xlsx"):
        write_annotations(tmp_path / "a.xlsx", annotation_rows(source))
    (tmp_path / "a.parquet").write_bytes(b"no")
    for name in ("a.parquet", "none.csv"):
        with pytest.raises(UnreadableFile):
            list(read_annotations(tmp_path / name))
    (tmp_path / "b.csv").write_bytes("title\n标题".encode("gb18030"))
    with pytest.raises(UnreadableFile):
        list(read_annotations(tmp_path / "b.csv"))


def test_labels_of_the_bundled_set_come_back_from_a_file(tmp_path):
    db = new_store(tmp_path / "a")[0]
    import_path(db, BUNDLED_DATASET, SCHEME)
    rows = [
        {"title": title.text, "annotator": "li", "category": title.category, "at": "2026-11-20T09:00:00Z"}
        for title in decided_titles(db)
    ]
    fresh = new_store(tmp_path / "b")[0]
    import_text(fresh, "\n".join(row["title"] for row in rows), SCHEME)
    done = import_annotations(fresh, rows, SCHEME)
    assert (done.added, done.moved) == (len(rows), len(rows))
    known = {title.text: title.category for title in decided_titles(db)}
    assert {title.text: title.category for title in decided_titles(fresh)} == known
