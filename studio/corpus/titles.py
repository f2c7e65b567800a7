"""Read titles and their state; append the decisions that change it.

A title's state is its latest decision. `revision` is that decision's id: it changes with
every transition, so that an action names the revision it was based on (optimistic locking).
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from studio.errors import InputError
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
    status: Status
    category: str | None = None
    chain: str | None = None
    note: str | None = None
    proposal: str | None = None
    rank: int = IN_QUEUE_ORDER
    annotation_id: int | None = None
    addressee: str | None = None
    step_id: int | None = None


def get_title(db: Store, title_id: int) -> Title:
    """Get a title by its id.

    Raises:
        InputError: no such title.
    """
    row = next(db.query("select * from current_titles where id = ?", [title_id]), None)
    if row is None:
        raise InputError(
            say(f"没有编号为 {title_id} 的标题。", f"There is no title with number {title_id}."),
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
    """Append a decision to the one it follows, and return its id.

    Inside a `writing` block. SQLite refuses a second decision that follows the same one.
    """
    cursor = db.execute(
        INSERT_DECISION,
        decision_values(title_id, decision, follows),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


INSERT_DECISION = (
    "insert into decisions (title_id, follows, author, action, status, category, chain, note, proposal,"
    " rank, annotation_id, addressee, step_id) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def decision_values(title_id: int, decision: Decision, follows: int | None) -> tuple[Any, ...]:
    """Convert a decision to the values of its row, in the order of INSERT_DECISION."""
    return (
        title_id,
        follows,
        decision.author,
        decision.action,
        decision.status,
        decision.category,
        decision.chain,
        decision.note,
        decision.proposal,
        decision.rank,
        decision.annotation_id,
        decision.addressee,
        decision.step_id,
    )
