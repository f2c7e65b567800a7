"""The store keeps history, finds the queue by index, and reports what is wrong with its file."""

import sqlite3
import subprocess
import sys
import threading

import pytest

from studio.annotation import annotations
from studio.annotation.leases import offer
from studio.corpus.titles import (
    category_counts,
    count_by_status,
    find_title,
    find_titles,
    get_title,
    next_without_chain,
)
from studio.datasets.versions import freeze
from studio.errors import StudioError, UnreadableFile, WorkspaceBusy
from studio.ingest.importer import import_text
from studio.samples.title_text import clean_title, title_key
from studio.store import open_store, writing
from studio.store._migrations import migrations
from studio.team import progress
from studio.team.settings import LabelSettings
from tests.support.samples import SCHEME, new_store
from tests.support.titles import next_waiting

THREE = "央行宣布降息\n女排逆转夺冠\n孩子发烧怎么办"


@pytest.fixture
def store(tmp_path):
    db, workspace = new_store(tmp_path)
    import_text(db, THREE, SCHEME)
    return db, workspace


@pytest.fixture
def db(store):
    return store[0]


def test_the_connection_waits_for_others_and_is_durable(db):
    settings = [db.execute(f"pragma {name}").fetchone()[0] for name in ("journal_mode", "busy_timeout")]
    assert settings == ["wal", 5000]
    assert db.execute("pragma foreign_keys").fetchone()[0] == 1
    assert db.execute("pragma synchronous").fetchone()[0] == 1


def test_opening_again_changes_nothing(store):
    db, workspace = store
    before = db.schema
    assert open_store(workspace.database).schema == before


def test_every_past_layout_migrates_to_the_same(tmp_path):
    from sqlite_utils import Database

    names = [migration.name for migration in migrations.pending(Database(memory=True))]
    current = open_store(tmp_path / "current.db").schema
    for name in names:
        path = tmp_path / f"{name}.db"
        migrations.apply(Database(path), stop_before=name)
        assert open_store(path).schema == current


def test_two_processes_may_open_a_new_workspace_at_once(tmp_path):
    code = "import pathlib, sys; from studio.store import open_store; open_store(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path / "s.db")]
    children = [subprocess.Popen(command) for _ in range(4)]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "table",
    ["annotations", "decisions", "retractions", "imported_rows", "batches", "versions", "version_rows"],
)
@pytest.mark.parametrize("verb", ["update", "delete"])
def test_history_cannot_be_rewritten(store, table, verb):
    db, workspace = store
    for title in next_waiting(db, limit=3):
        annotations.annotate(db, title.id, category="社会", author="li", seen_revision=title.revision)
    freeze(db, workspace, "news", author="li", scheme=SCHEME)
    annotations.undo(db, author="li")
    column = db.table(table).columns[-1].name
    sql = f"update {table} set {column} = {column}" if verb == "update" else f"delete from {table}"
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(sql)


@pytest.mark.parametrize("sql", ["update titles set text = 'x'", "delete from titles"])
def test_a_title_keeps_its_text(db, sql):
    with pytest.raises(sqlite3.IntegrityError, match="title"):
        db.execute(sql)


def test_a_decision_has_one_successor(db):
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        for _ in range(2):
            db.execute(
                "insert into decisions (title_id, follows, author, action, status)"
                " values (1, 1, 'a', 'import', 'waiting')"
            )


def test_the_derived_state_follows_from_history(db):
    first, second, _ = next_waiting(db, limit=3)
    annotations.annotate(db, first.id, category="经济", author="li", seen_revision=first.revision)
    annotations.skip(db, second.id, reason="重复", author="li", seen_revision=second.revision)
    annotations.undo(db, author="li")
    history = db.execute(
        "select title_id, id, coalesce(restores, id) from decisions as latest"
        " where not exists (select 1 from decisions where follows = latest.id) order by title_id"
    ).fetchall()
    kept = db.execute("select title_id, revision, decision_id from states order by title_id").fetchall()
    assert kept == history


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (next_waiting, "states_queue"),
        (lambda db: next_waiting(db, after=1), "states_queue"),
        (next_without_chain, "states_without_chain"),
        (lambda db: offer(db, author="li", settings=LabelSettings()), "states_queue"),
        (lambda db: progress.pace(db, "li"), "annotations_of_day"),
        (lambda db: annotations.recent(db, author="li"), "annotations_by_author"),
    ],
)
def test_what_a_key_press_queries_is_an_index_lookup(db, query, index):
    statements = []
    with db.tracer(lambda sql, values: statements.append((sql, values))):
        query(db)
    plans = [
        row[3]
        for sql, values in statements
        if sql.startswith("select")
        for row in db.execute(f"explain query plan {sql}", values or []).fetchall()
    ]
    assert any(index in plan for plan in plans)
    assert not any(plan in ("SCAN states", "SCAN decisions", "SCAN annotations") for plan in plans)


def test_the_queue_goes_in_import_order(db):
    texts = [title.text for title in next_waiting(db, limit=9)]
    assert texts == THREE.split("\n")
    assert next_waiting(db, after=2)[0].id == 3
    assert next_waiting(db, after=3) == []


def test_counts_and_search_follow_the_decisions(db):
    annotations.annotate(db, 1, category="经济", author="li", seen_revision=get_title(db, 1).revision)
    assert {status: n for status, n in count_by_status(db).items() if n} == {"waiting": 2, "decided": 1}
    assert category_counts(db) == {"经济": 1}
    assert [title.id for title in find_titles(db, "女排", status="waiting")] == [2]
    assert find_title(db, "  央行，宣布降息！").id == 1


def test_an_unknown_title_is_an_error_with_a_remedy(db):
    with pytest.raises(StudioError, match="99"):
        get_title(db, 99)


def test_a_failed_write_leaves_nothing(db):
    with pytest.raises(KeyboardInterrupt), writing(db):
        db.execute("update titles set split = 'train'")
        raise KeyboardInterrupt
    assert db.execute("select count(split) from titles").fetchone()[0] == 0


def test_a_writer_waits_for_another_one(store):
    db, workspace = store
    started, finished = threading.Event(), threading.Event()

    def hold():
        with writing(open_store(workspace.database)):
            started.set()
            finished.wait(0.3)

    holder = threading.Thread(target=hold)
    holder.start()
    started.wait()
    annotations.annotate(db, 1, category="经济", author="li", seen_revision=get_title(db, 1).revision)
    holder.join()
    assert get_title(db, 1).category == "经济"


def test_a_database_held_too_long_is_reported(store):
    db, workspace = store
    db.execute("pragma busy_timeout = 50")
    with writing(open_store(workspace.database)), pytest.raises(WorkspaceBusy):
        import_text(db, "新的标题", SCHEME)


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "studio.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(UnreadableFile, match=r"studio\.db"):
        open_store(tmp_path / "studio.db")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("女排夺冠！", "女排 夺冠"),
        ("ＮＢＡ：总决赛", "nba总决赛"),
        ("通胀3.5％", "通胀3.5%"),
        ("“双减”之后", "双减之后"),
    ],
)
def test_copies_of_a_title_share_a_key(one, other):
    assert title_key(one) == title_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("通胀3.5%", "通胀35%"), ("涨幅5%", "涨幅5"), ("C++入门", "C入门"), ("？", "！")]
)
def test_different_titles_have_different_keys(one, other):
    assert title_key(one) != title_key(other)


def test_a_title_is_one_clean_line():
    assert clean_title(" 第一行\n第二行\u200b\x00 　末 ") == "第一行 第二行 末"
