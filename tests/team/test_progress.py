"""Pace and coverage: per person, per day and per category."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest

from studio.annotation import annotations, review
from studio.corpus.titles import get_title
from studio.team import progress
from tests.support.samples import SCHEME
from tests.support.team import label, team


@pytest.fixture
def db(tmp_path):
    return team(tmp_path / "home")


def answer_at(db, author, moment, count=1):
    for _ in range(count):
        db.execute(
            "insert into annotations (title_id, decision_id, author, kind, category, active_seconds, at)"
            " values (1, 1, ?, 'category', '经济', 3.0, ?)",
            [author, moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")],
        )


def test_everybody_has_a_pace(db):
    label(db, "wang")
    label(db, "wang")
    found = {each.person.name: each.pace for each in progress.team_pace(db)}
    assert (found["wang"].today, found["wang"].total, found["wang"].median_seconds) == (2, 2, 2.0)
    assert (found["chen"].today, found["chen"].median_seconds, found["chen"].waiting) == (0, None, 2)


def test_days_are_those_of_the_local_clock(db, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        answer_at(db, "wang", datetime(2026, 11, 23, 15, 59, tzinfo=UTC), 2)
        answer_at(db, "wang", datetime(2026, 11, 23, 16, 1, tzinfo=UTC), 3)
        now = datetime(2026, 11, 24, 2, tzinfo=UTC)
        assert [(each.day, each.answers) for each in progress.per_day(db, now=now)] == [
            (date(2026, 11, 23), 2),
            (date(2026, 11, 24), 3),
        ]
        assert [each.answers for each in progress.per_day(db, days=1, now=now)] == [3]
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(("zone", "today"), [("Asia/Shanghai", 3), ("Asia/Kolkata", 4)])
def test_today_begins_at_local_midnight(db, monkeypatch, zone, today):
    """In Shanghai at 16:00 UTC, in Kolkata at 18:30, which is no full hour."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for hour, minute, count in ((15, 59, 9), (16, 1, 3)):
            moment = datetime(2026, 11, 23, hour, minute, tzinfo=UTC)
            answer_at(
                db,
                "wang",
                moment if zone == "Asia/Shanghai" else moment + timedelta(hours=2, minutes=30),
                count,
            )
        if zone == "Asia/Kolkata":
            answer_at(db, "wang", datetime(2026, 11, 23, 20, tzinfo=UTC))
        now = datetime(2026, 11, 24, 2, tzinfo=UTC)
        assert progress.pace(db, "wang", now=now).today == today
    finally:
        monkeypatch.undo()
        time.tzset()


def test_days_count_answers_that_are_not_retracted_by_person(db):
    label(db, "wang")
    label(db, "wang")
    label(db, "chen")
    annotations.undo(db, author="wang")
    assert {each.author: each.answers for each in progress.per_day(db)} == {"wang": 1, "chen": 1}
    assert [each.author for each in progress.per_day(db, author="chen")] == ["chen"]


def test_old_days_are_left_out(db):
    answer_at(db, "wang", datetime.now(UTC) - timedelta(days=40))
    assert progress.per_day(db) == []


def test_coverage_against_the_target(db):
    label(db, "wang", "经济")
    found = {each.category: each for each in progress.coverage(db, SCHEME.names, 3)}
    assert (found["经济"].decided, found["经济"].missing, found["社会"].missing) == (1, 2, 3)
    assert get_title(db, 1).category == "经济"


def test_titles_sent_back_are_counted_by_person(db):
    def back(title, addressee):
        revision = get_title(db, title.id).revision
        review.send_back(
            db, title.id, comment="看主角", author="zhao", addressee=addressee, seen_revision=revision
        )

    back(label(db, "wang"), "wang")
    back(label(db, "wang"), "wang")
    label(db, "wang")
    back(label(db, "chen"), "chen")
    found = {each.person.name: (each.sent_back, each.sent_back_waiting) for each in progress.team_pace(db)}
    assert found["wang"] == (2, 0)
    assert found["chen"] == (1, 1)
    assert found["zhao"] == (0, 0)
    plan = db.execute(
        "explain query plan select addressee, count(*) from decisions"
        " where action = 'send_back' and addressee is not null group by addressee"
    ).fetchall()
    assert "decisions_sent_back" in str(plan)
