"""Read the history of one title, and restore any state of it.

Reads what `annotations`, `review` and `bulk_edits` of this package wrote; adds the
`restore`, with which any earlier state counts again. Nothing is ever removed by it.
"""

from dataclasses import dataclass
from typing import Any, Literal

from studio.annotation.review import Verdict
from studio.corpus.titles import Action, Decision, Status, Title, append_decision, get_title, require_seen
from studio.errors import InputError
from studio.language import say
from studio.store import Store, writing
from studio.team.rights import require_right


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryEntry:
    """One thing that happened to a title.

    A decision (`decision_id`), or only an answer that moved nothing: the first of
    several, one to a gold title, a skip. `status` and `category` are the state that
    counted from then on; of an undo or a restore that of the decision it brought back.
    `suggestion` was on screen, from `suggestion_source`. `active_seconds` is the time
    the person looked at it, pauses capped. `counts`: this is where the title stands now.
    """

    at: str
    author: str
    action: Action | Literal["answer", "gold", "skip", "flag"]
    decision_id: int | None
    status: Status | None
    category: str | None
    chain: str | None
    note: str | None
    proposal: str | None
    suggestion: str | None
    suggestion_source: str | None
    active_seconds: float | None
    verdict: Verdict | None
    addressee: str | None
    step_id: int | None
    is_taken_back: bool
    counts: bool


_DECISIONS = """
    with recursive line (id) as (
        select id from decisions where title_id = :title_id and follows is null
        union all select decisions.id from decisions join line on decisions.follows = line.id
    )
    select done.at, done.author, done.action, done.id as decision_id, kept.status, kept.category, kept.chain,
           done.note, kept.proposal, answer.suggestion, answer.suggestion_source,
           coalesce(answer.active_seconds, reviews.active_seconds) as active_seconds,
           reviews.verdict, kept.addressee, done.step_id,
           exists (select 1 from decisions as undone where undone.undoes = done.id) as is_taken_back
    from line join decisions as done on done.id = line.id
    join decisions as kept on kept.id = coalesce(done.restores, done.id)
    left join annotations as answer on answer.id = done.annotation_id
    left join reviews on reviews.decision_id = done.id
"""
_ANSWERS = """
    select decision_id as about, at, author, kind, category, chain, reason as note, suggestion,
           suggestion_source, active_seconds, is_gold,
           exists (select 1 from retractions where annotation_id = annotations.id) as is_taken_back
    from annotations where title_id = :title_id
    and id not in (select annotation_id from decisions join json_each(:decisions) on decisions.id = value
                   where annotation_id is not null)
"""


def history(db: Store, title_id: int) -> list[HistoryEntry]:
    """Everything that happened to a title, latest first.

    Raises:
        InputError: there is no such title.
    """
    title = get_title(db, title_id)
    events: list[tuple[str, float, HistoryEntry]] = []
    for row in db.query(_DECISIONS, {"title_id": title_id}):
        row["is_taken_back"] = bool(row["is_taken_back"])
        event = HistoryEntry(**row, counts=row["decision_id"] == title.decision_id)
        events.append((event.at, row["decision_id"], event))
    decisions = str([event.decision_id for _, _, event in events])
    # Within a millisecond: behind the decision that the answer is about, before the next.
    events += [
        (row["at"], row.pop("about") + 0.5, _answer(row))
        for row in db.query(_ANSWERS, {"title_id": title_id, "decisions": decisions})
    ]
    return [event for _, _, event in sorted(events, key=lambda item: item[:2], reverse=True)]


def _answer(row: dict[str, Any]) -> HistoryEntry:
    kind, is_gold = row.pop("kind"), row.pop("is_gold")
    nothing: dict[str, Any] = dict.fromkeys(
        ("decision_id", "status", "proposal", "verdict", "addressee", "step_id")
    )
    return HistoryEntry(
        **row | {"is_taken_back": bool(row["is_taken_back"])},
        **nothing,
        action="gold" if is_gold else "answer" if kind == "category" else kind,
        counts=False,
    )


def restore(db: Store, title_id: int, decision_id: int, *, author: str, seen_revision: int) -> Title:
    """Let an earlier state of a title count again.

    Where that was waiting, the answers that were given to it are taken back: they are
    why it no longer waited, and would keep it from being asked again.

    Raises:
        NotAllowed: the author is no reviewer.
        StalePress: the title has moved on since `seen_revision`; nothing is written.
        InputError: that is no state of this title, or it counts already.
    """
    require_right("restore_decision", db, author)
    with writing(db):
        title = get_title(db, title_id)
        require_seen(title, seen_revision)
        wanted = _state(db, title_id, decision_id)
        if wanted == title.decision_id:
            raise InputError(
                say("标题现在就是这个状态。", "The title is already in that state."),
                remedy=say("请选更早的一条。", "Choose an earlier entry."),
            )
        restored = Decision(author=author, action="restore", restores=wanted)
        append_decision(db, title_id, restored, follows=title.revision)
        if get_title(db, title_id).status == "waiting":
            db.execute(
                "insert into retractions (annotation_id, author) select id, ? from annotations"
                " where title_id = ? and decision_id = ? and not is_gold"
                " and not exists (select 1 from retractions where annotation_id = annotations.id)",
                [author, title_id, wanted],
            )
        return get_title(db, title_id)


def _state(db: Store, title_id: int, decision_id: int) -> int:
    """Find the decision whose state counted from that decision on."""
    row = db.execute(
        "select coalesce(restores, id) from decisions where id = ? and title_id = ?", [decision_id, title_id]
    ).fetchone()
    if row is None:
        raise InputError(
            say("这不是该标题的历史。", "That entry is not in the history of this title."),
            remedy=say("请刷新页面后重选。", "Reload the page and choose again."),
        )
    return int(row[0])
