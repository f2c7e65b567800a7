"""Put titles back into the label queue: sent back by somebody, or wrong in the classifier.

They go to the head of the queue, with what was decided as proposal and draft.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from studio.corpus import near_duplicates
from studio.corpus.titles import (
    SENT_BACK,
    Decision,
    Title,
    add_title,
    append_decision,
    counted_before,
    get_title,
    stale,
    take_back,
)
from studio.messages import message, stored
from studio.samples.title_text import clean_title, title_key
from studio.store import Store, writing
from studio.team.rights import require_right

WRONG = stored(message("source_wrong"))
"""Source of titles that the classifier got wrong and the workspace did not have."""
LONGEST_NOTE = 500


def send_back(
    db: Store, title_ids: Iterable[int], *, reason: str, author: str, addressee: str | None = None
) -> int:
    """Let titles wait again, at the head of the queue of everyone or one person; return how many moved.

    Decided, disputed, flagged and skipped titles move. Their category stays as the
    proposal, their chain as the draft.
    """
    require_right("send_back", db, author)
    moved = 0
    with writing(db):
        for title_id in dict.fromkeys(title_ids):
            title = get_title(db, title_id)
            if title.status in ("waiting", "trashed"):
                continue
            decision = replace(_waiting_again(title, "send_back", reason, author), addressee=addressee)
            _ask_one(db, title_id, decision, follows=title.revision)
            moved += 1
    return moved


def put_first(db: Store, title_ids: Iterable[int], *, reason: str, author: str) -> int:
    """Move waiting titles to the head of the queue, with the reason; return how many moved."""
    require_right("send_back", db, author)
    moved = 0
    with writing(db):
        for title_id in dict.fromkeys(title_ids):
            title = get_title(db, title_id)
            if title.status == "waiting" and title.rank != SENT_BACK:
                decision = _waiting_again(title, "send_back", reason, author)
                append_decision(db, title_id, decision, follows=title.revision)
                moved += 1
    return moved


def _ask_one(db: Store, title_id: int, decision: Decision, *, follows: int) -> None:
    """Requeue a title for one person, however many were asked at first."""
    append_decision(db, title_id, decision, follows=follows)
    db.execute("update states set wanted = 1 where title_id = ?", [title_id])


@dataclass(frozen=True, kw_only=True, slots=True)
class WrongReport:
    """A report that the classifier got a title wrong, and what takes it back.

    `revision` is the title's after it, `wanted` the number of people who were asked before it.
    """

    title: Title
    revision: int
    wanted: int


def add_wrong(
    db: Store,
    text: str,
    predicted: str | None,
    author: str,
    *,
    category: str | None = None,
    note: str = "",
    chain: str | None = None,
    model: str = "",
) -> WrongReport:
    """Queue a title that the classifier got wrong; a new title is taken in first.

    The note of the title tells what the model said; that answer is no proposal. The whole answer is kept, so
    that it can be held against the right one.

    Args:
        db: the store.
        text: the title.
        predicted: what the model answered; None where that could not be parsed.
        author: who reports it.
        category: the right one, where the author knows it; it becomes the proposal.
        note: what else the author has to say.
        chain: the model's think chain, if it wrote one.
        model: the name of the model.
    """
    require_right("send_back", db, author)
    reason = _why_wrong(predicted, category, " ".join(note.split())[:LONGEST_NOTE], author)
    with writing(db):
        title_id, is_new = _find_or_add(db, text, author)
        row = db.execute("select revision, wanted from states where title_id = ?", [title_id]).fetchone()
        if row is None:
            decision = Decision(
                author=author,
                action="wrong",
                status="waiting",
                note=reason,
                proposal=category,
                rank=SENT_BACK,
            )
            append_decision(db, title_id, decision, follows=None)
            _record_report(db, title_id, model, predicted, chain)
        else:
            title = get_title(db, title_id)
            if title.status != "trashed" or _is_withdrawn(db, title):
                waiting = _waiting_again(title, "wrong", reason, author)
                decision = replace(waiting, proposal=category or waiting.proposal)
                _ask_one(db, title_id, decision, follows=title.revision)
                _record_report(db, title_id, model, predicted, chain)
    if is_new:  # beside the lock: the search takes a second among a million titles
        near_duplicates.group_new(db, [title_id])
    title = get_title(db, title_id)
    return WrongReport(title=title, revision=title.revision, wanted=row[1] if row else title.wanted)


def undo_wrong(db: Store, report: WrongReport, *, author: str) -> Title:
    """Take a report back: the title stands where it stood; one that only the report brought is withdrawn.

    Raises:
        StalePress: the title has moved on since.
        NotAllowed: the author may not send titles back.
    """
    require_right("send_back", db, author)
    with writing(db):
        title = get_title(db, report.title.id)
        if title.revision != report.revision or _action(db, title) != "wrong":
            raise stale(title, is_undo=True)
        if counted_before(db, title.revision) is None:
            gone = stored(message("report_undone", author=author))
            decision = Decision(author=author, action="withdraw", status="trashed", note=gone)
            append_decision(db, title.id, decision, follows=title.revision)
        else:
            take_back(db, title, title.revision, author=author)
        db.execute("update states set wanted = ? where title_id = ?", [report.wanted, title.id])
        return get_title(db, title.id)


def _why_wrong(predicted: str | None, category: str | None, note: str, author: str) -> str:
    """Build the stored reason: what the model said, what it should have said, what was noted."""
    said: dict[str, str] = {"author": author}
    if predicted:
        said["label"] = predicted
    if category:
        said["category"] = category
    code = f"model_{'answered' if predicted else 'unparsed'}{'_instead' if category else ''}"
    notes = [message("report_note", text=note)] if note else []
    return stored(message(code, **said), *notes)


def _is_withdrawn(db: Store, title: Title) -> bool:
    """Return whether a title in the trash is there because what brought it was taken back."""
    return _action(db, title) == "withdraw"


def _action(db: Store, title: Title) -> str:
    found = db.execute("select action from decisions where id = ?", [title.decision_id]).fetchone()
    return str(found[0])


def _record_report(db: Store, title_id: int, model: str, category: str | None, chain: str | None) -> None:
    """Record the reported answer beside the decision that it led to, the title's newest."""
    db.execute(
        "insert into reported_answers (decision_id, model, category, chain)"
        " select revision, ?, ?, ? from states where title_id = ?",
        [model, category, chain, title_id],
    )


def _find_or_add(db: Store, text: str, author: str) -> tuple[int, bool]:
    found = db.execute("select id from titles where key = ?", [title_key(text)]).fetchone()
    if found is not None:
        return int(found[0]), False
    batch = db.execute("insert into batches (source, author) values (?, ?)", [WRONG, author]).lastrowid
    assert batch is not None
    title_id = add_title(db, clean_title(text), source=WRONG, batch_id=batch)
    near_duplicates.sign(db, [title_id], [title_key(text)])
    return title_id, True


def _waiting_again(title: Title, action: Literal["send_back", "wrong"], reason: str, author: str) -> Decision:
    return Decision(
        author=author,
        action=action,
        status="waiting",
        chain=title.chain,
        note=reason,
        proposal=title.category or title.proposal,
        rank=SENT_BACK,
    )
