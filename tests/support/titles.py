"""Queries on titles that only tests need: the whole queue, and a title's near-duplicate group."""

from studio.corpus.titles import Title, get_title
from studio.store import Store


def near_group(db: Store, title_id: int) -> list[int]:
    """Query the near-duplicate group of a title, itself included; empty when there is none."""
    ids = db.execute(
        "select title_id from near_groups where group_id ="
        " (select group_id from near_groups where title_id = ?) order by title_id",
        [title_id],
    )
    return [near_id for (near_id,) in ids.fetchall()]


def next_waiting(db: Store, after: int | None = None, limit: int = 1) -> list[Title]:
    """Query the head of the label queue, for anybody: sent back first, then by position.

    `after` is a title, waiting or not: the queue behind it.
    """
    behind = (-1, -1, -1)
    if after is not None:
        behind = (
            db.execute("select rank, place, title_id from states where title_id = ?", [after]).fetchone()
            or behind
        )
    ids = db.execute(
        "select title_id from states where status = 'waiting' and (rank, place, title_id) > (?, ?, ?)"
        " order by rank, place, title_id limit ?",
        [*behind, limit],
    )
    return [get_title(db, title_id) for (title_id,) in ids.fetchall()]
