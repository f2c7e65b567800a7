"""What people say about titles: label, skip, flag, undo, send back.

Nobody overwrites anybody: whoever acts says which revision of the title they saw,
and a press that comes late changes nothing (`StalePress`). Everything is appended;
undo appends, too. This module knows no page and no key.
"""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from studio.errors import StalePress
from studio.language import say
from studio.schema import BY_PERSON
from studio.store import Store, writing
from studio.titles import (
    SENT_BACK,
    Decision,
    Title,
    add_title,
    append_decision,
    clean_title,
    get_title,
    title_key,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """One author's work: decisions today and in all, and what is left for everyone.

    `median_seconds` is the active time of the last labels; None before the first.
    """

    today: int
    total: int
    median_seconds: float | None
    waiting: int


def annotate(
    db: Store,
    title_id: int,
    *,
    category: str,
    chain: str | None = None,
    author: str,
    seen_revision: int,
    active_seconds: float | None = None,
) -> Title:
    """Decide a title's category and return its new state.

    Without a chain, the chain or draft that the title has stays as long as it argues
    for the same category, and goes when the category changes.

    Raises:
        StalePress: the title has moved on since `seen_revision`; nothing is written.
    """
    with writing(db):
        title = _seen_title(db, title_id, seen_revision)
        said = (chain or "").strip() or None
        argued = title.category or title.proposal
        annotation = db.execute(
            "insert into annotations (title_id, author, kind, category, chain, active_seconds)"
            " values (?, ?, 'category', ?, ?, ?)",
            [title_id, author, category, said, active_seconds],
        ).lastrowid
        decision = Decision(
            author=author,
            action="annotate",
            status="decided",
            category=category,
            chain=said or (title.chain if category == argued else None),
            rank=title.rank,
            annotation_id=annotation,
        )
        append_decision(db, title_id, decision, follows=title.revision)
        return get_title(db, title_id)


def skip(db: Store, title_id: int, *, reason: str, author: str, seen_revision: int) -> Title:
    """Put a title aside, with the reason; it is in no dataset version.

    Raises:
        StalePress: the title has moved on since `seen_revision`; nothing is written.
    """
    return _put_aside(db, title_id, "skip", reason, author, seen_revision)


def flag(db: Store, title_id: int, *, reason: str, author: str, seen_revision: int) -> Title:
    """Put a title aside as a question to the others.

    Raises:
        StalePress: the title has moved on since `seen_revision`; nothing is written.
    """
    return _put_aside(db, title_id, "flag", reason, author, seen_revision)


def _put_aside(
    db: Store, title_id: int, action: Literal["skip", "flag"], reason: str, author: str, seen_revision: int
) -> Title:
    with writing(db):
        title = _seen_title(db, title_id, seen_revision)
        annotation = db.execute(
            "insert into annotations (title_id, author, kind, reason) values (?, ?, ?, ?)",
            [title_id, author, action, reason],
        ).lastrowid
        decision = Decision(
            author=author,
            action=action,
            status="skipped" if action == "skip" else "flagged",
            chain=title.chain,
            note=reason,
            proposal=title.category or title.proposal,
            rank=title.rank,
            annotation_id=annotation,
        )
        append_decision(db, title_id, decision, follows=title.revision)
        return get_title(db, title_id)


def _seen_title(db: Store, title_id: int, seen_revision: int) -> Title:
    title = get_title(db, title_id)
    if title.revision != seen_revision:
        raise StalePress(
            say(
                f"标题“{title.text}”在您按键之前已有改动，这次按键没有生效。",
                f"The title “{title.text}” moved on before the key was pressed; the press did nothing.",
            ),
            remedy=say(
                "请看清当前标题再按一次。", "Look at the title that is on screen now and press again."
            ),
        )
    return title


def undo(db: Store, *, author: str) -> Title | None:
    """Take back the author's last label, skip or flag that still stands; None when there is none.

    Repeated, it goes further back. The title returns to the state it had before.

    Raises:
        StalePress: someone else has moved that title on since; nothing is written.
    """
    with writing(db):
        last = db.execute(
            f"select id, title_id, follows from decisions as done where author = ? and {BY_PERSON}"
            " and not exists (select 1 from decisions where undoes = done.id) order by id desc limit 1",
            [author],
        ).fetchone()
        if last is None:
            return None
        decision_id, title_id, follows = last
        title = get_title(db, title_id)
        if title.decision_id != decision_id:
            raise StalePress(
                say(
                    f"标题“{title.text}”之后又有别的改动，不能撤销。",
                    f"The title “{title.text}” has been moved on since; there is nothing to take back.",
                ),
                remedy=say(
                    "请在数据集页找到它，直接改类别。", "Find it on the Datasets page and change it there."
                ),
            )
        restores = db.execute(
            "select coalesce(restores, id) from decisions where id = ?", [follows]
        ).fetchone()[0]
        db.execute(
            "insert into decisions (title_id, follows, author, action, undoes, restores)"
            " values (?, ?, ?, 'undo', ?, ?)",
            [title_id, title.revision, author, decision_id, restores],
        )
        return get_title(db, title_id)


def recent(db: Store, *, author: str, limit: int = 10) -> list[Title]:
    """Titles whose current state is this author's doing, latest first."""
    # Cross join: from the author's latest decision backwards, whatever the planner thinks.
    ids = db.execute(
        "select states.title_id from decisions cross join states"
        " on states.title_id = decisions.title_id and states.decision_id = decisions.id"
        f" where author = ? and {BY_PERSON} order by decisions.id desc limit ?",
        [author, limit],
    )
    return [get_title(db, title_id) for (title_id,) in ids.fetchall()]


def send_back(db: Store, title_ids: Iterable[int], *, reason: str, author: str) -> int:
    """Let decided titles wait again, at the head of the queue; return how many moved.

    Their category stays as the proposal, their chain as the draft.
    """
    moved = 0
    with writing(db):
        for title_id in dict.fromkeys(title_ids):
            title = get_title(db, title_id)
            if title.status != "decided":
                continue
            decision = _waiting_again(title, "send_back", reason, author)
            append_decision(db, title_id, decision, follows=title.revision)
            moved += 1
    return moved


def add_wrong(db: Store, text: str, predicted: str | None, author: str) -> Title:
    """Queue a title that the classifier got wrong; a new title is taken in first.

    The note tells what the model said; that answer is no proposal.
    """
    said = predicted or say("无法解析的答案", "nothing that could be read")
    reason = say(
        f"模型答为“{said}”，{author} 认为不对。", f"The model said “{said}”; {author} says that is wrong."
    )
    with writing(db):
        title_id = _find_or_add(db, text, author)
        row = db.execute("select revision from states where title_id = ?", [title_id]).fetchone()
        if row is None:
            decision = Decision(author=author, action="wrong", status="waiting", note=reason, rank=SENT_BACK)
            append_decision(db, title_id, decision, follows=None)
        else:
            title = get_title(db, title_id)
            append_decision(
                db, title_id, _waiting_again(title, "wrong", reason, author), follows=title.revision
            )
        return get_title(db, title_id)


def _find_or_add(db: Store, text: str, author: str) -> int:
    found = db.execute("select id from titles where key = ?", [title_key(text)]).fetchone()
    if found is not None:
        return int(found[0])
    batch = db.execute("insert into batches (source, author) values ('wrong', ?)", [author]).lastrowid
    assert batch is not None
    return add_title(db, clean_title(text), source="wrong", batch_id=batch)


def _waiting_again(title: Title, action: Literal["send_back", "wrong"], reason: str, author: str) -> Decision:
    return Decision(
        author=author,
        action=action,
        status="waiting",
        chain=title.chain,
        note=reason,
        proposal=title.category or title.proposal,
        rank=SENT_BACK,
    )


def pace(db: Store, author: str, *, now: datetime | None = None) -> Pace:
    """How far and how fast an author is; the day begins at local midnight."""
    local = (now or datetime.now(UTC)).astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    since = midnight.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    # An undo takes back exactly one decision: counting both is far cheaper than matching them.
    done = f"select count(*) from decisions where author = :author and {BY_PERSON}"
    undone = (
        "select count(*) from decisions as undo join decisions as done on done.id = undo.undoes"
        " where undo.author = :author and undo.action = 'undo'"
    )
    total, today = db.execute(
        f"select ({done}) - ({undone}), ({done} and at >= :since) - ({undone} and done.at >= :since)",
        {"author": author, "since": since},
    ).fetchone()
    seconds = db.execute(
        "select active_seconds from annotations where author = ? and active_seconds is not null"
        " order by id desc limit 50",
        [author],
    ).fetchall()
    waiting = db.execute("select count(*) from states where status = 'waiting'").fetchone()[0]
    median = statistics.median(value for (value,) in seconds) if seconds else None
    return Pace(today=today, total=total, median_seconds=median, waiting=waiting)
