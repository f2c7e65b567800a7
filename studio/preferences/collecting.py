"""Collect preference pairs from disputes, corrections, drafts and reports of wrong answers.

What is chosen is always the decision that counts today, with its chain: a pair whose winner was
overruled later is none. What is rejected is an answer that somebody or some model gave before, and that a
person passed over. Derived from the append-only history each time; nothing is stored.
"""

from collections.abc import Iterator
from typing import Any

from studio.preferences.pairs import AnswerSide, Kind, PreferencePair
from studio.store import Store

_DECIDED = (
    " join current_titles as now on now.id = {event}.title_id and now.status = 'decided'"
    " join decisions as winner on winner.id = now.decision_id"
)
_NOW = (
    "now.id as title_id, now.text as title, now.category as category, now.chain as chain,"
    " winner.author as decided_by, winner.id as decision_id"
)
_NOT_UNDONE = " not exists (select 1 from decisions as undone where undone.undoes = event.id)"
_BEFORE = (
    " join decisions as prior on prior.id = event.follows"
    " join decisions as counted on counted.id = coalesce(prior.restores, prior.id)"
)

_DISPUTES = f"""select {_NOW}, event.id as event_id, event.author as person, event.note as comment,
        event.at as at, loser.id as annotation_id, loser.category as lost, loser.chain as lost_chain,
        loser.author as lost_by
    from decisions as event {_BEFORE} {_DECIDED.format(event="event")}
    join decisions as asked on asked.id = counted.follows
    join annotations as loser on loser.title_id = event.title_id and loser.kind = 'category'
        and loser.decision_id = coalesce(asked.restores, asked.id) and not loser.is_gold
    where event.action = 'review' and counted.status in ('disputed', 'flagged')
        and loser.category <> now.category and {_NOT_UNDONE}
        and not exists (select 1 from retractions where annotation_id = loser.id)
    order by event.id, loser.id"""

_CORRECTIONS = f"""select {_NOW}, event.id as event_id, event.author as person, event.note as comment,
        event.at as at, counted.id as lost_decision_id, counted.category as lost,
        counted.chain as lost_chain, counted.author as lost_by
    from decisions as event {_BEFORE} {_DECIDED.format(event="event")}
    where event.action in ('review', 'relabel', 'send_back') and counted.status = 'decided'
        and counted.id <> winner.id and {_NOT_UNDONE}
    order by event.id"""

_DRAFTS = f"""select {_NOW}, said.id as event_id, said.author as person, null as comment, said.at as at,
        event.id as draft_id, event.category as lost, event.chain as lost_chain, event.model as lost_by
    from draft_verdicts as said join drafts as event on event.id = said.draft_id
    {_DECIDED.format(event="event")}
    where said.verdict in ('edited', 'rejected')
        and not exists (select 1 from retractions where annotation_id = said.annotation_id)
    order by said.id"""

_REPORTS = f"""select {_NOW}, event.id as event_id, event.author as person, null as comment, event.at as at,
        report.category as lost, report.chain as lost_chain, report.model as lost_by
    from reported_answers as report join decisions as event on event.id = report.decision_id
    {_DECIDED.format(event="event")}
    where report.category is not null and report.category <> now.category and {_NOT_UNDONE}
    order by event.id"""

_QUERIES: dict[Kind, str] = {
    "dispute": _DISPUTES,
    "edit": _CORRECTIONS,
    "draft": _DRAFTS,
    "wrong": _REPORTS,
}
_SOURCES = ("event_id", "decision_id", "annotation_id", "lost_decision_id", "draft_id")


def collect(db: Store) -> list[PreferencePair]:
    """Collect every pair that the history holds, in the order of trust and then of time."""
    return [pair for kind in _QUERIES for pair in _pairs(db, kind)]


def _pairs(db: Store, kind: Kind) -> Iterator[PreferencePair]:
    for row in db.query(_QUERIES[kind]):
        pair = _pair(kind, row)
        # Two chains for one category are a preference only where both are there and somebody edited one.
        if pair.says_something and (pair.confused or pair.form == "chain"):
            yield pair


def _pair(kind: Kind, row: dict[str, Any]) -> PreferencePair:
    return PreferencePair(
        kind=kind,
        title_id=row["title_id"],
        title=row["title"],
        chosen=AnswerSide(category=row["category"], chain=_text(row["chain"]), by=row["decided_by"]),
        rejected=AnswerSide(category=row["lost"], chain=_text(row["lost_chain"]), by=row["lost_by"]),
        person=row["person"],
        at=row["at"],
        comment=row["comment"],
        sources={name: row[name] for name in _SOURCES if row.get(name) is not None},
    )


def _text(chain: str | None) -> str | None:
    return (chain or "").strip() or None
