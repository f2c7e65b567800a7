"""Whoever gets a title back is told by whom, with what comment, and what they had answered."""

import time

import pytest

from studio.annotation import requeue, review
from studio.annotation.leases import offer
from studio.annotation.sent_back import SentBackCount, count_sent_back, sent_back
from studio.corpus.titles import get_title
from studio.errors import StalePress
from studio.messages import shown
from studio.team import people
from tests.support.team import ALONE, label, team


@pytest.fixture
def db(tmp_path):
    return team(tmp_path / "home")


def back(db, title, addressee="wang", comment="看主角"):
    return review.send_back(
        db,
        title.id,
        comment=comment,
        author="zhao",
        addressee=addressee,
        seen_revision=title.revision,
    )


def test_a_title_comes_back_with_reviewer_comment_and_own_answer(db):
    labelled = label(db, "wang", "经济", chain="写“降息”。")
    time.sleep(0.002)  # moments are kept to the millisecond
    title = back(db, labelled)
    assert offer(db, author="wang", settings=ALONE).title.id == title.id
    found = sent_back(db, title, author="wang")
    assert (found.by, found.comment, found.addressee) == ("zhao", "看主角", "wang")
    assert (found.is_own, found.category, found.chain) == (True, "经济", "写“降息”。")
    assert found.answered_at < found.at
    assert count_sent_back(db, author="wang") == SentBackCount(own=1, anyone=0)
    assert count_sent_back(db, author="chen") == SentBackCount(own=0, anyone=0)
    label(db, "wang", "社会")
    assert sent_back(db, get_title(db, title.id), author="wang") is None
    assert count_sent_back(db, author="wang") == SentBackCount(own=0, anyone=0)


def test_somebody_else_sees_what_it_was_and_a_second_return_names_the_last_answer(db):
    title = back(db, label(db, "wang", "经济"), addressee=None)
    other = sent_back(db, title, author="chen")
    assert (other.is_own, other.category, other.answered_at) == (False, "经济", None)
    assert count_sent_back(db, author="chen") == SentBackCount(own=0, anyone=1)
    again = back(db, label(db, "wang", "社会"), comment="再看")
    found = sent_back(db, again, author="wang")
    assert (found.comment, found.category) == ("再看", "社会")


def test_what_goes_back_to_a_person_who_left_waits_for_anyone(db):
    back(db, label(db, "wang", "经济"))
    people.change_person(db, "wang", by="li", is_active=False)
    assert count_sent_back(db, author="chen") == SentBackCount(own=0, anyone=1)


def test_a_title_that_waits_for_another_reason_was_not_sent_back(db):
    wrong = requeue.add_wrong(db, "台风登陆东南沿海", "国际", "zhao").title
    assert sent_back(db, wrong, author="wang") is None
    assert count_sent_back(db, author="wang") == SentBackCount(own=0, anyone=0)


def test_a_report_names_the_right_category_and_a_note_and_can_be_taken_back(db):
    decided = label(db, "wang", "经济")
    report = requeue.add_wrong(db, decided.text, "国际", "zhao", category="社会", note="  看\n主语 ")
    title = report.title
    assert (title.status, title.proposal) == ("waiting", "社会")
    assert shown(title.note) == "模型答为“国际”，zhao 认为应是“社会”。备注：看 主语"
    assert offer(db, author="chen", settings=ALONE).title.id == title.id
    restored = requeue.undo_wrong(db, report, author="zhao")
    assert (restored.status, restored.category, restored.wanted) == ("decided", "经济", decided.wanted)
    with pytest.raises(StalePress):
        requeue.undo_wrong(db, report, author="zhao")


def test_a_title_that_only_a_report_brought_is_withdrawn_with_it_and_comes_back_with_the_next(db):
    first = requeue.add_wrong(db, "全新的一条标题", None, "zhao")
    assert first.title.proposal is None
    assert requeue.undo_wrong(db, first, author="zhao").status == "trashed"
    second = requeue.add_wrong(db, "全新的一条标题", "体育", "zhao", category="娱乐")
    assert (second.title.id, second.title.status, second.title.proposal) == (
        first.title.id,
        "waiting",
        "娱乐",
    )
    assert requeue.undo_wrong(db, second, author="zhao").status == "trashed"


def test_a_report_that_somebody_has_answered_meanwhile_stays(db):
    report = requeue.add_wrong(db, "台风登陆东南沿海", "国际", "zhao")
    while offer(db, author="wang", settings=ALONE).title.id != report.title.id:
        label(db, "wang", "社会")
    label(db, "wang", "社会")
    with pytest.raises(StalePress):
        requeue.undo_wrong(db, report, author="zhao")
    assert get_title(db, report.title.id).category == "社会"
