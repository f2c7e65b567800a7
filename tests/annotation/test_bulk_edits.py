"""Many titles move by one press and come back by one."""

import pytest

from studio.annotation import annotations
from studio.annotation import bulk_edits as steps
from studio.annotation import requeue as second_look
from studio.annotation.leases import offer
from studio.corpus.titles import count_by_status, decided_titles, find_titles, get_title
from studio.errors import InputError, NotAllowed
from studio.ingest.importer import import_text
from studio.team import people
from tests.support.samples import SCHEME
from tests.support.team import label, share, team
from tests.support.titles import next_waiting


@pytest.fixture
def db(tmp_path):
    return team(tmp_path / "home")


def seen(db, *title_ids):
    return {title_id: get_title(db, title_id).revision for title_id in title_ids}


def standing(db, *title_ids):
    return [(title.status, title.category) for title in map(lambda each: get_title(db, each), title_ids)]


def test_titles_are_relabelled_as_one_step(db):
    label(db, "wang")
    outcome = steps.relabel(db, seen(db, 1, 2), category="社会", author="zhao")
    assert (outcome.moved, outcome.passed_over) == (2, 0)
    assert standing(db, 1, 2) == [("decided", "社会")] * 2
    [step] = steps.recent_edits(db)
    assert (step.action, step.note, step.titles, step.author) == ("relabel", "社会", 2, "zhao")


def test_a_step_comes_back_as_one(db):
    label(db, "wang")
    outcome = steps.relabel(db, seen(db, 1, 2), category="社会", author="zhao")
    undone = steps.undo_edit(db, outcome.step_id, author="li")
    assert (undone.moved, undone.passed_over) == (2, 0)
    assert standing(db, 1, 2) == [("decided", "经济"), ("waiting", None)]
    assert steps.recent_edits(db)[0].is_undone
    with pytest.raises(InputError):
        steps.undo_edit(db, outcome.step_id, author="li")


def test_what_moved_on_since_is_passed_over(db):
    outcome = steps.relabel(db, seen(db, 1, 2), category="社会", author="zhao")
    title = get_title(db, 1)
    annotations.annotate(db, 1, category="体育", author="wang", seen_revision=title.revision)
    undone = steps.undo_edit(db, outcome.step_id, author="zhao")
    assert (undone.moved, undone.passed_over) == (1, 1)
    assert standing(db, 1, 2) == [("decided", "体育"), ("waiting", None)]


def test_what_moved_on_before_the_press_is_passed_over(db):
    old = seen(db, 1, 2)
    label(db, "wang")
    outcome = steps.relabel(db, old, category="社会", author="zhao")
    assert (outcome.moved, outcome.passed_over) == (1, 1)
    assert standing(db, 1, 2) == [("decided", "经济"), ("decided", "社会")]


def test_a_step_that_moves_nothing_is_not_listed(db):
    label(db, "wang")
    outcome = steps.relabel(db, seen(db, 1), category="经济", author="zhao")
    assert (outcome.step_id, outcome.moved) == (None, 0)
    assert steps.recent_edits(db) == []


def test_a_chain_stays_where_it_argues_for_the_new_category(db):
    label(db, "wang", chain="写“降息”，是经济。")
    steps.relabel(db, seen(db, 1), category="社会", author="zhao")
    assert get_title(db, 1).chain is None


def test_steps_undone_from_the_last_to_the_first_bring_everything_back(db):
    label(db, "wang")
    made = [
        steps.relabel(db, seen(db, 1, 2), category="社会", author="zhao"),
        steps.trash(db, seen(db, 1, 2), author="zhao"),
        steps.take_from_trash(db, seen(db, 1, 2), author="zhao"),
    ]
    assert standing(db, 1, 2) == [("decided", "社会")] * 2
    expected = [
        [("trashed", None)] * 2,
        [("decided", "社会")] * 2,
        [("decided", "经济"), ("waiting", None)],
    ]
    for step, after in zip(reversed(made), expected, strict=True):
        steps.undo_edit(db, step.step_id, author="zhao")
        assert standing(db, 1, 2) == after


@pytest.fixture
def trashed(db):
    """The first title decided, the second waiting; both in the trash."""
    label(db, "wang")
    steps.trash(db, seen(db, 1, 2), author="zhao")
    return db


def test_the_trash_is_in_no_queue_and_no_version(trashed):
    assert count_by_status(trashed)["trashed"] == 2
    assert decided_titles(trashed) == []
    assert [title.id for title in next_waiting(trashed, limit=9)] == [3, 4]
    assert offer(trashed, author="chen", settings=annotations.load_settings(trashed)).title.id == 3


def test_the_trash_is_left_by_restoring_only(trashed):
    import_text(trashed, "央行宣布降息", SCHEME)
    second_look.send_back(trashed, [1], reason="再看看", author="zhao")
    second_look.add_wrong(trashed, "央行宣布降息", "社会", "zhao")
    with pytest.raises(InputError, match="回收站"):
        title = get_title(trashed, 1)
        annotations.annotate(trashed, 1, category="经济", author="wang", seen_revision=title.revision)
    steps.relabel(trashed, seen(trashed, 1), category="社会", author="zhao")
    assert standing(trashed, 1) == [("trashed", None)]
    steps.take_from_trash(trashed, seen(trashed, 1, 2, 3), author="zhao")
    assert standing(trashed, 1, 2, 3) == [("decided", "经济"), ("waiting", None), ("waiting", None)]


def test_a_half_answered_title_comes_back_with_its_answer(db):
    share(db)
    label(db, "wang", settings=annotations.load_settings(db))
    steps.trash(db, seen(db, 1), author="zhao")
    steps.take_from_trash(db, seen(db, 1), author="zhao")
    title = label(db, "chen", settings=annotations.load_settings(db))
    assert (title.id, title.status) == (1, "decided")


def test_tags_are_put_on_taken_off_and_undone(db):
    on = steps.tag(db, [1, 2], "  难  题 ", author="zhao")
    assert (steps.tags_of(db, 1), steps.list_tags(db), on.moved) == (["难 题"], ["难 题"], 2)
    assert steps.tag(db, [1, 3], "难 题", author="zhao").moved == 1
    off = steps.untag(db, [1, 2], "难 题", author="zhao")
    assert steps.tags_of(db, 1) == []
    steps.undo_edit(db, off.step_id, author="zhao")
    assert (steps.tags_of(db, 1), steps.tags_of(db, 2)) == (["难 题"], ["难 题"])
    undone = steps.undo_edit(db, on.step_id, author="zhao")
    assert (undone.moved, undone.passed_over) == (0, 2)


def test_a_tag_lets_a_press_count(db):
    title = offer(db, author="wang", settings=annotations.load_settings(db)).title
    steps.tag(db, [title.id], "难题", author="zhao")
    annotations.annotate(db, title.id, category="经济", author="wang", seen_revision=title.revision)
    assert get_title(db, title.id).category == "经济"


@pytest.mark.parametrize("name", ["", "  ", "长" * 31])
def test_a_tag_must_fit_a_list(db, name):
    with pytest.raises(InputError):
        steps.tag(db, [1], name, author="zhao")


def test_steps_are_for_reviewers(db):
    before = seen(db, 1)
    people.change_person(db, "chen", by="li", role="analyst")
    for author in ("wang", "chen"):
        for step in (
            lambda who: steps.relabel(db, before, category="社会", author=who),
            lambda who: steps.trash(db, before, author=who),
            lambda who: steps.take_from_trash(db, before, author=who),
            lambda who: steps.tag(db, [1], "难题", author=who),
            lambda who: steps.untag(db, [1], "难题", author=who),
            lambda who: steps.undo_edit(db, 1, author=who),
        ):
            with pytest.raises(NotAllowed):
                step(author)
    assert find_titles(db, status="waiting", limit=9)[0].revision == before[1]
