"""Everybody has a title of their own on screen; what several are asked is asked as often as wanted."""

from datetime import UTC, datetime, timedelta

import pytest

from studio.annotation import annotations
from studio.annotation import requeue as second_look
from studio.annotation.leases import find_lease, offer, release, reopen
from studio.annotation.queue_order import change_settings, place_in_order
from studio.corpus.titles import count_by_status, get_title
from studio.errors import StalePress
from studio.ingest.importer import import_text
from studio.messages import shown
from studio.team import people
from studio.team.settings import LabelSettings
from tests.support.samples import SCHEME, new_store

ALONE = LabelSettings(gold_share=0)
TWO = LabelSettings(gold_share=0, overlap_share=1, overlap_people=2)


@pytest.fixture
def db(tmp_path):
    store, _ = new_store(tmp_path / "home")
    import_text(store, "央行宣布降息\n女排逆转夺冠\n孩子发烧怎么办\n台风登陆东南沿海", SCHEME)
    for name in ("li", "wang", "zhao"):
        people.sign_in(store, name)
    return store


@pytest.fixture
def shared(db):
    change_settings(db, TWO, author="li")
    return db


def next_id(db, author, settings=ALONE, **more):
    found = offer(db, author=author, settings=settings, **more)
    return found.title.id if found else None


def answer(db, author, category="经济", settings=ALONE, title_id=None):
    title = offer(db, author=author, settings=settings).title
    assert title_id in (None, title.id)
    return annotations.annotate(db, title.id, category=category, author=author, seen_revision=title.revision)


def test_two_people_never_have_the_same_title(db):
    assert [next_id(db, name) for name in ("li", "wang", "zhao", "li")] == [1, 2, 3, 1]


def test_a_reload_shows_the_same_title_and_a_press_the_next(db):
    assert next_id(db, "li") == next_id(db, "li") == 1
    answer(db, "li")
    assert next_id(db, "li") == 2


def test_who_leaves_gives_the_title_back(db):
    assert next_id(db, "li") == 1
    release(db, "li")
    assert next_id(db, "wang") == 1
    release(db, "wang")
    assert (next_id(db, "li"), next_id(db, "wang")) == (1, 2)


def test_a_title_nobody_presses_on_goes_to_the_next_after_the_lease(db):
    now = datetime.now(UTC)
    assert next_id(db, "li", now=now) == 1
    later = now + timedelta(minutes=ALONE.lease_minutes + 1)
    assert next_id(db, "wang", now=later) == 1
    assert next_id(db, "li", now=later) == 2


def test_a_lease_is_renewed_while_its_owner_looks_at_it(db):
    now = datetime.now(UTC)
    next_id(db, "li", now=now)
    next_id(db, "li", now=now + timedelta(minutes=8))
    assert next_id(db, "wang", now=now + timedelta(minutes=12)) == 2


def test_a_press_after_the_lease_still_counts_if_nobody_was_faster(db):
    seen = offer(db, author="li", settings=ALONE, now=datetime.now(UTC) - timedelta(hours=1)).title
    annotations.annotate(db, seen.id, category="经济", author="li", seen_revision=seen.revision)
    assert get_title(db, 1).status == "decided"


def test_a_skipped_title_goes_to_the_others_and_never_comes_back(db):
    title = offer(db, author="li", settings=ALONE).title
    annotations.skip(db, title.id, reason="看不懂", author="li", seen_revision=title.revision)
    assert get_title(db, 1).status == "waiting"
    assert (next_id(db, "li"), next_id(db, "wang")) == (2, 1)


def test_a_title_everybody_skips_is_put_aside(db):
    for name in ("li", "wang", "zhao"):
        annotations.skip(db, 1, reason="看不懂", author=name, seen_revision=get_title(db, 1).revision)
    assert (get_title(db, 1).status, get_title(db, 1).note) == ("skipped", "看不懂")


def test_two_equal_answers_decide_a_shared_title(shared):
    assert answer(shared, "li", settings=TWO).status == "waiting"
    title = answer(shared, "wang", settings=TWO, title_id=1)
    assert (title.status, title.category) == ("decided", "经济")
    assert shared.execute("select action from decisions where id = ?", [title.decision_id]).fetchone() == (
        "agree",
    )


def test_two_different_answers_dispute_it(shared):
    answer(shared, "li", settings=TWO)
    title = answer(shared, "wang", "社会", settings=TWO, title_id=1)
    assert (title.status, title.category, title.proposal) == ("disputed", None, None)
    assert "经济 1" in shown(title.note) and "社会 1" in shown(title.note)


def test_nobody_answers_a_shared_title_twice(shared):
    title = offer(shared, author="li", settings=TWO).title
    answer(shared, "li", settings=TWO)
    assert next_id(shared, "li", TWO) == 2
    with pytest.raises(StalePress):
        annotations.annotate(shared, title.id, category="社会", author="li", seen_revision=title.revision)


def test_a_shared_title_is_on_as_many_screens_as_are_asked(shared):
    assert [next_id(shared, name, TWO) for name in ("li", "wang", "zhao")] == [1, 1, 2]


def test_a_shared_title_shows_no_proposal(shared):
    shared.execute(
        "insert into decisions (title_id, follows, author, action, status, proposal, rank)"
        " values (1, 1, 'x', 'wrong', 'waiting', '体育', 1)"
    )
    found = offer(shared, author="li", settings=TWO)
    assert found.is_blind and found.title.proposal is None


def test_an_undo_of_one_of_two_lets_the_title_wait_for_them_again(shared):
    answer(shared, "li", settings=TWO)
    answer(shared, "wang", "社会", settings=TWO)
    assert annotations.undo(shared, author="li").status == "waiting"
    title = reopen(shared, 1, author="li", settings=TWO).title
    annotations.annotate(shared, 1, category="社会", author="li", seen_revision=title.revision)
    assert (get_title(shared, 1).status, get_title(shared, 1).category) == ("decided", "社会")


def test_an_answer_of_ones_own_can_be_changed_while_the_other_is_awaited(shared):
    answer(shared, "li", settings=TWO)
    title = reopen(shared, 1, author="li", settings=TWO).title
    annotations.annotate(shared, 1, category="社会", author="li", seen_revision=title.revision)
    assert [own.category for own in annotations.recent(shared, author="li")] == ["社会"]
    assert answer(shared, "wang", "社会", settings=TWO, title_id=1).category == "社会"


def test_when_only_one_is_left_to_answer_the_reviewers_get_it(shared):
    answer(shared, "li", settings=TWO)
    for name in ("wang", "zhao"):
        annotations.skip(shared, 1, reason="看不懂", author=name, seen_revision=get_title(shared, 1).revision)
    assert get_title(shared, 1).status == "disputed"


def test_changing_the_overlap_leaves_answered_titles_alone(shared):
    answer(shared, "li", settings=TWO)
    change_settings(shared, ALONE, author="li")
    assert [get_title(shared, title_id).wanted for title_id in (1, 2)] == [2, 1]


def test_what_was_sent_back_comes_first_to_whom_it_is_for(db):
    answer(db, "li")
    second_look.send_back(db, [1], reason="再看看", author="li", addressee="li")
    assert (next_id(db, "zhao"), next_id(db, "li")) == (2, 1)
    assert offer(db, author="li", settings=ALONE).title.note == "再看看"


def test_what_is_for_someone_who_rests_goes_to_anyone(db):
    answer(db, "wang")
    second_look.send_back(db, [1], reason="再看看", author="li", addressee="wang")
    people.change_person(db, "wang", by="li", is_active=False)
    assert next_id(db, "zhao") == 1


def test_a_sent_back_title_asks_one_person(shared):
    answer(shared, "li", settings=TWO)
    answer(shared, "wang", settings=TWO)
    second_look.send_back(shared, [1], reason="再看看", author="li")
    assert answer(shared, "li", "社会", settings=TWO, title_id=1).status == "decided"


@pytest.fixture
def gold(db):
    answer(db, "li", "经济")
    db.execute("insert into gold_titles (title_id, category, author) values (1, '经济', 'li')")
    return db


ALWAYS_GOLD = LabelSettings(gold_share=0.5)


def test_gold_looks_like_any_other_title_and_moves_nothing(gold):
    found = next(
        offered
        for offered in (offer(gold, author=f"p{n}", settings=ALWAYS_GOLD) for n in range(40))
        if offered.title.id == 1
    )
    assert (found.title.status, found.title.category, found.title.proposal) == ("waiting", None, None)
    author = gold.execute("select author from leases where title_id = 1").fetchone()[0]
    annotations.annotate(gold, 1, category="社会", author=author, seen_revision=found.title.revision)
    assert get_title(gold, 1).category == "经济"
    assert gold.execute("select category, is_gold from annotations order by id desc").fetchone() == (
        "社会",
        1,
    )


def test_a_gold_answer_can_be_undone_and_is_not_asked_again_once_given(gold):
    for _ in range(3):
        title = offer(gold, author="wang", settings=ALWAYS_GOLD).title
        annotations.annotate(gold, title.id, category="社会", author="wang", seen_revision=title.revision)
    golden = gold.execute("select count(*) from annotations where is_gold and author = 'wang'").fetchone()[0]
    assert golden <= 1
    while annotations.undo(gold, author="wang"):
        pass
    assert get_title(gold, 1).category == "经济"


def test_after_a_reopened_title_comes_the_one_that_was_on_screen(db):
    answer(db, "li")
    assert next_id(db, "li") == 2
    reopen(db, 1, author="li", settings=ALONE)
    answer(db, "li", "社会", title_id=1)
    assert next_id(db, "li") == 2


def test_reopening_keeps_the_title_on_screen_through_a_reload(db):
    answer(db, "li")
    reopen(db, 1, author="li", settings=ALONE)
    assert next_id(db, "li") == next_id(db, "li") == 1
    assert find_lease(db, "li").is_reopened
    answer(db, "li", "社会")
    assert next_id(db, "li") == 2


def test_random_order_is_another_one_and_complete(db):
    change_settings(db, LabelSettings(order="random", gold_share=0), author="li")
    order = []
    while (title_id := next_id(db, "li")) is not None:
        order.append(title_id)
        answer(db, "li")
    assert sorted(order) == [1, 2, 3, 4] and order != [1, 2, 3, 4]


def test_new_titles_follow_the_order_that_is_set(db):
    change_settings(db, LabelSettings(order="random", overlap_share=1), author="li")
    import_text(db, "油价下调\n高考放榜", SCHEME)
    places = [row[0] for row in db.execute("select place from states where title_id > 4").fetchall()]
    assert all(place > 1000 for place in places)
    assert get_title(db, 5).wanted == 2


def test_titles_come_as_the_model_placed_them(db):
    change_settings(db, LabelSettings(order="active", gold_share=0), author="li")
    place_in_order(db, [2])
    place_in_order(db, [3, 1])
    assert next_id(db, "li") == 3
    answer(db, "li")
    assert next_id(db, "li") == 1


def test_the_queue_is_worked_to_its_end_by_everyone(shared):
    for name in ("li", "wang"):
        while (found := offer(shared, author=name, settings=TWO)) is not None:
            annotations.annotate(
                shared, found.title.id, category="社会", author=name, seen_revision=found.title.revision
            )
    assert count_by_status(shared)["decided"] == 4
    assert next_id(shared, "zhao", TWO) is None
