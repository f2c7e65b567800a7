"""Act on errors: put titles into the label queue by their cause, remember it, and tell later what paid.

An action is about an evaluated title. What it queues may be other titles: the training rows near it, or
waiting titles like it. Whether it paid is read off a later evaluation that answers the same title.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from studio import runs
from studio.annotation.requeue import put_first, send_back
from studio.contract import AnswerMode, Prediction
from studio.corpus.titles import find_title
from studio.errors import StudioError
from studio.evaluation.attribution import CAUSES, Action, Cause
from studio.evaluation.feedback import send_predictions_back
from studio.evaluation.neighbours import TitleIndex, TrainingRow
from studio.evaluation.row_tags import TagFile
from studio.evaluation.tags import FAR
from studio.messages import message, stored
from studio.runs import Run
from studio.samples.scheme import Scheme
from studio.samples.title_text import title_key
from studio.stats import wilson_interval
from studio.store import Store, writing
from studio.team.rights import require_right
from studio.workspace import Workspace

SIMILAR = 3
"""Waiting titles, or training rows, that are queued for one error."""
MOST_WAITING = 50_000
"""Waiting titles among which similar ones are looked for, the next in the queue first."""


@dataclass(frozen=True, kw_only=True)
class Acted:
    """What an action did: how many errors it was about, and how many titles wait now because of it."""

    action: Action
    errors: int
    queued: int


def act(
    db: Store,
    run: Run,
    rows: Sequence[Prediction],
    cause: Cause,
    tags: TagFile,
    *,
    author: str,
    scheme: Scheme,
) -> Acted:
    """Do what a cause calls for about some wrong rows of a run, and remember it.

    Raises:
        NotAllowed: the author may not send titles back.
    """
    require_right("send_back", db, author)
    action, name = CAUSES[cause].action, run.record.label or run.id
    queued = _queue(db, rows, action, tags, name=name, author=author, scheme=scheme)
    with writing(db):
        db.conn.executemany(
            "insert into error_actions"
            " (run_id, answer, title_key, title, label, predicted, cause, action, queued, author)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    run.id,
                    row.answer,
                    title_key(row.title),
                    row.title,
                    row.label,
                    row.predicted,
                    cause,
                    action,
                    json.dumps(queued.get(row.row, [])),
                    author,
                )
                for row in rows
            ],
        )
    return Acted(
        action=action, errors=len(rows), queued=len({title for ids in queued.values() for title in ids})
    )


def _queue(
    db: Store,
    rows: Sequence[Prediction],
    action: Action,
    tags: TagFile,
    *,
    name: str,
    author: str,
    scheme: Scheme,
) -> dict[int, list[int]]:
    """Queue what the action is about; return the ids of the queued titles by row number."""
    if action == "relabel":
        send_predictions_back(db, rows, run_name=name, author=author, scheme=scheme)
        found = {row.row: find_title(db, row.title) for row in rows}
        return {number: [title.id] for number, title in found.items() if title is not None}
    if action == "rewrite_chain":
        chosen = {row.row: _near_training_titles(db, row, tags) for row in rows}
        _send_each(db, rows, chosen, "error_near_training_row", name=name, author=author)
        return chosen
    if action == "add_similar":
        chosen = _similar_waiting(db, rows)
        reasons = {title: row.title for row in rows for title in chosen[row.row]}
        for title, error in reasons.items():
            reason = stored(message("error_similar_title", run=name, title=error))
            put_first(db, [title], reason=reason, author=author)
        return chosen
    return {}


def _send_each(
    db: Store,
    rows: Sequence[Prediction],
    chosen: Mapping[int, Sequence[int]],
    code: str,
    *,
    name: str,
    author: str,
) -> None:
    for row in rows:
        reason = stored(message(code, run=name, title=row.title))
        send_back(db, chosen[row.row], reason=reason, author=author)


def _near_training_titles(db: Store, row: Prediction, tags: TagFile) -> list[int]:
    """Find the titles of the nearest training rows of the two categories that were confused."""
    near = [each for each in tags.nearest.get(row.row, ()) if each.category in (row.label, row.predicted)]
    found = (find_title(db, each.title) for each in near[:SIMILAR])
    return [title.id for title in found if title is not None and title.status == "decided"]


def _similar_waiting(db: Store, rows: Sequence[Prediction]) -> dict[int, list[int]]:
    """Find waiting titles that resemble each of these; each is queued for one of them only."""
    waiting = db.execute(
        "select title_id, text from states join titles on titles.id = states.title_id"
        " where status = 'waiting' order by rank, title_id limit ?",
        [MOST_WAITING],
    ).fetchall()
    index = TitleIndex([TrainingRow(row=title_id, title=text, category="") for title_id, text in waiting])
    taken: set[int] = set()
    found: dict[int, list[int]] = {}
    for row in rows:
        near = [each for each in index.nearest(row.title, 2 * SIMILAR) if each.similarity >= FAR]
        ids = [each.row.row for each in near if each.row.row not in taken][:SIMILAR]
        taken.update(ids)
        found[row.row] = ids
    return found


def acted_on(db: Store, run: Run, answer: AnswerMode) -> set[str]:
    """Return the keys of the titles of an evaluation that something was done about."""
    rows = db.execute(
        "select distinct title_key from error_actions where run_id = ? and answer = ?", [run.id, answer]
    )
    return {key for (key,) in rows}


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """Errors of earlier runs that a later one answered again: how many, and how many of them rightly."""

    errors: int
    right: int

    @property
    def share(self) -> float:
        """Share that is right now."""
        return self.right / self.errors if self.errors else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share."""
        return wilson_interval(self.right, self.errors)


@dataclass(frozen=True, kw_only=True)
class Payoff:
    """What came of the actions of each kind, beside the errors that nothing was done about."""

    by_action: Mapping[Action, Fixed]
    left_alone: Fixed
    relabelled: int

    def gain(self, action: Action) -> tuple[float, tuple[float, float]]:
        """Return the share fixed by an action less that of those left alone, with its 95 % interval.

        Source: Newcombe (1998), interval 10, from the two Wilson intervals.
        """
        one, other = self.by_action[action], self.left_alone
        difference = one.share - other.share
        (low_one, high_one), (low_other, high_other) = one.interval, other.interval
        below = math.hypot(one.share - low_one, high_other - other.share)
        above = math.hypot(high_one - one.share, other.share - low_other)
        return difference, (difference - below, difference + above)


def payoff(
    db: Store, workspace: Workspace, run: Run, rows: Sequence[Prediction], answer: AnswerMode
) -> Payoff | None:
    """Tell which earlier actions paid in this evaluation; None where none is about its titles.

    An action counts where it is older than the run and about another one, and the title is answered again.
    """
    now = {title_key(row.title): row for row in rows}
    moment = run.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    found = db.execute(
        "select run_id, title_key, label, action from error_actions"
        " where answer = ? and run_id <> ? and at < ? order by id",
        [answer, run.id, moment],
    ).fetchall()
    latest = {key: (action, label) for _, key, label, action in found if key in now}
    if not latest:
        return None
    grouped: dict[Action, list[Prediction]] = defaultdict(list)
    for key, (action, _) in latest.items():
        grouped[action].append(now[key])
    sources = dict.fromkeys(run_id for run_id, *_ in found)
    return Payoff(
        by_action={action: _fixed(grouped[action]) for action in grouped},
        left_alone=_fixed(_left_alone(workspace, sources, answer, now, set(latest))),
        relabelled=sum(now[key].label != label for key, (_, label) in latest.items()),
    )


def _left_alone(
    workspace: Workspace,
    sources: Iterable[str],
    answer: AnswerMode,
    now: Mapping[str, Prediction],
    acted: set[str],
) -> list[Prediction]:
    """List the rows of today that were wrong in those runs and that nothing was done about."""
    keys: dict[str, None] = {}
    for run_id in sources:
        try:
            earlier = runs.load_predictions(runs.get_run(workspace, run_id), answer)
        except StudioError:
            continue
        keys |= dict.fromkeys(title_key(row.title) for row in earlier if row.predicted != row.label)
    return [now[key] for key in keys if key in now and key not in acted]


def _fixed(rows: Sequence[Prediction]) -> Fixed:
    return Fixed(errors=len(rows), right=sum(row.predicted == row.label for row in rows))
