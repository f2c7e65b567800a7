"""Everything that happened to a title is told, and any state of it can count again."""

import pytest

from studio.annotation import annotations, history, review
from studio.annotation import bulk_edits as steps
from studio.annotation import requeue as second_look
from studio.annotation.leases import offer, reopen
from studio.corpus.titles import get_title
from studio.errors import InputError, NotAllowed, StalePress
from tests.support.team import ALONE, TITLES, TWO, dispute, flag, label, share, team


@pytest.fixture
def db(tmp_path):
    return team(tmp_path / "home")


def told(db, title_id):
    return [(event.action, event.author, event.category) for event in history.history(db, title_id)]


def restore(db, title_id, decision_id, author="zhao"):
    revision = get_title(db, title_id).revision
    return history.restore(db, title_id, decision_id, author=author, seen_revision=revision)


def test_who_said_what_and_what_came_of_it(db):
    title = dispute(share(db))
    review.decide(
        db,
        title.id,
        category="社会",
        chain=None,
        author="zhao",
        seen_revision=title.revision,
        note="看主角",
        active_seconds=7.5,
    )
    assert told(db, title.id) == [
        ("review", "zhao", "社会"),
        ("dispute", "chen", None),
        ("answer", "wang", "经济"),
        ("import", "import", None),
    ]
    settled, disputed, answer, _ = history.history(db, title.id)
    assert (settled.counts, settled.note, settled.verdict, settled.active_seconds) == (
        True,
        "看主角",
        "edit",
        7.5,
    )
    assert (disputed.counts, disputed.status, answer.active_seconds) == (False, "disputed", 2.0)


def test_from_which_suggestion_somebody_decided(db):
    title = offer(db, author="wang", settings=ALONE).title
    annotations.annotate(
        db,
        title.id,
        category="经济",
        author="wang",
        seen_revision=title.revision,
        suggested=annotations.Suggested(category="社会", source="tfidf"),
    )
    event = history.history(db, title.id)[0]
    assert (event.suggestion, event.suggestion_source) == ("社会", "tfidf")


def test_what_was_undone_sent_back_and_skipped_is_told(db):
    title = label(db, "wang")
    annotations.undo(db, author="wang")
    reopen(db, title.id, author="wang", settings=ALONE)
    back = label(db, "wang", "社会")
    second_look.send_back(db, [back.id], reason="再看看", author="zhao", addressee="wang")
    asked = offer(db, author="wang", settings=ALONE).title
    annotations.skip(db, asked.id, reason="看不懂", author="wang", seen_revision=asked.revision)
    assert told(db, title.id) == [
        ("skip", "wang", None),
        ("send_back", "zhao", None),
        ("annotate", "wang", "社会"),
        ("undo", "wang", None),
        ("annotate", "wang", "经济"),
        ("import", "import", None),
    ]
    events = history.history(db, title.id)
    assert [event.is_taken_back for event in events] == [False, False, False, False, True, False]
    assert (events[1].addressee, events[1].note, events[0].note) == ("wang", "再看看", "看不懂")


def test_an_earlier_state_counts_again(db):
    first = label(db, "wang", chain="写“降息”。")
    steps.relabel(db, {first.id: first.revision}, category="社会", author="zhao")
    title = restore(db, first.id, first.decision_id)
    assert (title.status, title.category, title.chain, title.decision_id) == (
        "decided",
        "经济",
        "写“降息”。",
        first.decision_id,
    )
    assert [event.decision_id for event in history.history(db, first.id) if event.counts] == [
        first.decision_id
    ]


def test_a_restore_can_be_restored_from(db):
    first = label(db, "wang")
    steps.relabel(db, {first.id: first.revision}, category="社会", author="zhao")
    relabelled = get_title(db, first.id)
    back = restore(db, first.id, first.decision_id)
    restore(db, first.id, relabelled.decision_id)
    assert get_title(db, first.id).category == "社会"
    assert restore(db, first.id, back.revision).category == "经济"


@pytest.mark.parametrize("settled", [label, flag, lambda db, _: dispute(share(db))])
def test_a_title_that_waits_again_is_asked_again(db, settled):
    title = settled(db, "wang")
    imported = history.history(db, title.id)[-1].decision_id
    assert restore(db, title.id, imported).status == "waiting"
    db.execute("delete from leases")  # from the head of the queue
    assert offer(db, author="wang", settings=TWO).title.id == title.id


def test_a_restore_of_what_moved_on_changes_nothing(db):
    title = label(db, "wang")
    steps.relabel(db, {title.id: title.revision}, category="社会", author="zhao")
    with pytest.raises(StalePress):
        history.restore(db, title.id, title.decision_id, author="zhao", seen_revision=title.revision)


def test_only_an_other_state_of_this_title_can_be_restored(db):
    first, second = label(db, "wang"), label(db, "wang")
    for decision_id in (first.decision_id, second.decision_id, 10_000):
        with pytest.raises(InputError):
            restore(db, first.id, decision_id)


def test_restoring_is_for_reviewers(db):
    title = label(db, "wang")
    with pytest.raises(NotAllowed):
        restore(db, title.id, 1, author="wang")


def test_an_untouched_title_has_its_import(db):
    assert told(db, 2) == [("import", "import", None)]
    assert TITLES.splitlines()[1] == get_title(db, 2).text
