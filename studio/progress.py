"""How far and how fast the team is: per person, per day, per category.

Everything here is read from counters and index lookups (`studio.schema`), so that the
Team page opens as fast with a million answers as with ten.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from studio.annotations import Pace, pace
from studio.people import Person, list_people
from studio.store import Store
from studio.titles import category_counts

DAYS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonPace:
    """A person and their pace."""

    person: Person
    pace: Pace


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """A category: how many titles are decided as it, and how many are wanted."""

    category: str
    decided: int
    target: int

    @property
    def missing(self) -> int:
        """How many are still to come."""
        return max(0, self.target - self.decided)


@dataclass(frozen=True, kw_only=True, slots=True)
class DayCount:
    """Answers of one person on one day of the local clock."""

    day: date
    author: str
    answers: int


def team_pace(db: Store, *, now: datetime | None = None) -> list[PersonPace]:
    """Everybody's pace, in the order in which they came."""
    return [PersonPace(person=person, pace=pace(db, person.name, now=now)) for person in list_people(db)]


def per_day(
    db: Store, *, author: str | None = None, days: int = DAYS, now: datetime | None = None
) -> list[DayCount]:
    """Answers of the last `days` days that still stand, by person; days without any are left out.

    Kept by the hour of UTC: where the local clock is off by half an hour, so is midnight.
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


def coverage(db: Store, names: Sequence[str], target: int) -> list[Coverage]:
    """Each category against the target, in the given order."""
    counts = category_counts(db)
    return [Coverage(category=name, decided=counts.get(name, 0), target=target) for name in names]
