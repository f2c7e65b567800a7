"""An import can be taken back: what nobody worked on goes, what others brought stays, it can come again."""

import csv
import io
import os
import sqlite3
import subprocess
import sys

import pytest

from studio.annotation import annotations
from studio.corpus.titles import count_by_status, get_title
from studio.errors import InputError
from studio.ingest.import_batches import (
    get_import_batch,
    list_import_batches,
    report_csv,
    row_report,
    undo_import,
    write_report,
)
from studio.ingest.importer import finish_interrupted, import_path, import_text
from studio.system.csv_export import csv_bytes, safe_cell
from tests.support.samples import SCHEME, TITLE, new_store, sample, write_json
from tests.support.titles import next_waiting


@pytest.fixture
def db(tmp_path):
    return new_store(tmp_path / "home")[0]


def take(db, tmp_path, *rows, name="rows.json"):
    return import_path(db, write_json(tmp_path / name, list(rows)), SCHEME, author="wang")


def label(db, title_id, category="娱乐"):
    seen = get_title(db, title_id).revision
    annotations.annotate(db, title_id, category=category, author="li", seen_revision=seen)


def test_the_list_has_source_author_and_counts(db, tmp_path):
    take(db, tmp_path, sample(), sample(), {"id": 1})
    import_text(db, "今年高考报名人数创下历史新高\n今年高考报名人数创下历史新低", SCHEME, author="li")
    second, first = list_import_batches(db)
    assert (first.source, first.author, first.state) == ("rows.json", "wang", "done")
    assert (first.rows, first.added, first.merged, first.refused, first.decided) == (3, 1, 1, 1, 1)
    assert (second.author, second.added, second.near) == ("li", 2, 1)


def test_titles_that_nobody_has_worked_on_are_withdrawn(db, tmp_path):
    report = take(db, tmp_path, sample(), sample("女排夺冠", "军事"))
    undone = undo_import(db, report.batch_id, "li")
    assert (undone.withdrawn, undone.kept, undone.shared) == (2, [], 0)
    assert count_by_status(db)["trashed"] == 2
    batch = get_import_batch(db, report.batch_id)
    assert (batch.state, batch.undone_by) == ("undone", "li")


def test_a_title_that_a_person_decided_stays_and_is_listed(db, tmp_path):
    report = take(db, tmp_path, sample(), sample("女排夺冠"))
    label(db, 1)
    undone = undo_import(db, report.batch_id, "li")
    assert (undone.withdrawn, [title.id for title in undone.kept]) == (1, [1])
    assert get_title(db, 1).category == "娱乐"


def test_a_decision_that_was_taken_back_is_no_work(db, tmp_path):
    report = take(db, tmp_path, sample())
    label(db, 1)
    annotations.undo(db, author="li")
    assert undo_import(db, report.batch_id, "li").withdrawn == 1


def test_a_title_that_another_import_brought_is_concluded_without_this_one(db, tmp_path):
    take(db, tmp_path, sample(), name="first.json")
    second = take(db, tmp_path, sample(category="娱乐"), name="eval.json")
    assert (get_title(db, 1).status, get_title(db, 1).split) == ("waiting", "eval")
    undone = undo_import(db, second.batch_id, "li")
    assert (undone.withdrawn, undone.shared) == (0, 1)
    title = get_title(db, 1)
    assert (title.status, title.category, title.split) == ("decided", "体育", None)


def test_undoing_the_first_of_two_leaves_what_the_second_says(db, tmp_path):
    first = take(db, tmp_path, sample(category="娱乐"), name="first.json")
    take(db, tmp_path, sample(), name="second.json")
    undo_import(db, first.batch_id, "li")
    assert get_title(db, 1).category == "体育"


def test_the_same_file_brings_withdrawn_titles_back(db, tmp_path):
    report = take(db, tmp_path, sample(), sample("女排夺冠", "军事"))
    undo_import(db, report.batch_id, "li")
    again = take(db, tmp_path, sample(), sample("女排夺冠", "军事"))
    assert (again.added, again.merged) == (0, 2)
    assert any("又回来了" in note for note in again.notes)
    assert [get_title(db, number).status for number in (1, 2)] == ["decided", "waiting"]
    assert undo_import(db, again.batch_id, "li").withdrawn == 2


def test_an_import_is_undone_once_and_only_if_there_is_one(db, tmp_path):
    report = take(db, tmp_path, sample())
    undo_import(db, report.batch_id, "li")
    with pytest.raises(InputError, match="已经撤销"):
        undo_import(db, report.batch_id, "li")
    with pytest.raises(InputError, match="没有编号为 99"):
        undo_import(db, 99, "li")


KILLED = """
import os, sys
from pathlib import Path
from studio.ingest.import_batches import undo_import
from studio.store import open_store

db = open_store(Path(sys.argv[1]))
seen = 0

def watch(statement):
    global seen
    seen += statement.startswith("begin immediate")
    if seen == 3:  # the mark, the first 5000 titles, the next
        os.kill(os.getpid(), 9)

db.conn.set_trace_callback(watch)
undo_import(db, 1, "li")
"""


def test_an_undo_that_is_killed_goes_on(tmp_path):
    db, workspace = new_store(tmp_path)
    import_text(db, "\n".join(f"第{number}号台风最新消息" for number in range(12_000)), SCHEME)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(workspace.database)], check=False, env=os.environ
    )
    assert killed.returncode == -9
    assert count_by_status(db)["trashed"] == 5000
    assert finish_interrupted(db) == 1
    assert count_by_status(db)["trashed"] == 12_000
    assert next_waiting(db) == []


def test_the_report_tells_of_every_row_in_order(db, tmp_path):
    import_text(db, "女排夺冠", SCHEME)
    rows = [{"title": "央行降息"}, {"id": 1}, {"title": "央行：降息"}, {"title": "女排夺冠"}]
    report = take(db, tmp_path, *rows)
    told = [(row, outcome, title) for _, row, outcome, title, _ in row_report(db, report.batch_id)]
    assert told == [
        (1, "added", "央行降息"),
        (2, "refused", None),
        (3, "merged", "央行降息"),
        (4, "merged", "女排夺冠"),
    ]


def test_the_report_is_a_csv_that_a_spreadsheet_opens_safely(db, tmp_path):
    report = take(db, tmp_path, {"title": "=cmd|' /C calc'!A0"}, {"标题": "第一条,“引号”"}, {"id": 1})
    text = report_csv(db, report.batch_id)
    assert text.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline="")))
    assert [row[2:4] for row in rows[1:]] == [
        ["新增", "'=cmd|' /C calc'!A0"],
        ["新增", "第一条,“引号”"],
        ["拒收", ""],
    ]
    write_report(db, report.batch_id, tmp_path / "report.csv")
    assert (tmp_path / "report.csv").read_bytes() == text


def test_a_near_repeat_is_remarked_in_the_report(db, tmp_path):
    take(db, tmp_path, {"title": "今年高考报名人数创下历史新高"})
    report = take(db, tmp_path, {"title": "今年高考报名人数创下历史新低"}, name="b.json")
    ((*_, remark),) = row_report(db, report.batch_id)
    assert "今年高考报名人数创下历史新高" in remark


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n@x"])
def test_a_cell_that_begins_like_a_formula_is_escaped(text):
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["标题", "3-1 逆转", "", None, -1, 2.5])
def test_other_cells_stay_as_they_are(value):
    assert safe_cell(value) == value


def test_a_csv_escapes_its_header_too():
    assert csv_bytes(["=a"], [["-b", 1]]).decode("utf-8-sig") == "'=a\r\n'-b,1\r\n"


def test_a_title_is_never_deleted_once_it_was_seen(db, tmp_path):
    take(db, tmp_path, sample())
    for statement in ("delete from titles", "delete from imported_rows"):
        with pytest.raises(sqlite3.IntegrityError, match=r"never deleted|append-only"):
            db.execute(statement)
    assert get_title(db, 1).text == TITLE
