"""Read what was sent back to a person: by whom, with what comment, and what they had answered.

`studio.annotation.review` and `studio.annotation.requeue` send titles back; this module only reads.
"""

from dataclasses import dataclass

from studio.corpus.titles import Title
from studio.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class SentBack:
    """A title that was sent back, as one person sees it.

    `comment` is stored text or a stored message. `is_own` says that `category` and `chain` are what that
    person had answered at `answered_at`; else they are what the title stood as when it was sent back.
    """

    by: str
    at: str
    comment: str
    addressee: str | None
    is_own: bool
    category: str | None
    chain: str | None
    answered_at: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SentBackCount:
    """How many titles wait after they were sent back: to this person, and to anyone."""

    own: int
    anyone: int


def sent_back(db: Store, title: Title, *, author: str) -> SentBack | None:
    """Read how a waiting title was sent back; None where it was not.

    Args:
        db: store.
        title: as it stands now.
        author: whose earlier answer is looked up.
    """
    if title.status != "waiting":
        return None
    found = db.execute(
        "select author, at, note, addressee from decisions where id = ? and action = 'send_back'",
        [title.decision_id],
    ).fetchone()
    if found is None:
        return None
    by, at, comment, addressee = found
    own = db.execute(
        "select category, chain, at from annotations where title_id = ? and author = ? and kind = 'category'"
        " and not is_gold and decision_id < ?"
        " and not exists (select 1 from retractions where annotation_id = annotations.id)"
        " order by id desc limit 1",
        [title.id, author, title.decision_id],
    ).fetchone()
    category, chain, answered_at = own or (title.proposal, title.chain, None)
    return SentBack(
        by=by,
        at=at,
        comment=comment or "",
        addressee=addressee,
        is_own=own is not None,
        category=category,
        chain=chain,
        answered_at=answered_at,
    )


def count_sent_back(db: Store, *, author: str) -> SentBackCount:
    """Count the titles that were sent back and still wait; to a person who left means to anyone."""
    own, anyone = db.execute(
        "select coalesce(sum(addressee = :author), 0),"
        " coalesce(sum(addressee is null or (addressee <> :author and not exists"
        " (select 1 from people where name = addressee and is_active))), 0)"
        " from states join decisions on decisions.id = states.decision_id"
        " where states.status = 'waiting' and states.rank = 0 and decisions.action = 'send_back'",
        {"author": author},
    ).fetchone()
    return SentBackCount(own=own, anyone=anyone)
