"""Keep text that a person typed and has not saved, through a reload and a restart.

The one table of unsaved work; a row goes when the text is saved. This module knows no
page, and never writes history.
"""

from dataclasses import dataclass

from studio.store import Store, writing


@dataclass(frozen=True, kw_only=True, slots=True)
class TypedDraft:
    """What one person typed for one title, and the category they had picked."""

    category: str | None
    text: str


def keep(
    db: Store, *, author: str, title_id: int, seen_revision: int, category: str | None, text: str
) -> None:
    """Keep what stands in the box; it takes the place of what was kept before.

    Nothing when the title has moved on: the last strokes before a save may arrive after it.
    """
    with writing(db):
        db.execute(
            "insert into typed_drafts (author, title_id, category, text)"
            " select ?, title_id, ?, ? from states where title_id = ? and revision = ?"
            " on conflict do update set category = excluded.category, text = excluded.text, at = excluded.at",
            [author, category, text, title_id, seen_revision],
        )


def kept(db: Store, *, author: str, title_id: int) -> TypedDraft | None:
    """Read what this person typed for the title and did not save."""
    row = next(
        db.query(
            "select category, text from typed_drafts where author = ? and title_id = ?", [author, title_id]
        ),
        None,
    )
    return None if row is None else TypedDraft(**row)


def forget(db: Store, *, author: str, title_id: int) -> None:
    """Delete the kept text once it was saved or given up; nothing when there was none."""
    with writing(db):
        db.execute("delete from typed_drafts where author = ? and title_id = ?", [author, title_id])
