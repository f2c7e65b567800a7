"""Lease a title to whoever has it on screen: offer the next one, keep it from others for a while.

A lease keeps two people from thinking about the same title; that nothing is decided
twice or for a title nobody saw is `studio.annotation.annotations`' matter and holds without it.
A title that several people are asked for is leased to as many, and each of them sees
it as if they were alone. Gold titles, whose category is known, come in between and
look like any other.
"""

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from studio.corpus.titles import Title, get_title
from studio.store import Store, writing
from studio.team.settings import LabelSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A title for one person, as they may see it.

    `is_blind`: others are asked as well, so nothing here may lead: no proposal, no
    suggestion, no note or chain of an import. Of a gold title the category is left out; the page
    cannot tell it.
    """

    title: Title
    is_blind: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """What a person has on screen until `expires_at` (UTC, ISO 8601); no title after a release.

    `place` is where in the queue they are; it outlives the lease.
    """

    author: str
    title_id: int | None
    is_gold: bool
    is_reopened: bool
    place: int
    expires_at: str


_STANDS = "not exists (select 1 from retractions where annotation_id = answer.id)"
_ANSWERED_NOW = (
    "from annotations as answer where answer.title_id = states.title_id"
    f" and answer.decision_id = states.decision_id and {_STANDS}"
)
_FREE = f"""not exists (select 1 {_ANSWERED_NOW} and answer.author = :author)
    and (select count(*) from leases where leases.title_id = states.title_id
         and leases.author <> :author and leases.expires_at > :now and not leases.is_gold)
      + (select count(*) {_ANSWERED_NOW} and answer.kind = 'category') < states.wanted"""
"""Neither answered by this person nor on the screens of as many others as are asked."""


def offer(db: Store, *, author: str, settings: LabelSettings, now: datetime | None = None) -> Offer | None:
    """Offer the title that this person should label now; the same one until they press a key.

    First what was sent back, to them above all, then the queue from where they are.
    None when nothing waits for them.
    """
    moment = now or datetime.now(UTC)
    held = find_lease(db, author)
    if held is not None and held.title_id is not None and _still_theirs(db, held, moment):
        if held.expires_at < _text(moment + timedelta(minutes=settings.lease_minutes / 2)):
            _keep(db, held, settings, moment)
        return _shown(db, held.title_id, is_gold=held.is_gold)
    with writing(db):
        place = -1 if held is None else held.place
        chosen = _choose(db, author, settings, place, _text(moment))
        if chosen is None:
            return None
        _keep(db, chosen, settings, moment)
    assert chosen.title_id is not None
    return _shown(db, chosen.title_id, is_gold=chosen.is_gold)


def reopen(
    db: Store, title_id: int, *, author: str, settings: LabelSettings, now: datetime | None = None
) -> Offer:
    """Put a title of the person's own on their screen again, whoever else has it.

    Raises:
        InputError: there is no such title.
    """
    held = find_lease(db, author)
    row = db.execute(
        "select is_gold from annotations where title_id = ? and author = ? order by id desc limit 1",
        [title_id, author],
    ).fetchone()
    title = get_title(db, title_id)
    lease = Lease(
        author=author,
        title_id=title_id,
        is_gold=bool(row and row[0]) and title.status == "decided",
        is_reopened=True,
        place=-1 if held is None else _return_to(held),
        expires_at="",
    )
    _keep(db, lease, settings, now or datetime.now(UTC))
    return _shown(db, title_id, is_gold=lease.is_gold)


def release(db: Store, author: str) -> None:
    """Release the lease of a person who left: others may have the title, and they when they return."""
    held = find_lease(db, author)
    if held is not None and held.title_id is not None:
        _end(db, author, place=_return_to(held))


def end_lease(db: Store, author: str) -> None:
    """End the lease after a press; from here the queue goes on. Inside a `writing` block."""
    held = find_lease(db, author)
    if held is not None and held.title_id is not None:
        _end(db, author, place=held.place)


def _end(db: Store, author: str, *, place: int) -> None:
    with writing(db):
        db.execute(
            "update leases set title_id = null, is_gold = 0, is_reopened = 0, place = ? where author = ?",
            [place, author],
        )


def _return_to(held: Lease) -> int:
    """Just before the title that was on screen, so that it is the next one again."""
    return held.place if held.is_reopened or held.is_gold or held.title_id is None else held.place - 1


def find_lease(db: Store, author: str) -> Lease | None:
    """Find what the person has on screen, if they ever had anything."""
    row = next(db.query("select * from leases where author = ?", [author]), None)
    if row is None:
        return None
    flags = {"is_gold": bool(row["is_gold"]), "is_reopened": bool(row["is_reopened"])}
    return Lease(**{**row, **flags})


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _keep(db: Store, lease: Lease, settings: LabelSettings, moment: datetime) -> None:
    expires_at = _text(moment + timedelta(minutes=settings.lease_minutes))
    with writing(db):
        db.execute(
            "insert into leases (author, title_id, is_gold, is_reopened, place, expires_at)"
            " values (?, ?, ?, ?, ?, ?) on conflict (author) do update set title_id = excluded.title_id,"
            " is_gold = excluded.is_gold, is_reopened = excluded.is_reopened, place = excluded.place,"
            " expires_at = excluded.expires_at",
            [lease.author, lease.title_id, lease.is_gold, lease.is_reopened, lease.place, expires_at],
        )


def _shown(db: Store, title_id: int, *, is_gold: bool) -> Offer:
    title = get_title(db, title_id)
    if is_gold:
        hidden: dict[str, Any] = dict.fromkeys(("category", "chain", "note", "proposal", "author"))
        return Offer(title=replace(title, status="waiting", **hidden), is_blind=True)
    if title.wanted > 1 and title.status == "waiting":
        # The note of an import names the category that its answer may mean; its chain argues for one.
        return Offer(title=replace(title, proposal=None, note=None, chain=None), is_blind=True)
    return Offer(title=title, is_blind=False)


def _still_theirs(db: Store, held: Lease, moment: datetime) -> bool:
    if held.is_reopened:
        return True
    if held.is_gold:
        return _open_gold(db, held.author, held.title_id) is not None
    found = db.execute(
        f"select 1 from states where title_id = :title_id and status = 'waiting' and {_FREE}",
        {"title_id": held.title_id, "author": held.author, "now": _text(moment)},
    )
    return found.fetchone() is not None


def _choose(db: Store, author: str, settings: LabelSettings, place: int, now: str) -> Lease | None:
    """Sent back, gold when it is time, the queue behind `place`, the queue from its head."""
    asked = {"author": author, "now": now, "place": place}
    queue = (
        "select title_id, place from states where status = 'waiting' and rank = 1 and {}"
        f" and {_FREE} order by place limit 1"
    )
    back = (
        "select states.title_id, :place from states join decisions on decisions.id = states.decision_id"
        " where states.status = 'waiting' and states.rank = 0 and (addressee is null or addressee = :author"
        " or not exists (select 1 from people where name = addressee and is_active))"
        f" and {_FREE} order by addressee is null, states.place limit 1"
    )
    found, is_gold = db.execute(back, asked).fetchone(), False
    if found is None and (gold := _due_gold(db, author, settings)) is not None:
        found, is_gold = (gold, place), True
    found = found or db.execute(queue.format("place > :place"), asked).fetchone()
    found = found or db.execute(queue.format("place <= :place"), asked).fetchone()
    if found is None:
        return None
    return Lease(
        author=author, title_id=found[0], is_gold=is_gold, is_reopened=False, place=found[1], expires_at=""
    )


def _due_gold(db: Store, author: str, settings: LabelSettings) -> int | None:
    """Draw a gold title for this person, if their next answer is due one."""
    answers = db.execute("select answers from answer_counts where author = ?", [author]).fetchone()
    draw = random.Random(f"{author}/{answers[0] if answers else 0}")
    return _open_gold(db, author) if draw.random() < settings.gold_share else None


def _open_gold(db: Store, author: str, title_id: int | None = None) -> int | None:
    """Find a gold title, or that one, that this person has not answered."""
    row = db.execute(
        "select gold_titles.title_id from gold_titles join states using (title_id)"
        " where status = 'decided' and (:title_id is null or gold_titles.title_id = :title_id)"
        " and not exists (select 1 from annotations as answer where answer.title_id = gold_titles.title_id"
        f" and answer.author = :author and {_STANDS})"
        " order by (gold_titles.title_id * 2654435761) & 4294967295 limit 1",
        {"author": author, "title_id": title_id},
    ).fetchone()
    return None if row is None else int(row[0])
