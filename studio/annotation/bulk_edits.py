"""Relabel, trash, restore or tag many titles at once, and undo it as one.

A step names what was on screen: each title with the revision that was seen. What has
moved on since is passed over and counted, when a step is made and when it is undone.
Tags are no decisions and move nothing, so that a press on a tagged title still counts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from studio.corpus.titles import Decision, Title, append_decision, counted_before, get_title, take_back
from studio.errors import InputError
from studio.language import say
from studio.store import Store, writing
from studio.team.rights import require_right

StepAction = Literal["relabel", "trash", "restore", "tag", "untag", "undo"]
LONGEST_TAG = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class EditOutcome:
    """Outcome of a bulk edit: titles it moved and left alone. `step_id` is None if it moved none."""

    step_id: int | None
    moved: int
    passed_over: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkEdit:
    """A step that was made: `note` is its category or tag, `titles` how many it moved."""

    id: int
    author: str
    action: StepAction
    note: str | None
    at: str
    titles: int
    is_undone: bool


def relabel(db: Store, seen: Mapping[int, int], *, category: str, author: str) -> EditOutcome:
    """Decide that titles are of a category; a chain stays if it argues for that one already.

    Args:
        seen: the revision of each title that was on screen.

    Raises:
        NotAllowed: the author is no reviewer; so for every step.
    """

    def move(title: Title, step_id: int) -> bool:
        if title.status == "trashed" or (title.status == "decided" and title.category == category):
            return False
        argued = title.category or title.proposal
        decision = Decision(
            author=author,
            action="relabel",
            status="decided",
            category=category,
            chain=title.chain if category == argued else None,
            step_id=step_id,
        )
        append_decision(db, title.id, decision, follows=title.revision)
        return True

    return _step(db, seen, move, action="relabel", note=category, author=author)


def trash(db: Store, seen: Mapping[int, int], *, author: str) -> EditOutcome:
    """Move titles to the trash: into no queue and no dataset version, until they are restored."""

    def move(title: Title, step_id: int) -> bool:
        if title.status == "trashed":
            return False
        decision = Decision(
            author=author,
            action="trash",
            status="trashed",
            chain=title.chain,
            proposal=title.category or title.proposal,
            rank=title.rank,
            step_id=step_id,
        )
        append_decision(db, title.id, decision, follows=title.revision)
        return True

    return _step(db, seen, move, action="trash", note=None, author=author)


def take_from_trash(db: Store, seen: Mapping[int, int], *, author: str) -> EditOutcome:
    """Let trashed titles stand as they stood before."""

    def move(title: Title, step_id: int) -> bool:
        if title.status != "trashed":
            return False
        before = counted_before(db, title.decision_id)
        if before is None:
            return False
        restored = Decision(author=author, action="restore", restores=before, step_id=step_id)
        append_decision(db, title.id, restored, follows=title.revision)
        return True

    return _step(db, seen, move, action="restore", note=None, author=author)


def tag(db: Store, title_ids: Iterable[int], tag: str, *, author: str) -> EditOutcome:
    """Put a tag on titles.

    Raises:
        InputError: the tag is empty or too long for a list.
    """
    return _tag(db, title_ids, _clean_tag(tag), author, is_on=True)


def untag(db: Store, title_ids: Iterable[int], tag: str, *, author: str) -> EditOutcome:
    """Take a tag off titles."""
    return _tag(db, title_ids, _clean_tag(tag), author, is_on=False)


def undo_edit(db: Store, step_id: int, *, author: str) -> EditOutcome:
    """Take a step back, once; titles that moved on since keep their newer state and are counted.

    Raises:
        InputError: there is no such step, or it is an undo, or it was undone before.
    """
    require_right("edit_many", db, author)
    with writing(db):
        _require_undoable(db, step_id)
        by_step = _new_step(db, "undo", str(step_id), author)
        db.execute("insert into undone_steps (step_id, by_step) values (?, ?)", [step_id, by_step])
        rows = db.execute(
            "select id, title_id, restores is null from decisions where step_id = ? order by id", [step_id]
        ).fetchall()
        moved = 0
        for decision_id, title_id, has_state in rows:
            title = get_title(db, title_id)
            # A restore has no state of its own: it is the last move, or it is history.
            if decision_id == (title.decision_id if has_state else title.revision):
                take_back(db, title, decision_id, author=author, step_id=by_step)
                moved += 1
        tags = db.execute(
            "select title_id, tag, is_on from tag_events as done where step_id = ?"
            " and id = (select max(id) from tag_events where title_id = done.title_id and tag = done.tag)",
            [step_id],
        ).fetchall()
        all_tags = db.execute("select count(*) from tag_events where step_id = ?", [step_id]).fetchone()[0]
        for title_id, name, is_on in tags:
            _set_tag(db, title_id, name, author, by_step, is_on=not is_on)
        moved += len(tags)
        return EditOutcome(step_id=by_step, moved=moved, passed_over=len(rows) + all_tags - moved)


def _require_undoable(db: Store, step_id: int) -> None:
    row = db.execute(
        "select action, exists (select 1 from undone_steps where step_id = steps.id) from steps where id = ?",
        [step_id],
    ).fetchone()
    if row is None or row[0] == "undo" or row[1]:
        raise InputError(
            say("这次修改不能撤销，或已经撤销过。", "This edit cannot be undone, or already was."),
            remedy=say("请刷新页面查看最近的批量修改。", "Reload the page to see the recent bulk edits."),
        )


def recent_edits(db: Store, limit: int = 10) -> list[BulkEdit]:
    """List the latest bulk edits, undoing ones left out, latest first."""
    rows = db.query(
        "select * from (select id, author, action, note, at,"
        " (select count(*) from decisions where step_id = steps.id)"
        " + (select count(*) from tag_events where step_id = steps.id) as titles,"
        " exists (select 1 from undone_steps where step_id = steps.id) as is_undone"
        " from steps where action <> 'undo' order by id desc) where titles limit ?",
        [limit],
    )
    return [BulkEdit(**{**row, "is_undone": bool(row["is_undone"])}) for row in rows]


def tags_of(db: Store, title_id: int) -> list[str]:
    """List the tags of a title, in alphabetical order."""
    rows = db.execute("select tag from title_tags where title_id = ? order by tag", [title_id])
    return [name for (name,) in rows.fetchall()]


def list_tags(db: Store) -> list[str]:
    """Every tag that some title has; a lookup a tag, however many titles have it."""
    rows = db.execute(
        "with recursive names (name) as (select min(tag) from title_tags union all"
        " select (select min(tag) from title_tags where tag > name) from names where name is not null)"
        " select name from names where name is not null"
    )
    return [name for (name,) in rows.fetchall()]


def _step(
    db: Store,
    seen: Mapping[int, int],
    move: Callable[[Title, int], bool],
    *,
    action: StepAction,
    note: str | None,
    author: str,
) -> EditOutcome:
    """Move each title that is still as it was seen; all of them or, on an error, none."""
    require_right("edit_many", db, author)
    with writing(db):
        step_id = _new_step(db, action, note, author)
        moved = 0
        for title_id, revision in seen.items():
            title = get_title(db, title_id)
            moved += title.revision == revision and move(title, step_id)
        return _outcome(step_id, moved, len(seen))


def _outcome(step_id: int, moved: int, asked: int) -> EditOutcome:
    return EditOutcome(step_id=step_id if moved else None, moved=moved, passed_over=asked - moved)


def _new_step(db: Store, action: StepAction, note: str | None, author: str) -> int:
    step_id = db.execute(
        "insert into steps (author, action, note) values (?, ?, ?)", [author, action, note]
    ).lastrowid
    assert step_id is not None
    return step_id


def _tag(db: Store, title_ids: Iterable[int], name: str, author: str, *, is_on: bool) -> EditOutcome:
    require_right("edit_many", db, author)
    with writing(db):
        asked = list(dict.fromkeys(title_ids))
        step_id = _new_step(db, "tag" if is_on else "untag", name, author)
        moved = 0
        for title_id in asked:
            if (name in tags_of(db, title_id)) != is_on:
                _set_tag(db, title_id, name, author, step_id, is_on=is_on)
                moved += 1
        return _outcome(step_id, moved, len(asked))


def _set_tag(db: Store, title_id: int, name: str, author: str, step_id: int, *, is_on: bool) -> None:
    db.execute(
        "insert into tag_events (title_id, tag, is_on, author, step_id) values (?, ?, ?, ?, ?)",
        [title_id, name, is_on, author, step_id],
    )


def _clean_tag(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_TAG:
        raise InputError(
            say(f"“{name[:20]}”不能作标记。", f"“{name[:20]}” cannot be a tag."),
            remedy=say(f"请用 1 到 {LONGEST_TAG} 个字。", f"Use 1 to {LONGEST_TAG} characters."),
        )
    return name
