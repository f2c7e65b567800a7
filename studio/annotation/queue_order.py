"""Order the label queue, and set how many people are asked for each title.

Both stand in `states` as plain numbers, `place` and `wanted`, so that the next title is
an index lookup. Which titles teach most is `studio.suggestions.classifier`'s question; this module
only writes the answer down.
"""

from collections.abc import Sequence

from studio.store import Store, writing
from studio.team.settings import LabelSettings, load_settings, save_settings

PORTION = 20_000
"""Titles that are placed under one lock, a fraction of a second; others label between two portions."""

LAST = 1 << 40
"""Behind every title that the active order has placed."""

# Odd multipliers modulo a power of two: every title gets a place of its own, without a pattern.
_SCRAMBLED = "((title_id * 2654435761 + 97) & 4294967295)"
_DRAWN = "((title_id * 1597334677 + 12345) & 1048575) / 1048576.0"
UNANSWERED = (
    "not exists (select 1 from annotations as answer where answer.title_id = states.title_id"
    " and answer.decision_id = states.decision_id and answer.kind = 'category'"
    " and not exists (select 1 from retractions where annotation_id = answer.id))"
)
"""A condition on `states`: nobody's category stands for the decision that counts."""


def change_settings(db: Store, settings: LabelSettings, *, author: str) -> None:
    """Save the settings and let waiting titles follow them; who has answered already stays asked."""
    before = load_settings(db)
    save_settings(db, settings, author=author)
    queue = {"order", "overlap_share", "overlap_people"}
    if before.model_dump(include=queue) != settings.model_dump(include=queue):
        arrange(db, settings)


def arrange(db: Store, settings: LabelSettings, *, from_id: int = 0) -> None:
    """Place the waiting titles from `from_id` on, and draw which of them several people label.

    In active order they come last until the model has placed them.
    """
    if from_id and settings.order == "import" and not settings.overlap_share:
        return  # as every new title stands anyway
    place = {"import": "title_id", "random": _SCRAMBLED, "active": f"{LAST} + {_SCRAMBLED}"}[settings.order]
    wanted = f"case when {_DRAWN} < :share then :people else 1 end"
    last = db.execute("select coalesce(max(title_id), 0) from states").fetchone()[0]
    for start in range(from_id, last + 1, PORTION):
        with writing(db):
            db.execute(
                f"update states set place = {place},"
                f" wanted = case when {UNANSWERED} then {wanted} else wanted end"
                " where title_id >= :start and title_id < :end and status = 'waiting'",
                {
                    "share": settings.overlap_share,
                    "people": settings.overlap_people,
                    "start": start,
                    "end": start + PORTION,
                },
            )


def place_in_order(db: Store, title_ids: Sequence[int]) -> int:
    """Active order: let waiting titles come in this order, before every other; return how many.

    What was in front before goes back among the others, but for titles that somebody has
    answered and another still is to answer: they come first of all. Everybody starts from
    the head again. Nothing happens when another order was set meanwhile.
    """
    with writing(db):
        if load_settings(db).order != "active":
            return 0
        begun = db.execute(
            "select title_id from states where status = 'waiting' and rank = 1 and place < ?"
            f" and not {UNANSWERED} order by place",
            [LAST],
        ).fetchall()
        db.execute(
            f"update states set place = {LAST} + {_SCRAMBLED}"
            " where status = 'waiting' and rank = 1 and place < ?",
            [LAST],
        )
        front = list(dict.fromkeys([*(title_id for (title_id,) in begun), *title_ids]))
        placed = db.conn.executemany(
            "update states set place = ? where title_id = ? and status = 'waiting'", list(enumerate(front))
        ).rowcount
        db.execute("update leases set place = -1")
    return placed - len(begun)
