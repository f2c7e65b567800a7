"""Read titles and their state; append the decisions that change it.

A title's state is its latest decision. `revision` is that decision's id: it changes with
every transition, so that an action names the revision it was based on (optimistic locking).
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Literal, get_args

from studio.errors import InputError, StalePress
from studio.language import say
from studio.samples.title_text import Split, title_key
from studio.store import Store

Status = Literal["waiting", "decided", "skipped", "flagged", "disputed", "trashed"]
STATUSES: tuple[Status, ...] = get_args(Status)
Action = Literal[
    "import",
    "annotate",
    "agree",
    "dispute",
    "skip",
    "flag",
    "send_back",
    "wrong",
    "review",
    "relabel",
    "trash",
    "withdraw",
    "restore",
    "undo",
]

SENT_BACK, IN_QUEUE_ORDER = 0, 1
"""Ranks in the queue of waiting titles: what was sent back comes first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Title:
    """A title and its current state.

    `split` is fixed when the import named one. `category` is decided, `proposal` is
    not: it came with the import or from a model. `note` is the reason why the title waits.
    `chain` of a waiting title is a draft. `author` made the decision that counts,
    `decision_id`; that is the revision itself, but for a title whose last decision was undone.
    `wanted` is the number of people asked for a category; `addressee` is the person who should
    look at it again.
    """

    id: int
    text: str
    split: Split | None
    source: str
    batch_id: int
    status: Status
    category: str | None
    chain: str | None
    revision: int
    note: str | None
    proposal: str | None
    author: str | None
    rank: int
    decision_id: int
    wanted: int
    addressee: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A transition of a title to a new state; append-only."""

    author: str
    action: Action
    status: Status | None = None
    category: str | None = None
    chain: str | None = None
    note: str | None = None
    proposal: str | None = None
    rank: int = IN_QUEUE_ORDER
    annotation_id: int | None = None
    addressee: str | None = None
    step_id: int | None = None
    undoes: int | None = None
    restores: int | None = None


def get_title(db: Store, title_id: int) -> Title:
    """Get a title by its id.

    Raises:
        InputError: no such title.
    """
    row = next(db.query("select * from current_titles where id = ?", [title_id]), None)
    if row is None:
        raise InputError(
            say(f"没有编号为 {title_id} 的标题。", f"There is no title No. {title_id}."),
            remedy=say("请刷新页面后重选。", "Reload the page and choose again."),
        )
    return Title(**row)


def find_title(db: Store, text: str) -> Title | None:
    """Find a title by its text, ignoring case, width, spaces and punctuation."""
    rows = db.query(
        "select current_titles.* from current_titles join titles using (id) where titles.key = ?",
        [title_key(text)],
    )
    return next((Title(**row) for row in rows), None)


def next_without_chain(db: Store) -> Title | None:
    """Find the first decided title, in import order, that has no think chain yet."""
    rows = db.query(
        "select current_titles.* from states indexed by states_without_chain"
        " join current_titles on current_titles.id = states.title_id"
        " where states.status = 'decided' and not states.has_chain order by states.title_id limit 1"
    )
    return next((Title(**row) for row in rows), None)


def count_by_status(db: Store) -> dict[Status, int]:
    """Count titles by status; statuses without a title count 0."""
    counts: dict[Status, int] = dict.fromkeys(STATUSES, 0)
    counts.update(db.execute("select status, sum(titles) from counts group by status").fetchall())
    return counts


def count_without_chain(db: Store) -> int:
    """Count the decided titles that have no think chain."""
    found = db.execute(
        "select count(*) from current_titles where status = 'decided' and coalesce(chain, '') = ''"
    ).fetchone()
    return int(found[0])


def category_counts(db: Store) -> dict[str, int]:
    """Count decided titles per category; categories without a title are absent."""
    return dict(
        db.execute("select category, titles from counts where status = 'decided' and titles > 0").fetchall()
    )


def find_titles(
    db: Store,
    text_like: str = "",
    status: Status | None = None,
    category: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[Title]:
    """Find titles that contain a text, case-insensitively, in import order; filter by status and category."""
    conditions, values = ["true"], []
    for column, value in (("status", status), ("category", category)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if text_like:
        conditions.append("instr(lower(text), lower(?)) > 0")
        values.append(text_like)
    rows = db.query(
        f"select * from current_titles where {' and '.join(conditions)} order by id limit ? offset ?",
        [*values, limit, offset],
    )
    return [Title(**row) for row in rows]


def decided_titles(db: Store) -> list[Title]:
    """List every decided title in import order."""
    rows = db.query("select * from current_titles where status = 'decided' order by id")
    return [Title(**row) for row in rows]


def add_title(db: Store, text: str, *, source: str, batch_id: int, split: Split | None = None) -> int:
    """Insert a title that the store does not have yet, and return its id.

    Inside a `writing` block, and followed by its first decision there: a title
    without a decision has no state.
    """
    cursor = db.execute(
        "insert into titles (text, key, split, source, batch_id) values (?, ?, ?, ?, ?)",
        [text, title_key(text), split, source, batch_id],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def append_decision(db: Store, title_id: int, decision: Decision, *, follows: int | None) -> int:
    """Append one decision as `append_decisions` does, and return its number."""
    append_decisions(db, [(title_id, decision, follows)])
    return int(db.execute("select last_insert_rowid()").fetchone()[0])


def append_decisions(db: Store, moves: Iterable[tuple[int, Decision, int | None]]) -> None:
    """Append decisions, each with its title and the decision that it follows: the one way to move titles on.

    Inside a `writing` block. SQLite refuses a second decision behind the same one.
    """
    db.conn.executemany(
        f"insert into decisions (title_id, follows, {', '.join(_DECIDED)})"
        f" values (?, ?, {', '.join('?' * len(_DECIDED))})",
        ((title_id, follows, *_values(decision)) for title_id, decision, follows in moves),
    )


_DECIDED = tuple(field.name for field in fields(Decision))
_values = attrgetter(*_DECIDED)


def take_back(db: Store, title: Title, decision_id: int, *, author: str, step_id: int | None = None) -> None:
    """Undo a decision of the title: the state before it counts again. Inside a `writing` block."""
    undo = Decision(
        author=author,
        action="undo",
        undoes=decision_id,
        restores=counted_before(db, decision_id),
        step_id=step_id,
    )
    append_decision(db, title.id, undo, follows=title.revision)


def counted_before(db: Store, decision_id: int) -> int | None:
    """Find the decision that counted before that one; None for the first of a title."""
    row = db.execute(
        "select coalesce(before.restores, before.id) from decisions as done"
        " join decisions as before on before.id = done.follows where done.id = ?",
        [decision_id],
    ).fetchone()
    return None if row is None else int(row[0])


def require_seen(title: Title, seen_revision: int) -> None:
    """Refuse a press that was meant for an earlier state of the title.

    Raises:
        StalePress: the title has moved on since.
    """
    if title.revision != seen_revision:
        raise stale(title)


def stale(title: Title, *, is_undo: bool = False) -> StalePress:
    """Make the refusal of a press, or of an undo, that was meant for an earlier state of the title."""
    zh, en = (
        ("不能撤销", "there is nothing to take back") if is_undo else ("这一步没有生效", "nothing was done")
    )
    return StalePress(
        say(
            f"标题“{title.text[:40]}”已有别的改动，{zh}。",
            f"The title “{title.text[:40]}” has been changed since; {en}.",
        ),
        remedy=say("请看清它现在的样子再决定。", "Look at it as it is now and decide again."),
    )
