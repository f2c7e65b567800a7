"""What a foreign label means is said once, remembered, and forgotten when its import is undone."""

from contextlib import closing

import pytest

from studio.corpus.titles import Decision, append_decision
from studio.errors import InputError
from studio.ingest.import_batches import undo_import
from studio.ingest.importer import import_path
from studio.ingest.label_mapping import map_labels, unknown_labels
from studio.store import open_store, writing
from tests.support.samples import SCHEME


@pytest.fixture
def db(tmp_path):
    with closing(open_store(tmp_path / "studio.db")) as db:
        yield db


def write(tmp_path, name, *rows):
    path = tmp_path / name
    path.write_text("标题,类别\n" + "".join(f"{title},{label}\n" for title, label in rows), encoding="utf-8")
    return path


def categories(db):
    return {row["text"]: row["category"] for row in db.query("select text, category from current_titles")}


def test_unknown_labels_are_counted_with_what_they_probably_mean(tmp_path, db):
    path = write(
        tmp_path,
        "a.csv",
        ("降准消息", "财经"),
        ("股市大涨", "财经"),
        ("怪事一桩", "瓜田"),
        ("夺冠之夜", "体育"),
    )
    report = import_path(db, path, SCHEME)
    assert [(label.label, label.count, label.proposal) for label in report.unknown_labels] == [
        ("财经", 2, "经济"),
        ("瓜田", 1, None),
    ]


def test_one_decision_is_for_all_rows_and_for_later_imports(tmp_path, db):
    first = import_path(db, write(tmp_path, "a.csv", ("降准消息", "财经"), ("股市大涨", "财经")), SCHEME)
    assert map_labels(db, {"财经": "经济"}, SCHEME, batch_id=first.batch_id, author="小李") == 2
    assert categories(db) == {"降准消息": "经济", "股市大涨": "经济"}
    second = import_path(db, write(tmp_path, "b.csv", ("基金清盘", "财经")), SCHEME)
    assert (second.decided, second.unknown_labels) == (1, [])


def test_undoing_the_import_forgets_the_mapping_but_not_another_imports(tmp_path, db):
    first = import_path(db, write(tmp_path, "a.csv", ("降准消息", "财经")), SCHEME)
    map_labels(db, {"财经": "经济"}, SCHEME, batch_id=first.batch_id, author="小李")
    second = import_path(db, write(tmp_path, "b.csv", ("基金清盘", "财经")), SCHEME)
    undo_import(db, first.batch_id, "小李")
    assert categories(db)["基金清盘"] == "经济"
    undo_import(db, second.batch_id, "小李")
    third = import_path(db, write(tmp_path, "c.csv", ("股市大涨", "财经")), SCHEME)
    assert (third.waiting, third.unknown_labels[0].label) == (1, "财经")


def test_a_mapping_decides_what_earlier_imports_left_and_goes_with_its_own(tmp_path, db):
    import_path(db, write(tmp_path, "a.csv", ("降准消息", "财经")), SCHEME)
    second = import_path(db, write(tmp_path, "b.csv", ("基金清盘", "财经")), SCHEME, means={"财经": "经济"})
    assert second.decided == 1
    map_labels(db, {"财经": "经济"}, SCHEME, batch_id=second.batch_id, author="小李")
    assert set(categories(db).values()) == {"经济"}
    undo_import(db, second.batch_id, "小李")
    assert categories(db)["降准消息"] is None
    assert [label.label for label in unknown_labels(db, SCHEME)] == ["财经"]


def test_a_mapping_can_be_taken_back(tmp_path, db):
    first = import_path(db, write(tmp_path, "a.csv", ("降准消息", "财经")), SCHEME, means={"财经": "经济"})
    map_labels(db, {"财经": None}, SCHEME, batch_id=first.batch_id, author="小李")
    assert categories(db) == {"降准消息": None}


def test_a_row_with_another_fault_is_not_decided_by_a_mapping(tmp_path, db):
    path = write(tmp_path, "a.csv", ("降准消息", "财经"), ("开盘大涨,成交破万亿", "财经"))
    import_path(db, path, SCHEME, means={"财经": "经济"})
    assert categories(db) == {"降准消息": "经济", "开盘大涨,成交破万亿": None}


def test_what_a_person_decided_stays(tmp_path, db):
    first = import_path(db, write(tmp_path, "a.csv", ("降准消息", "财经")), SCHEME)
    with writing(db):
        append_decision(
            db, 1, Decision(author="小王", action="annotate", status="decided", category="国内"), follows=1
        )
    assert map_labels(db, {"财经": "经济"}, SCHEME, batch_id=first.batch_id, author="小李") == 0
    assert categories(db) == {"降准消息": "国内"}


def test_a_category_that_is_none_is_refused_before_anything_is_imported(tmp_path, db):
    with pytest.raises(InputError, match="财务"):
        import_path(db, write(tmp_path, "a.csv", ("降准消息", "财经")), SCHEME, means={"财经": "财务"})
    assert db.execute("select count(*) from batches").fetchone() == (0,)
