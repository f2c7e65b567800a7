"""Count pace and coverage: per person, per day, per category.

Everything here is read from counters and index lookups (`studio.store._migrations`), so that the
Team page opens as fast with a million answers as with ten.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from studio.corpus.titles import category_counts
from studio.store import Store
from studio.team.people import Person, list_people

DAYS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """One author's pace: answers today and in total, and the titles that wait for everyone.

    `median_seconds` is the median active time of the last labels; None before the first.
    """

    today: int
    total: int
    median_seconds: float | None
    waiting: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonPace:
    """A person, their pace, and how many titles were sent back to them: ever, and those still waiting."""

    person: Person
    pace: Pace
    sent_back: int = 0
    sent_back_waiting: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetCoverage:
    """A category with its number of decided titles and its target."""

    category: str
    decided: int
    target: int

    @property
    def missing(self) -> int:
        """Titles missing to the target."""
        return max(0, self.target - self.decided)


@dataclass(frozen=True, kw_only=True, slots=True)
class DayCount:
    """Answers of one person on one day of the local clock."""

    day: date
    author: str
    answers: int


def pace(db: Store, author: str, *, now: datetime | None = None) -> Pace:
    """Count an author's answers and time; the day begins at local midnight."""
    local = (now or datetime.now(UTC)).astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    hour = midnight.replace(minute=0) + timedelta(hours=midnight.minute > 0)
    # Whole hours are counted already; where midnight is no full hour of UTC, the rest is counted here.
    whole = db.execute(
        "select coalesce(sum(answers), 0) from hour_counts where author = ? and hour >= ?",
        [author, f"{hour:%Y-%m-%dT%H}"],
    ).fetchone()[0]
    rest = db.execute(
        "select count(*) from annotations as answer where author = ? and at >= ? and at < ?"
        " and not exists (select 1 from retractions where annotation_id = answer.id)",
        [author, f"{midnight:%Y-%m-%dT%H:%M}", f"{hour:%Y-%m-%dT%H:%M}"],
    ).fetchone()[0]
    today = whole + rest
    total = db.execute("select answers from answer_counts where author = ?", [author]).fetchone()
    seconds = db.execute(
        # Of the last answers, timed or not: to look for timed ones may mean to read them all.
        "select active_seconds from (select id, active_seconds from annotations where author = ?"
        " order by id desc limit 100) where active_seconds is not null order by id desc limit 50",
        [author],
    ).fetchall()
    waiting = db.execute("select sum(titles) from counts where status = 'waiting'").fetchone()[0]
    median = statistics.median(value for (value,) in seconds) if seconds else None
    return Pace(today=today, total=total[0] if total else 0, median_seconds=median, waiting=waiting or 0)


def team_pace(db: Store, *, now: datetime | None = None) -> list[PersonPace]:
    """Count everybody's pace, in the order in which they first signed in."""
    ever, waiting = _sent_back(db)
    return [
        PersonPace(
            person=person,
            pace=pace(db, person.name, now=now),
            sent_back=ever.get(person.name, 0),
            sent_back_waiting=waiting.get(person.name, 0),
        )
        for person in list_people(db)
    ]


def _sent_back(db: Store) -> tuple[dict[str, int], dict[str, int]]:
    """Count the titles sent back by whom they went to: all, and those that wait."""
    ever = db.execute(
        "select addressee, count(*) from decisions where action = 'send_back' and addressee is not null"
        " group by addressee"
    ).fetchall()
    waiting = db.execute(
        "select addressee, count(*) from states join decisions on decisions.id = states.decision_id"
        " where states.status = 'waiting' and states.rank = 0 and action = 'send_back'"
        " and addressee is not null group by addressee"
    ).fetchall()
    return dict(ever), dict(waiting)


def per_day(
    db: Store, *, author: str | None = None, days: int = DAYS, now: datetime | None = None
) -> list[DayCount]:
    """Count the answers of the last `days` days by day and person; days without any are omitted.

    Retracted answers do not count. The counters are by hour of UTC: where the local clock is off
    by half an hour, so is midnight.
    """
    local = (now or datetime.now(UTC)).astimezone()
    first = (local - timedelta(days=days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = db.execute(
        "select author, hour, answers from hour_counts where author in (select name from people)"
        " and hour >= :since and answers > 0 and (:author is null or author = :author)",
        {"since": first.astimezone(UTC).strftime("%Y-%m-%dT%H"), "author": author},
    )
    counts: dict[tuple[date, str], int] = {}
    for name, hour, answers in rows.fetchall():
        day = datetime.fromisoformat(f"{hour}:00:00+00:00").astimezone().date()
        counts[day, name] = counts.get((day, name), 0) + answers
    return [DayCount(day=day, author=name, answers=count) for (day, name), count in sorted(counts.items())]


def coverage(db: Store, names: Sequence[str], target: int) -> list[TargetCoverage]:
    """Compare each category with the target, in the given order."""
    counts = category_counts(db)
    return [TargetCoverage(category=name, decided=counts.get(name, 0), target=target) for name in names]
