"""Correct the text of a title: the corrected one takes its place, and the old one goes to the trash.

A title's text never changes, since answers, versions and evaluations are about exactly that text. So a
corrected text is a title of its own, which takes over where the old one stood: its category and chain,
or what was proposed for it.
"""

from studio.corpus.titles import (
    Decision,
    Title,
    add_title,
    append_decision,
    find_title,
    get_title,
    require_seen,
)
from studio.errors import InputError
from studio.language import say
from studio.messages import message, stored
from studio.samples.title_text import clean_title, title_key
from studio.store import Store, writing
from studio.team.rights import require_right

LONGEST = 500


def reword(db: Store, title_id: int, text: str, *, author: str, seen_revision: int) -> Title:
    """Replace a title by one with a corrected text, and return that.

    Args:
        db: store that has the title.
        title_id: the title with the wrong text.
        text: how it should read.
        author: who corrects it.
        seen_revision: the revision that was on screen.

    Raises:
        NotAllowed: the author is no reviewer.
        InputError: there is no text, or a title of that text exists.
        StalePress: the title has moved on since.
    """
    require_right("edit_many", db, author)
    cleaned = clean_title(text)
    with writing(db):
        title = get_title(db, title_id)
        require_seen(title, seen_revision)
        _require_new(db, title, cleaned)
        new_id = add_title(db, cleaned, source=title.source, batch_id=title.batch_id, split=title.split)
        is_decided = title.status == "decided"
        taken_over = Decision(
            author=author,
            action="import",
            status="decided" if is_decided else "waiting",
            category=title.category,
            chain=title.chain,
            proposal=None if is_decided else title.proposal,
            rank=title.rank,
            note=_note("reworded_from", title.id),
        )
        append_decision(db, new_id, taken_over, follows=None)
        replaced = Decision(
            author=author,
            action="trash",
            status="trashed",
            chain=title.chain,
            proposal=title.category or title.proposal,
            rank=title.rank,
            note=_note("reworded_to", new_id),
        )
        append_decision(db, title.id, replaced, follows=title.revision)
    return get_title(db, new_id)


def _note(code: str, number: int) -> str:
    return stored(message(code, number=number))


def _require_new(db: Store, title: Title, text: str) -> None:
    if not title_key(text) or len(text) > LONGEST:
        raise InputError(
            say("这不能作标题。", "This cannot be a title."),
            remedy=say(f"请输入 1 到 {LONGEST} 个字。", f"Type 1 to {LONGEST} characters."),
        )
    same = find_title(db, text)
    if same is None:
        return
    if same.id == title.id:
        raise InputError(
            say(
                "只改了标点、空格、大小写或全半角，标题算同一条。",
                "Only punctuation, spaces, case or width changed: it counts as the same title.",
            ),
            remedy=say("要改的是别的字，请改后再保存。", "Change a word as well, or leave it as it is."),
        )
    raise InputError(
        say(f"第 {same.id} 条已经是这个标题。", f"No. {same.id} is that title already."),
        remedy=say(
            "请把这一条移入回收站，或打开那一条。", "Move this one to the trash, or open the other one."
        ),
    )
