"""Review titles: adjudicate disputes and flags, spot-check what others decided.

Two queues. *Adjudicate*: titles on which people disagree or which somebody flagged,
oldest first. *Sample*: a share of what people decided, drawn by a lot that belongs to
the title, so that raising the share keeps what was drawn before; nobody is shown what
they decided themselves. A title is on one reviewer's screen at a time, and a move is
guarded by the revision that was on screen, as everywhere. Knows no page and no key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from studio.annotation import annotations
from studio.annotation import requeue as second_look
from studio.corpus.titles import Decision, Title, append_decision, get_title, stale, take_back
from studio.errors import InputError
from studio.language import say
from studio.store import Store, writing
from studio.team.rights import require_right
from studio.team.settings import LabelSettings

Queue = Literal["adjudicate", "spot_check"]
Verdict = Literal["approve", "edit", "send_back"]

LOTS = 1 << 20
"""How many lots there are (`DRAWN_FOR_REVIEW` in the migration `m014_review`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StandingAnswer:
    """One person's standing answer; `reason` is why they flagged or skipped."""

    annotation_id: int
    author: str
    kind: annotations.Kind
    category: str | None
    chain: str | None
    reason: str | None
    active_seconds: float | None
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A title before a reviewer: where it stands, and the answers that brought it there, in their order."""

    title: Title
    answers: Sequence[StandingAnswer]

    @property
    def favoured(self) -> str | None:
        """What a reviewer approves: the decision, or where there is none the proposal."""
        return self.title.category or self.title.proposal

    def chain_for(self, category: str) -> str | None:
        """Pick the think chain that argues for a category, the title's own before an annotator's."""
        if self.title.chain and category == self.favoured:
            return self.title.chain
        return next(
            (answer.chain for answer in self.answers if answer.category == category and answer.chain), None
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewBacklog:
    """How many titles each queue has. `spot_check` counts up to a limit, as nobody reads further numbers."""

    disputed: int
    flagged: int
    spot_check: int


_NOT_TAKEN = (
    "not exists (select 1 from review_leases as taken where taken.title_id = {title_id}"
    " and taken.author <> :author and taken.expires_at > :now)"
)
_NOT_OWN = (
    # By title: by author SQLite would read everything that a busy person ever answered, once a title.
    "not exists (select 1 from annotations as own indexed by annotations_by_title"
    " where own.title_id = unreviewed.title_id"
    " and own.author = :author and own.kind = 'category' and not own.is_gold)"
)
_QUESTION = f"""select title_id, decision_id from states indexed by states_in_question
    where status in ('disputed', 'flagged') and decision_id > :place
    and {_NOT_TAKEN.format(title_id="states.title_id")}
    order by decision_id limit 1"""
_SAMPLE = f"""select title_id, lot from unreviewed
    where author = :of and lot > :place and lot < :lots and {_NOT_OWN}
    and {_NOT_TAKEN.format(title_id="unreviewed.title_id")} order by lot limit 1"""


def next_case(
    db: Store, *, queue: Queue, author: str, settings: LabelSettings, now: datetime | None = None
) -> Case | None:
    """Offer the title that this reviewer should look at; the same one until they move it or pass on.

    Raises:
        NotAllowed: they are no reviewer.
    """
    require_right("review", db, author)
    moment = now or datetime.now(UTC)
    asked = {"author": author, "now": _text(moment), "lots": round(settings.review_rate * LOTS)}
    held = _find_lease(db, queue, author)
    if held.title_id is not None and _still_theirs(db, queue, held.title_id, asked):
        if held.expires_at < _text(moment + timedelta(minutes=settings.lease_minutes / 2)):
            _keep(db, queue, author, held.title_id, held.place, settings, moment)
        return case_of(db, held.title_id)
    with writing(db):
        chosen = _choose(db, queue, held.place, asked)
        if chosen is None:
            return None
        _keep(db, queue, author, *chosen, settings, moment)
    return case_of(db, chosen[0])


def case_of(db: Store, title_id: int) -> Case:
    """Read a title and the answers that led to its state.

    Raises:
        InputError: there is no such title.
    """
    title = get_title(db, title_id)
    rows = db.query(
        "select answer.id as annotation_id, answer.author, answer.kind, answer.category, "
        "answer.chain, answer.reason,"
        " answer.active_seconds, answer.at from decisions as done"
        " join decisions as before on before.id = done.follows"
        " join annotations as answer on answer.title_id = done.title_id"
        " and answer.decision_id = coalesce(before.restores, before.id)"
        " where done.id = ? and not answer.is_gold"
        " and not exists (select 1 from retractions where annotation_id = answer.id) order by answer.id",
        [title.decision_id],
    )
    return Case(title=title, answers=[StandingAnswer(**row) for row in rows])


def pass_on(db: Store, *, queue: Queue, author: str) -> None:
    """Leave the title to the others and go on behind it; it comes again when the queue begins anew."""
    with writing(db):
        db.execute("update review_leases set title_id = null where author = ? and queue = ?", [author, queue])


def release(db: Store, author: str) -> None:
    """Release the leases of a reviewer who left: others may have the titles, and they when they return."""
    if db.execute("select 1 from review_leases where author = ? and expires_at > ''", [author]).fetchone():
        with writing(db):
            db.execute("update review_leases set expires_at = '' where author = ?", [author])


def decide(
    db: Store,
    title_id: int,
    *,
    category: str,
    chain: str | None,
    author: str,
    seen_revision: int,
    note: str | None = None,
    active_seconds: float | None = None,
) -> Title:
    """Say which category a title is of; that is an approval if it stood or was proposed, chain and all.

    Raises:
        NotAllowed: the author is no reviewer.
        StalePress: the title has moved on since `seen_revision`; nothing is written.
    """
    require_right("review", db, author)
    with writing(db):
        title = _seen(db, title_id, seen_revision)
        chain = (chain or "").strip() or None
        kept = category == (title.category or title.proposal)
        kept = kept and (title.status != "decided" or chain == title.chain)
        decision = Decision(
            author=author, action="review", status="decided", category=category, chain=chain, note=note
        )
        decision_id = append_decision(db, title_id, decision, follows=title.revision)
        _note_review(db, decision_id, author, "approve" if kept else "edit", active_seconds)
        return get_title(db, title_id)


def send_back(
    db: Store,
    title_id: int,
    *,
    comment: str,
    author: str,
    addressee: str | None,
    seen_revision: int,
    active_seconds: float | None = None,
) -> Title:
    """Give a title back to whom it came from, or to anyone, with a comment that they see beside it.

    Raises:
        NotAllowed: the author is no reviewer.
        InputError: there is no comment: nobody would know what to do better.
        StalePress: the title has moved on since `seen_revision`; nothing is written.
    """
    require_right("review", db, author)
    comment = " ".join(comment.split())
    if not comment:
        raise InputError(
            say("退回时要写明原因。", "Sending back needs a comment."),
            remedy=say(
                "请写明哪里要改，标注员会看到。",
                "Write what to change; the annotator sees it beside the title.",
            ),
        )
    with writing(db):
        _seen(db, title_id, seen_revision)
        second_look.send_back(db, [title_id], reason=comment, author=author, addressee=addressee)
        title = get_title(db, title_id)
        _note_review(db, title.decision_id, author, "send_back", active_seconds)
        return title


def undo(
    db: Store, *, author: str, settings: LabelSettings, now: datetime | None = None
) -> tuple[Title, Queue] | None:
    """Take back the author's last review that is not taken back yet; None when there is none.

    The title is on their screen again, in the queue from which it came.

    Raises:
        StalePress: someone has moved that title on since; nothing is written.
    """
    require_right("review", db, author)
    with writing(db):
        last = db.execute(
            "select title_id, decisions.id from reviews join decisions on decisions.id = decision_id"
            " where reviews.author = ? and not exists"
            " (select 1 from decisions as undone where undone.undoes = reviews.decision_id)"
            " order by decision_id desc limit 1",
            [author],
        ).fetchone()
        if last is None:
            return None
        title_id, decision_id = last
        title = get_title(db, title_id)
        if title.decision_id != decision_id or _heard(db, title):
            raise stale(title)
        take_back(db, title, decision_id, author=author)
        title = get_title(db, title_id)
        queue: Queue = "spot_check" if title.status == "decided" else "adjudicate"
        place = _find_lease(db, queue, author).place
        _keep(db, queue, author, title_id, place, settings, now or datetime.now(UTC))
        return title, queue


def _heard(db: Store, title: Title) -> bool:
    """Whether somebody has answered since the decision that counts: their work is not taken from them."""
    return (
        db.execute(
            "select 1 from annotations as answer where title_id = ? and decision_id = ? and not is_gold"
            " and not exists (select 1 from retractions where annotation_id = answer.id) limit 1",
            [title.id, title.decision_id],
        ).fetchone()
        is not None
    )


def waiting(db: Store, *, author: str, settings: LabelSettings, at_most: int = 1000) -> ReviewBacklog:
    """How long both queues are for this reviewer."""
    counts = dict(
        db.execute(
            "select status, sum(titles) from counts where status in ('disputed', 'flagged') group by status"
        ).fetchall()
    )
    lots, spot_check = round(settings.review_rate * LOTS), 0
    for name in _deciders(db, author):
        spot_check += db.execute(
            "select count(*) from (select 1 from unreviewed where author = :of and lot < :lots"
            f" and {_NOT_OWN} limit :most)",
            {"of": name, "lots": lots, "most": at_most, "author": author},
        ).fetchone()[0]
    return ReviewBacklog(
        disputed=counts.get("disputed", 0),
        flagged=counts.get("flagged", 0),
        spot_check=min(spot_check, at_most),
    )


def verdicts(db: Store, author: str) -> dict[Verdict, int]:
    """How the author judged so far, reviews that were taken back left out."""
    rows = db.execute(
        "select verdict, count(*) from reviews where author = ? and not exists"
        " (select 1 from decisions where undoes = reviews.decision_id) group by verdict",
        [author],
    )
    return dict(rows.fetchall())


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lease:
    title_id: int | None = None
    place: int = -1
    expires_at: str = ""


def _find_lease(db: Store, queue: Queue, author: str) -> _Lease:
    rows = db.query(
        "select title_id, place, expires_at from review_leases where author = ? and queue = ?",
        [author, queue],
    )
    return next((_Lease(**row) for row in rows), _Lease())


def _still_theirs(db: Store, queue: Queue, title_id: int, asked: dict[str, Any]) -> bool:
    source = {
        "adjudicate": "states where status in ('disputed', 'flagged')",
        "spot_check": "unreviewed where author <> :author",
    }[queue]
    found = db.execute(
        f"select 1 from {source} and title_id = :title_id and {_NOT_TAKEN.format(title_id=':title_id')}",
        {**asked, "title_id": title_id},
    )
    return found.fetchone() is not None


def _choose(db: Store, queue: Queue, place: int, asked: dict[str, Any]) -> tuple[int, int] | None:
    """Choose the first title behind `place`, else the first of all: its number and its place."""
    for start in (place, -1):
        if queue == "adjudicate":
            found = db.execute(_QUESTION, {**asked, "place": start}).fetchone()
        else:
            # A lookup for each author: a scan would read everything of whoever decided most.
            each = (
                db.execute(_SAMPLE, {**asked, "place": start, "of": name}).fetchone()
                for name in _deciders(db, asked["author"])
            )
            found = min((row for row in each if row), key=lambda row: row[1], default=None)
        if found is not None:
            return int(found[0]), int(found[1])
    return None


def _deciders(db: Store, author: str) -> list[str]:
    """Whose decisions wait for a review by this author: everybody's but their own."""
    rows = db.execute(
        "with recursive names (name) as (select min(author) from unreviewed union all"
        " select (select min(author) from unreviewed where author > name) from names where name is not null)"
        " select name from names where name is not null and name <> ?",
        [author],
    )
    return [name for (name,) in rows.fetchall()]


def _keep(
    db: Store,
    queue: Queue,
    author: str,
    title_id: int,
    place: int,
    settings: LabelSettings,
    moment: datetime,
) -> None:
    until = _text(moment + timedelta(minutes=settings.lease_minutes))
    with writing(db):
        db.execute(
            "insert into review_leases (author, queue, title_id, place, expires_at) values (?, ?, ?, ?, ?)"
            " on conflict (author, queue) do update set title_id = excluded.title_id, place = excluded.place,"
            " expires_at = excluded.expires_at",
            [author, queue, title_id, place, until],
        )


def _note_review(
    db: Store, decision_id: int, author: str, verdict: Verdict, active_seconds: float | None
) -> None:
    db.execute(
        "insert into reviews (decision_id, author, verdict, active_seconds) values (?, ?, ?, ?)",
        [decision_id, author, verdict, active_seconds],
    )


def _seen(db: Store, title_id: int, seen_revision: int) -> Title:
    title = get_title(db, title_id)
    if title.revision != seen_revision or title.status == "trashed":
        raise stale(title)
    return title
