"""Reviewers settle disputes and look at a sample; each title is on one reviewer's screen."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from studio.annotation import annotations, review
from studio.annotation.leases import offer
from studio.corpus.titles import count_by_status, get_title
from studio.errors import InputError, NotAllowed, StalePress
from studio.store import open_store
from studio.team import people
from studio.team.settings import LabelSettings
from tests.support.team import ALONE, TWO, dispute, flag, label, share, team


@pytest.fixture
def db(tmp_path):
    return team(tmp_path / "home")


@pytest.fixture
def disputed(db):
    return dispute(share(db), wang="写“降息”，是经济。", chen="讲民生，是社会。")


def shown(db, author="zhao", queue="adjudicate", settings=ALONE, **more):
    found = review.next_case(db, queue=queue, author=author, settings=settings, **more)
    return found.title.id if found else None


def decide(db, title, category="经济", author="zhao", chain=None, **more):
    return review.decide(
        db, title.id, category=category, chain=chain, author=author, seen_revision=title.revision, **more
    )


def undo(db, author="zhao"):
    return review.undo(db, author=author, settings=ALONE)


def verdict(db):
    return db.execute("select verdict from reviews order by decision_id desc").fetchone()[0]


def test_a_dispute_shows_all_answers_with_their_chains(db, disputed):
    case = review.next_case(db, queue="adjudicate", author="zhao", settings=ALONE)
    assert [(said.author, said.category, said.chain) for said in case.answers] == [
        ("wang", "经济", "写“降息”，是经济。"),
        ("chen", "社会", "讲民生，是社会。"),
    ]
    assert case.chain_for("社会") == "讲民生，是社会。"
    assert case.chain_for("体育") is None


def test_a_reviewer_settles_a_dispute(db, disputed):
    title = decide(db, disputed, "社会", chain="讲民生，是社会。", note="看主角")
    assert (title.status, title.category, title.chain, title.author) == (
        "decided",
        "社会",
        "讲民生，是社会。",
        "zhao",
    )
    assert (title.note, shown(db)) == ("看主角", None)


def test_an_annotator_reviews_nothing(db, disputed):
    with pytest.raises(NotAllowed):
        shown(db, "wang")
    with pytest.raises(NotAllowed):
        decide(db, disputed, author="wang")
    with pytest.raises(NotAllowed):
        review.undo(db, author="wang", settings=ALONE)
    assert get_title(db, disputed.id) == disputed


def test_two_reviewers_never_have_the_same_title(db):
    first, second = flag(db), flag(db)
    assert [shown(db, "zhao"), shown(db, "li"), shown(db, "zhao")] == [first.id, second.id, first.id]


def test_a_title_nobody_decides_on_goes_to_the_other_reviewer_after_the_lease(db):
    title, now = flag(db), datetime.now(UTC)
    assert shown(db, "zhao", now=now) == title.id
    assert shown(db, "li", now=now + timedelta(minutes=5)) is None
    later = now + timedelta(minutes=ALONE.lease_minutes + 1)
    assert shown(db, "li", now=later) == title.id
    assert shown(db, "zhao", now=later) is None


def test_who_leaves_the_page_gives_the_title_to_others_and_finds_it_again(db):
    first, second = flag(db), flag(db)
    assert shown(db, "zhao") == first.id
    review.release(db, "zhao")
    assert shown(db, "zhao") == first.id
    review.release(db, "zhao")
    assert shown(db, "li") == first.id
    assert shown(db, "zhao") == second.id


def test_a_title_is_kept_while_its_reviewer_looks_at_it(db):
    title, now = flag(db), datetime.now(UTC)
    for minutes in (0, 8, 16):
        assert shown(db, "zhao", now=now + timedelta(minutes=minutes)) == title.id
    assert shown(db, "li", now=now + timedelta(minutes=20)) is None


def test_passing_on_shows_the_next_and_comes_round(db):
    first, second = flag(db), flag(db)
    seen = []
    for _ in range(3):
        seen.append(shown(db))
        review.pass_on(db, queue="adjudicate", author="zhao")
    assert seen == [first.id, second.id, first.id]


def test_a_second_reviewer_who_is_too_late_changes_nothing(db, disputed):
    decide(db, disputed, "社会")
    with pytest.raises(StalePress):
        decide(db, disputed, "经济", author="li")
    with pytest.raises(StalePress):
        send_back(db, disputed, author="li")
    assert get_title(db, disputed.id).category == "社会"


def send_back(db, title, comment="看看主角是谁", author="zhao", addressee="wang"):
    return review.send_back(
        db, title.id, comment=comment, author=author, addressee=addressee, seen_revision=title.revision
    )


def test_the_annotator_sees_the_comment(db):
    title = send_back(db, label(db, "wang"))
    assert offer(db, author="chen", settings=ALONE).title.id != title.id
    back = offer(db, author="wang", settings=ALONE).title
    assert (back.id, back.note, back.proposal) == (title.id, "看看主角是谁", "经济")


def test_sending_back_needs_a_comment(db):
    title = label(db, "wang")
    with pytest.raises(InputError):
        send_back(db, title, comment="  ")
    assert get_title(db, title.id).status == "decided"


def test_the_sample_is_what_others_decided_and_nobody_reviewed(db):
    mine, theirs = label(db, "zhao"), label(db, "wang")
    assert shown(db, queue="spot_check") == theirs.id
    decide(db, theirs)
    assert shown(db, queue="spot_check") is None
    assert shown(db, "li", queue="spot_check") == mine.id


def test_who_gave_one_of_two_equal_answers_does_not_review_them(db):
    share(db)
    label(db, "zhao", settings=TWO)
    agreed = label(db, "wang", settings=TWO)
    assert agreed.status == "decided"
    assert (shown(db, queue="spot_check"), shown(db, "li", queue="spot_check")) == (None, agreed.id)


def test_what_an_import_decided_is_not_sampled(db):
    db.execute(
        "insert into decisions (title_id, follows, author, action, status, category)"
        " values (1, 1, 'import', 'import', 'decided', '经济')"
    )
    assert shown(db, queue="spot_check") is None


def test_a_higher_rate_keeps_what_was_drawn(tmp_path):
    db = team(tmp_path / "many", "\n".join(f"第 {number} 条消息" for number in range(400)))
    for _ in range(400):
        label(db, "wang")
    few, many = (drawn(db, rate) for rate in (0.1, 0.3))
    assert few < many
    assert 20 < len(few) < 65 and 85 < len(many) < 160


def drawn(db, rate):
    db.execute("delete from review_leases")
    found = set()
    settings = LabelSettings(review_rate=rate)
    while (title_id := shown(db, queue="spot_check", settings=settings)) not in found | {None}:
        found.add(title_id)
        review.pass_on(db, queue="spot_check", author="zhao")
    assert len(found) == review.waiting(db, author="zhao", settings=settings).spot_check
    return found


def test_a_relabelled_title_is_drawn_anew(db):
    title = label(db, "wang")
    decide(db, title)
    title = get_title(db, title.id)
    annotations.annotate(db, title.id, category="社会", author="wang", seen_revision=title.revision)
    assert shown(db, queue="spot_check") == title.id


def test_an_approval_and_an_edit_are_told_apart(db):
    first, second, third = label(db, "wang", chain="写“降息”。"), label(db, "wang"), label(db, "wang")
    decide(db, first, "经济", chain="写“降息”。")
    assert verdict(db) == "approve"
    decide(db, second, "社会")
    assert verdict(db) == "edit"
    decide(db, third, "经济", chain="改过的。")
    assert verdict(db) == "edit"
    assert review.verdicts(db, "zhao") == {"approve": 1, "edit": 2}


def test_undo_brings_the_dispute_back_on_screen(db, disputed):
    flag(db)
    decide(db, disputed, "社会")
    assert shown(db) != disputed.id
    title, queue = undo(db)
    assert (title.status, queue, shown(db)) == ("disputed", "adjudicate", disputed.id)
    assert review.verdicts(db, "zhao") == {}
    assert undo(db) is None


def test_undo_goes_further_back_when_repeated(db):
    titles = [label(db, "wang") for _ in range(2)]
    decide(db, titles[0], "社会")
    send_back(db, titles[1])
    assert [undo(db)[0].id, undo(db)[0].id] == [titles[1].id, titles[0].id]
    assert [get_title(db, title.id).category for title in titles] == ["经济", "经济"]
    assert shown(db, queue="spot_check") == titles[0].id


def test_undo_leaves_alone_what_moved_on(db):
    title = label(db, "wang")
    send_back(db, title)
    label(db, "wang", "社会")
    with pytest.raises(StalePress):
        undo(db)
    assert get_title(db, title.id).category == "社会"


def test_undo_takes_nobody_elses_skip_away(db):
    title = label(db, "wang")
    send_back(db, title)
    back = offer(db, author="wang", settings=ALONE).title
    annotations.skip(db, back.id, reason="看不懂", author="wang", seen_revision=back.revision)
    with pytest.raises(StalePress):
        undo(db)


def test_the_annotator_cannot_undo_behind_the_reviewer(db):
    title = label(db, "wang")
    decide(db, title, "社会")
    with pytest.raises(StalePress):
        annotations.undo(db, author="wang")


def test_the_lengths_of_the_queues(db, disputed):
    flag(db)
    label(db, "wang", settings=TWO)
    label(db, "chen", settings=TWO)
    found = review.waiting(db, author="zhao", settings=ALONE)
    assert (found.disputed, found.flagged, found.spot_check) == (1, 1, 1)
    assert review.waiting(db, author="chen", settings=ALONE).spot_check == 0


def test_a_reviewer_who_rests_decides_nothing(db, disputed):
    people.change_person(db, "zhao", by="li", is_active=False)
    with pytest.raises(NotAllowed):
        decide(db, disputed)


def test_reviews_cannot_be_rewritten(db, disputed):
    decide(db, disputed)
    with pytest.raises(Exception, match="append-only"):
        db.execute("update reviews set verdict = 'edit'")


def test_reviewers_at_once_decide_each_title_exactly_once(tmp_path):
    """Four at a time, each with a connection of their own, until nothing waits."""
    db = team(tmp_path / "home", "\n".join(f"第 {number} 条消息" for number in range(40)))
    names = ["li", "zhao", "sun", "qian"]
    for name in names:
        people.sign_in(db, name)
        people.change_person(db, name, by="li", role="admin")
    for _ in range(40):
        flag(db)
    path = db.execute("pragma database_list").fetchone()[2]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda name: work_off(Path(path), name), names))
    assert sorted(title for titles in done for title in titles) == list(range(1, 41))
    assert count_by_status(db)["decided"] == 40


def work_off(path, name):
    """Decide until the queue is empty; the titles that were decided."""
    db, decided = open_store(path), []
    while case := review.next_case(db, queue="adjudicate", author=name, settings=ALONE):
        decide(db, case.title, author=name)
        decided.append(case.title.id)
    db.close()
    return decided
