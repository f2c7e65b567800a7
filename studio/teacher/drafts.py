"""Import drafts into the store, queue them for review, accept or reject them.

A draft is no decision. It waits until a person accepts, edits or rejects it; only the
first two write an annotation, with the chain as the person left it, and only such chains
can be frozen. This module calls no endpoint; `teacher.runs` starts the runs.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from studio.annotation import annotations
from studio.annotation.leases import end_lease
from studio.contract import Drafted, DraftSpec, TitleToDraft
from studio.corpus.titles import Title, get_title
from studio.errors import StalePress, UnreadableFile
from studio.language import say
from studio.runs import get_job
from studio.store import Store, writing
from studio.workspace import Workspace

log = logging.getLogger(__name__)

DraftOutcome = Literal["accepted", "edited", "rejected"]
MANY = 1000
"""Counts on the Label page stop here: a key press must not count a million rows."""
_drafted: TypeAdapter[Drafted] = TypeAdapter(Drafted)


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A chain that a teacher wrote for a title as it was decided in `decision_id`.

    `remarks` are the codes of its chain lint remarks. `endpoint` is the host; `at` is UTC,
    ISO 8601.
    """

    id: int
    title_id: int
    decision_id: int
    category: str
    chain: str
    model: str
    endpoint: str
    run_id: str
    remarks: tuple[str, ...]
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftOutcomes:
    """Counts of a run's drafts by outcome; `waiting` leaves out those whose title was decided anew."""

    drafts: int
    accepted: int
    edited: int
    rejected: int
    waiting: int


def take_in(db: Store, workspace: Workspace) -> int:
    """Import what draft runs have written since the last time, unfinished runs too.

    Idempotent: repeated, it imports nothing twice. Returns how many drafts are new. A line
    whose title or decision the store does not have (an older backup, another workspace) is
    skipped.
    """
    return sum(
        _import_run(db, workspace, path.parent.name)
        for path in sorted(workspace.runs.glob("*-draft*/drafts.jsonl"))
    )


def _import_run(db: Store, workspace: Workspace, run_id: str) -> int:
    path = workspace.runs / run_id / "drafts.jsonl"
    if path.stat().st_size <= _offset(db, run_id):
        return 0
    try:
        spec = get_job(workspace, run_id).spec
    except UnreadableFile as error:
        log.warning("%s", error)
        return 0
    assert isinstance(spec, DraftSpec), spec.kind
    with writing(db):
        # Read again under the write lock: two pages may be at it at once.
        offset = _offset(db, run_id)
        with path.open("rb") as file:
            file.seek(offset)
            lines = file.read().rpartition(b"\n")[0]
        if not lines:
            return 0
        new = sum(_insert(db, drafted, spec, run_id) for drafted in _read(lines, run_id))
        db.execute(
            "insert into draft_intakes values (?, ?) on conflict do update set bytes = excluded.bytes",
            [run_id, offset + len(lines) + 1],
        )
    return new


def _offset(db: Store, run_id: str) -> int:
    """Return the byte offset in drafts.jsonl up to which the run was imported."""
    row = db.execute("select bytes from draft_intakes where run_id = ?", [run_id]).fetchone()
    return int(row[0]) if row else 0


def _read(lines: bytes, run_id: str) -> list[Drafted]:
    found = []
    for line in lines.split(b"\n"):
        try:
            found.append(_drafted.validate_json(line))
        except ValidationError:
            log.warning("%s: a line of drafts.jsonl is not readable and left out", run_id)
    return found


def _insert(db: Store, drafted: Drafted, spec: DraftSpec, run_id: str) -> int:
    if not drafted.chain:
        return 0
    return db.execute(
        "insert into drafts (title_id, decision_id, category, chain, model, endpoint, run_id, remarks)"
        " select titles.id, decisions.id, ?, ?, ?, ?, ?, ? from titles"
        " join decisions on decisions.title_id = titles.id and decisions.id = ?"
        " where titles.id = ? and titles.text = ? on conflict do nothing",
        [
            drafted.category,
            drafted.chain,
            spec.model,
            urlsplit(spec.base_url).netloc,
            run_id,
            json.dumps(drafted.remarks),
            drafted.decision_id,
            drafted.title_id,
            drafted.title,
        ],
    ).rowcount


def titles_without_chain(db: Store, *, limit: int) -> list[TitleToDraft]:
    """List labelled titles that have neither a chain nor a waiting draft, in import order."""
    rows = db.query(
        "select states.title_id, states.decision_id, titles.text as title, states.category"
        " from states indexed by states_without_chain join titles on titles.id = states.title_id"
        " where states.status = 'decided' and not states.has_chain"
        " and not exists (select 1 from pending_drafts where pending_drafts.title_id = states.title_id)"
        " order by states.title_id limit ?",
        [limit],
    )
    return [TitleToDraft(**row) for row in rows]


def count_without_chain(db: Store) -> int:
    """Count the labelled titles that have neither a chain nor a waiting draft."""
    without_chain = db.execute(
        "select count(*) from states indexed by states_without_chain"
        " where status = 'decided' and not has_chain"
    ).fetchone()[0]
    return int(without_chain - db.execute("select count(*) from pending_drafts").fetchone()[0])


def count_pending(db: Store) -> int:
    """Count the drafts that wait for a person, up to `MANY`."""
    rows = db.execute("select count(*) from (select 1 from pending_drafts limit ?)", [MANY])
    return int(rows.fetchone()[0])


def pending_draft(db: Store, title_id: int) -> Draft | None:
    """Find the draft of a title that waits for a person; None without one."""
    return _one(
        db,
        "select drafts.* from pending_drafts join drafts on drafts.id = draft_id"
        " where pending_drafts.title_id = ?",
        [title_id],
    )


def next_pending(db: Store, *, author: str, now: str) -> Title | None:
    """Find the first title whose draft waits and which nobody else has leased.

    Args:
        db: the store.
        author: the person asking; their own lease does not count.
        now: UTC, ISO 8601; leases that expired before do not count.
    """
    row = db.execute(
        "select title_id from pending_drafts where not exists (select 1 from leases"
        " where leases.title_id = pending_drafts.title_id and author <> ? and expires_at > ?)"
        " order by title_id limit 1",
        [author, now],
    ).fetchone()
    return None if row is None else get_title(db, row[0])


def accept(
    db: Store,
    draft_id: int,
    *,
    category: str,
    chain: str,
    author: str,
    seen_revision: int,
    active_seconds: float | None = None,
) -> Title:
    """Annotate the title with the draft as it is or as edited, and record which it was.

    Raises:
        StalePress: the title was decided anew, or the draft was reviewed before; nothing is written.
    """
    with writing(db):
        draft = _waiting(db, draft_id)
        title = annotations.annotate(
            db,
            draft.title_id,
            category=category,
            chain=chain,
            author=author,
            seen_revision=seen_revision,
            active_seconds=active_seconds,
        )
        annotation_id = db.execute(
            "select max(id) from annotations where author = ? and title_id = ?", [author, draft.title_id]
        ).fetchone()[0]
        unchanged = chain.strip() == draft.chain and category == draft.category
        _record_outcome(db, draft_id, author, "accepted" if unchanged else "edited", annotation_id)
        return title


def reject(db: Store, draft_id: int, *, author: str) -> None:
    """Reject the draft; the title still lacks its chain.

    Raises:
        StalePress: the draft was reviewed before, or its title was decided anew; nothing is written.
    """
    with writing(db):
        _waiting(db, draft_id)
        _record_outcome(db, draft_id, author, "rejected", None)
        end_lease(db, author)


def _record_outcome(
    db: Store, draft_id: int, author: str, outcome: DraftOutcome, annotation_id: int | None
) -> None:
    db.execute(
        "insert into draft_verdicts (draft_id, author, verdict, annotation_id) values (?, ?, ?, ?)",
        [draft_id, author, outcome, annotation_id],
    )


def _waiting(db: Store, draft_id: int) -> Draft:
    draft = _one(
        db,
        "select drafts.* from drafts join pending_drafts on pending_drafts.draft_id = drafts.id"
        " and pending_drafts.title_id = drafts.title_id where drafts.id = ?",
        [draft_id],
    )
    if draft is None:
        raise StalePress(
            say("这份草稿已有人处理过。", "Somebody has already reviewed this draft."),
            remedy=say("请看下一份。", "Go on with the next one."),
        )
    return draft


def draft_outcomes(db: Store, run_id: str) -> DraftOutcomes:
    """Count the drafts of a run by outcome; a retracted acceptance does not count."""
    drafts = db.execute("select count(*) from drafts where run_id = ?", [run_id]).fetchone()[0]
    by_outcome = dict(
        db.execute(
            "select verdict, count(distinct draft_id) from draft_verdicts as outcomes"
            " join drafts on drafts.id = outcomes.draft_id where run_id = ?"
            " and not exists (select 1 from retractions where annotation_id = outcomes.annotation_id)"
            " group by verdict",
            [run_id],
        ).fetchall()
    )
    waiting = db.execute(
        "select count(*) from drafts join pending_drafts on draft_id = drafts.id where run_id = ?", [run_id]
    ).fetchone()[0]
    counts = {name: by_outcome.get(name, 0) for name in ("accepted", "edited", "rejected")}
    return DraftOutcomes(drafts=drafts, waiting=waiting, **counts)


def _one(db: Store, query: str, values: Sequence[Any]) -> Draft | None:
    row = next(db.query(query, values), None)
    return None if row is None else Draft(**{**row, "remarks": tuple(json.loads(row["remarks"]))})
