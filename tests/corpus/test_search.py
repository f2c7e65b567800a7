"""Titles are found by text and state, page by page."""

import pytest

from studio.annotation import bulk_edits
from studio.corpus.search import (
    Count,
    Query,
    count_found,
    find_revisions,
    list_import_batches,
    list_sources,
    search,
)
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
    assert 5 not in ids(db)
    assert 5 not in ids(db, text="ABC")


@pytest.mark.parametrize("order", ["oldest", "newest", "changed"])
def test_every_order_turns_its_pages_without_gap_or_repeat(db, order):
    label(db, "wang")
    seen, after = [], 0
    while after is not None:
        found = search(db, Query(text="天气"), after=after, limit=7, order=order, portion=10)
        seen += [title.id for title in found.titles]
        after = found.after
    expected = [number for number in range(1, 31) if number % 3]
    assert sorted(seen) == expected
    assert len(seen) == len(expected)
    if order == "newest":
        assert seen == expected[::-1]
    if order == "changed":
        assert seen[:2] == [1, 29]


def test_what_is_found_is_counted_and_named_as_a_whole(db):
    bulk_edits.trash(db, {6: get_title(db, 6).revision}, author="li")
    assert count_found(db, Query(), portion=7) == Count(titles=29, is_whole=True)
    assert count_found(db, Query(text="降息")) == Count(titles=9, is_whole=True)
    assert count_found(db, Query(text="降息"), seconds=0, portion=10) == Count(titles=2, is_whole=False)
    everything = find_revisions(db, Query(text="降息"), limit=100)
    assert everything == {number: get_title(db, number).revision for number in range(3, 31, 3) if number != 6}
    assert list(find_revisions(db, Query(text="降息"), limit=2)) == [3, 9]
