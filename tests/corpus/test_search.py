"""Titles are found by text and state, page by page."""

import pytest

from studio.annotation import bulk_edits
from studio.corpus.search import Query, list_import_batches, list_sources, search
from studio.corpus.titles import get_title
from studio.ingest.importer import import_path
from tests.support.samples import SCHEME
from tests.support.team import dispute, label, share, team

LINES = [f"第 {number} 条消息，{'降息' if number % 3 == 0 else '天气'} ABC" for number in range(1, 31)]


@pytest.fixture
def db(tmp_path):
    return team(tmp_path / "home", "\n".join(LINES))


def ids(db, **wanted):
    return [title.id for title in search(db, Query(**wanted)).titles]


def test_by_text_case_aside(db):
    assert ids(db, text="降息") == list(range(3, 31, 3))
    assert len(ids(db, text="abc")) == 30
    assert ids(db, text="100%_") == []


def test_by_state(db):
    label(db, "wang", "经济", chain="写“天气”。")
    label(db, "chen", "社会")
    assert ids(db, status="decided") == [1, 2]
    assert ids(db, category="社会") == ids(db, author="chen") == [2]
    assert ids(db, has_chain=True) == [1]
    assert ids(db, status="decided", has_chain=False) == [2]
    assert ids(db, status="waiting", text="降息")[:2] == [3, 6]


def test_what_is_disputed(db):
    title = dispute(share(db))
    assert ids(db, status="disputed") == [title.id]


def test_by_source_and_batch(db, tmp_path):
    file = tmp_path / "second.txt"
    file.write_text("油价下调", encoding="utf-8")
    import_path(db, file, SCHEME)
    batch, source, _ = list_import_batches(db)[0]
    assert ids(db, source=source) == ids(db, batch_id=batch) == [31]
    assert list_sources(db)[0] == source


def test_by_tag(db):
    bulk_edits.tag(db, [30, 7], "难题", author="li")
    assert ids(db, tag="难题") == [7, 30]
    assert ids(db, tag="难题", text="降息") == [30]
    assert ids(db, tag="别的") == []


def test_pages_follow_each_other_without_gap_or_repeat(db):
    seen, after = [], 0
    while after is not None:
        found = search(db, Query(text="天气"), after=after, limit=7)
        seen += [title.id for title in found.titles]
        after = found.after
    assert seen == [number for number in range(1, 31) if number % 3]


def test_a_full_last_page_has_none_behind_it(db):
    assert search(db, Query(), limit=30).after is None
    assert search(db, Query(), limit=29).after == 29


def test_a_search_that_ran_out_of_time_reports_how_far_it_got(db):
    found = search(db, Query(text="第 25 条"), seconds=0, portion=10)
    assert ([*found.titles], found.read_to, found.after) == ([], 10, 10)
    found = search(db, Query(text="第 25 条"), after=20, seconds=0, portion=10)
    assert [title.id for title in found.titles] == [25]


def test_the_trash_is_found_by_its_status(db):
    bulk_edits.trash(db, {5: get_title(db, 5).revision}, author="li")
    assert ids(db, status="trashed") == [5]
    assert 5 not in ids(db, status="waiting")
