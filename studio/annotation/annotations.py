"""Save what people answer to a title: label, skip, flag, undo.

Nobody overwrites anybody: whoever acts says which revision of the title they saw,
and a press that comes late changes nothing (`StalePress`). Everything is appended;
undo appends, too. A title that several people are asked for collects what they say
about one decision; the last of them moves it on, agreed or disputed. This module
knows no page and no key.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from studio.annotation.leases import end_lease, find_lease
from studio.corpus.titles import (
    Decision,
    Title,
    append_decision,
    counted_before,
    get_title,
    require_seen,
    stale,
    take_back,
)
from studio.errors import InputError
from studio.language import say
from studio.messages import message, stored
from studio.store import Store, writing
from studio.team.people import labellers
from studio.team.settings import load_settings

Kind = Literal["category", "skip", "flag"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggested:
    """The suggestion that was on screen: its category, and its source (`import`, `tfidf`, a run, a draft)."""

    category: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnAnswer:
    """A person's own standing answer about a title; never what others answered."""

    annotation_id: int
    title_id: int
    text: str
    kind: Kind
    category: str | None
    revision: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _OwnedAnswer:
    """One standing answer about the decision that counts now."""

    annotation_id: int
    author: str
    kind: Kind
    category: str | None
    chain: str | None
    reason: str | None


def annotate(
    db: Store,
    title_id: int,
    *,
    category: str,
    chain: str | None = None,
    author: str,
    seen_revision: int,
    active_seconds: float | None = None,
    suggested: Suggested | None = None,
) -> Title:
    """Say which category a title is of, and return its new state.

    It is decided at once, or, where several people are asked, when the last of them has
    answered: `agree` if all answers agree, else `dispute`. An answer to a gold title
    moves nothing. Without a chain, the chain or draft that the title has stays as long
    as it argues for the same category, and goes when the category changes.

    Raises:
        StalePress: the title has moved on since `seen_revision`, or this person has
            answered already; nothing is written.
    """
    with writing(db):
        title = _seen_title(db, title_id, seen_revision)
        held = find_lease(db, author)
        is_gold = held is not None and held.title_id == title_id and held.is_gold
        _make_room(db, title, author, may_change=held is not None and held.is_reopened)
        written = (chain or "").strip() or None
        shown = (None, None) if suggested is None else (suggested.category, suggested.source)
        annotation_id = db.execute(
            "insert into annotations (title_id, decision_id, author, kind, category, chain, active_seconds,"
            " suggestion, suggestion_source, is_gold) values (?, ?, ?, 'category', ?, ?, ?, ?, ?, ?)",
            [title_id, title.decision_id, author, category, written, active_seconds, *shown, is_gold],
        ).lastrowid
        assert annotation_id is not None
        end_lease(db, author)
        if not is_gold:
            _conclude(db, title, annotation_id, author)
        return get_title(db, title_id)


def _make_room(db: Store, title: Title, author: str, *, may_change: bool) -> None:
    """Retract a person's earlier answer where they reopened the title; refuse a second one otherwise."""
    if title.status != "waiting":
        return
    for own in _answers(db, title):
        if own.author == author:
            if not may_change:
                raise stale(title)
            _retract(db, own.annotation_id, author)


def _answers(db: Store, title: Title) -> list[_OwnedAnswer]:
    """List the standing answers about the decision that counts, gold apart."""
    rows = db.query(
        "select id as annotation_id, author, kind, category, chain, reason from annotations"
        " where title_id = ? and decision_id = ? and not is_gold"
        " and not exists (select 1 from retractions where annotation_id = annotations.id) order by id",
        [title.id, title.decision_id],
    )
    return [_OwnedAnswer(**row) for row in rows]


def _conclude(db: Store, title: Title, annotation_id: int, author: str) -> None:
    """Move the title on if everybody who is asked, or can be, has answered."""
    answers = _answers(db, title)
    labels = [answer for answer in answers if answer.kind == "category"]
    if title.status != "waiting" or title.wanted == 1:
        decision = _decided(title, labels[-1], "annotate")
    elif len(labels) >= title.wanted:
        agreed = len({answer.category for answer in labels}) == 1
        decision = _decided(title, _best(labels), "agree") if agreed else _disputed(title, labels)
    else:
        return
    append_decision(
        db, title.id, _by(decision, author=author, annotation_id=annotation_id), follows=title.revision
    )


def conclude(db: Store, title_id: int) -> Title:
    """Move a title on by the answers that stand about the decision that counts, as far as they suffice.

    For answers that were not given one after the other on the page: an import. A flag comes first, then
    labels of as many people as are asked; skips, where nobody is left. Of a title that does not wait, the
    last answer decides anew. Inside a `writing` block.
    """
    title = get_title(db, title_id)
    answers = _answers(db, title)
    if not answers:
        return title
    decision, last = _conclusion(db, title, answers)
    if decision is not None:
        decision = _by(decision, author=last.author, annotation_id=last.annotation_id)
        append_decision(db, title_id, decision, follows=title.revision)
    return get_title(db, title_id)


def _conclusion(
    db: Store, title: Title, answers: Sequence[_OwnedAnswer]
) -> tuple[Decision | None, _OwnedAnswer]:
    """Return what the answers amount to, and the one that tips the scale; no decision where they do not."""
    waits, last = title.status == "waiting", answers[-1]
    labels = [answer for answer in answers if answer.kind == "category"]
    flags = [answer for answer in answers if answer.kind == "flag"]
    if flags and (waits or last.kind == "flag"):
        return _aside(title, "flag", flags[-1].reason or "", flags[-1].author), flags[-1]
    if not waits:
        if last.kind == "category":
            return _decided(title, last, "annotate"), last
        return _aside(title, "skip", last.reason or "", last.author), last
    if labels and len({answer.author for answer in labels}) >= title.wanted:
        if len({answer.category for answer in labels}) > 1:
            return _disputed(title, labels), labels[-1]
        return _decided(title, _best(labels), "agree" if len(labels) > 1 else "annotate"), labels[-1]
    skipped = {answer.author for answer in answers if answer.kind == "skip"}
    left = labellers(db) - {answer.author for answer in answers}
    if skipped and not labels and (len(skipped) >= load_settings(db).skip_limit or not left):
        return _aside(title, "skip", last.reason or "", last.author), last
    return None, last


def retract_standing(db: Store, title_id: int, decision_id: int, *, author: str, at: str) -> None:
    """Retract the label that a person gave about a decision and that a later one replaces.

    Inside a `writing` block.
    """
    db.execute(
        "insert into retractions (annotation_id, author, at) select id, author, ? from annotations"
        " where title_id = ? and decision_id = ? and author = ? and kind = 'category' and not is_gold"
        " and at < ? and not exists (select 1 from retractions where annotation_id = annotations.id)",
        [at, title_id, decision_id, author, at],
    )


def _by(decision: Decision, *, author: str, annotation_id: int) -> Decision:
    return replace(decision, author=author, annotation_id=annotation_id)


def _best(labels: Sequence[_OwnedAnswer]) -> _OwnedAnswer:
    """Of answers that agree, the last with a chain."""
    return next((answer for answer in reversed(labels) if answer.chain), labels[-1])


def _decided(title: Title, answer: _OwnedAnswer, action: Literal["annotate", "agree"]) -> Decision:
    argued = title.category or title.proposal
    return Decision(
        author=answer.author,
        action=action,
        status="decided",
        category=answer.category,
        chain=answer.chain or (title.chain if answer.category == argued else None),
        rank=title.rank,
    )


def _disputed(title: Title, labels: Sequence[_OwnedAnswer]) -> Decision:
    """To the reviewers; what most people answered is the proposal, if there is such a thing."""
    votes = Counter(answer.category for answer in labels).most_common()
    clear = len(votes) == 1 or votes[0][1] > votes[1][1]
    return Decision(
        author=labels[-1].author,
        action="dispute",
        status="disputed",
        chain=title.chain,
        note=stored(message("answers_differ", votes=dict(votes))),
        proposal=votes[0][0] if clear else title.proposal,
        rank=title.rank,
    )


def skip(db: Store, title_id: int, *, reason: str, author: str, seen_revision: int) -> Title:
    """Leave a title to the others; with nobody left to ask it is put aside, with the reason.

    A title put aside is in no dataset version.

    Raises:
        StalePress: the title has moved on since `seen_revision`; nothing is written.
    """
    with writing(db):
        title = _seen_title(db, title_id, seen_revision)
        annotation_id, is_gold = _put_down(db, title, "skip", reason, author)
        answers = _answers(db, title)
        skipped = {answer.author for answer in answers if answer.kind == "skip"}
        left = labellers(db) - {answer.author for answer in answers}
        if not is_gold and (
            title.status != "waiting" or not left or len(skipped) >= load_settings(db).skip_limit
        ):
            labels = [answer for answer in answers if answer.kind == "category"]
            decision = _disputed(title, labels) if labels else _aside(title, "skip", reason, author)
            append_decision(
                db,
                title_id,
                _by(decision, author=author, annotation_id=annotation_id),
                follows=title.revision,
            )
        return get_title(db, title_id)


def flag(db: Store, title_id: int, *, reason: str, author: str, seen_revision: int) -> Title:
    """Put a title aside as a question to the reviewers.

    Raises:
        StalePress: the title has moved on since `seen_revision`; nothing is written.
    """
    with writing(db):
        title = _seen_title(db, title_id, seen_revision)
        annotation_id, is_gold = _put_down(db, title, "flag", reason, author)
        if not is_gold:
            decision = _by(_aside(title, "flag", reason, author), author=author, annotation_id=annotation_id)
            append_decision(db, title_id, decision, follows=title.revision)
        return get_title(db, title_id)


def _put_down(
    db: Store, title: Title, kind: Literal["skip", "flag"], reason: str, author: str
) -> tuple[int, bool]:
    """Write down a skip or a flag; its number, and whether the title was gold on that screen."""
    held = find_lease(db, author)
    is_gold = held is not None and held.title_id == title.id and held.is_gold
    _make_room(db, title, author, may_change=held is not None and held.is_reopened)
    annotation_id = db.execute(
        "insert into annotations (title_id, decision_id, author, kind, reason, is_gold)"
        " values (?, ?, ?, ?, ?, ?)",
        [title.id, title.decision_id, author, kind, reason, is_gold],
    ).lastrowid
    assert annotation_id is not None
    end_lease(db, author)
    return annotation_id, is_gold


def _aside(title: Title, action: Literal["skip", "flag"], reason: str, author: str) -> Decision:
    return Decision(
        author=author,
        action=action,
        status="skipped" if action == "skip" else "flagged",
        chain=title.chain,
        note=reason,
        proposal=title.category or title.proposal,
        rank=title.rank,
    )


def _seen_title(db: Store, title_id: int, seen_revision: int) -> Title:
    title = get_title(db, title_id)
    require_seen(title, seen_revision)
    if title.status == "trashed":
        raise InputError(
            say(f"标题“{title.text}”在回收站里。", f"The title “{title.text}” is in the trash."),
            remedy=say("请审核员先在“标题”页恢复它。", "A reviewer can restore it on the Titles page."),
        )
    return title


def undo(db: Store, *, author: str) -> Title | None:
    """Take back the author's last label, skip or flag that still stands; None when there is none.

    Repeated, it goes further back. If that answer moved the title on, alone or as the
    last of several, the title returns to the state it had before.

    Raises:
        StalePress: someone else has moved that title on since; nothing is written.
    """
    with writing(db):
        last = db.execute(
            "select id, title_id, decision_id, is_gold from annotations as answer where author = ?"
            " and not exists (select 1 from retractions where annotation_id = answer.id)"
            " order by id desc limit 1",
            [author],
        ).fetchone()
        if last is None:
            return None
        annotation_id, title_id, about_decision, is_gold = last
        title = get_title(db, title_id)
        if not is_gold and title.decision_id != about_decision:
            if _led_to(db, title.decision_id) != about_decision:
                raise stale(title, is_undo=True)
            take_back(db, title, title.decision_id, author=author)
        _retract(db, annotation_id, author)
        return get_title(db, title_id)


def _retract(db: Store, annotation_id: int, author: str) -> None:
    db.execute("insert into retractions (annotation_id, author) values (?, ?)", [annotation_id, author])


def _led_to(db: Store, decision_id: int) -> int | None:
    """Find the decision that counted before that one; None where no answer of a person led to it."""
    by_answer = db.execute(
        "select 1 from decisions where id = ? and annotation_id is not null and action <> 'review'",
        [decision_id],
    ).fetchone()
    return counted_before(db, decision_id) if by_answer else None


def recent(db: Store, *, author: str, limit: int = 10) -> list[OwnAnswer]:
    """List the author's answers that still stand and matter, latest first, one a title."""
    found: dict[int, OwnAnswer] = {}
    rows = db.query(
        "select answer.id as annotation_id, answer.title_id, text, kind, answer.category, revision,"
        " answer.decision_id as about_decision, states.decision_id as counts, is_gold"
        # Cross join: from the author's latest answer backwards, whatever the planner thinks.
        " from annotations as answer cross join states on states.title_id = answer.title_id"
        " cross join titles on titles.id = answer.title_id where answer.author = ?"
        " and not exists (select 1 from retractions where annotation_id = answer.id)"
        " order by answer.id desc limit ?",
        [author, 5 * limit],
    )
    for row in rows:
        about_decision, counts, is_gold = (row.pop(name) for name in ("about_decision", "counts", "is_gold"))
        if row["title_id"] in found or len(found) == limit:
            continue
        if is_gold or about_decision == counts or _led_to(db, counts) == about_decision:
            found[row["title_id"]] = OwnAnswer(**row)
    return list(found.values())
