"""Keep the conversations of each person: listed, saved, renamed, deleted for good."""

import logging
from dataclasses import dataclass

from pydantic import ValidationError

from studio.chats.conversation import LONGEST_NAME, Conversation
from studio.errors import InputError, StalePress
from studio.language import say
from studio.store import Store, writing

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A conversation that is kept: its number, its name ("" for none), its owner, how often it was saved."""

    id: int
    owner: str
    name: str
    revision: int
    changed_at: str
    conversation: Conversation

    @property
    def label(self) -> str:
        """Its name, else the beginning of the first question; "" for an empty one."""
        return self.name or " ".join(self.conversation.first_question.split())[:40]


def list_conversations(db: Store, owner: str) -> list[Kept]:
    """List somebody's conversations, the last changed first; one that cannot be read is left out."""
    rows = db.execute(
        "select id, owner, name, revision, changed_at, document from conversations"
        " where owner = ? order by changed_at desc, id desc",
        [owner],
    ).fetchall()
    return [kept for row in rows if (kept := _read(row)) is not None]


def get_conversation(db: Store, number: int, owner: str) -> Kept:
    """Return one of somebody's conversations.

    Raises:
        InputError: it was deleted, is another person's, or cannot be read.
    """
    row = db.execute(
        "select id, owner, name, revision, changed_at, document from conversations"
        " where id = ? and owner = ?",
        [number, owner],
    ).fetchone()
    kept = _read(row) if row else None
    if kept is None:
        raise InputError(
            say(f"没有编号 {number} 的对话。", f"There is no conversation No. {number}."),
            remedy=say("请选另一个，或新建一个。", "Choose another one, or begin a new one."),
        )
    return kept


def new_conversation(db: Store, conversation: Conversation, *, owner: str) -> Kept:
    """Keep a new conversation."""
    with writing(db):
        number = db.execute(
            "insert into conversations (owner, document) values (?, ?)",
            [owner, conversation.model_dump_json()],
        ).lastrowid
    assert number is not None
    return get_conversation(db, number, owner)


def save_conversation(db: Store, kept: Kept, conversation: Conversation) -> Kept:
    """Save a conversation over the state that it was read in.

    Raises:
        StalePress: another window saved it meanwhile, or deleted it; nothing is written.
    """
    with writing(db):
        changed = db.execute(
            "update conversations set document = ?, revision = revision + 1,"
            " changed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
            " where id = ? and owner = ? and revision = ?",
            [conversation.model_dump_json(), kept.id, kept.owner, kept.revision],
        ).rowcount
    if not changed:
        raise StalePress(
            say("这个对话在别的窗口里有改动。", "The conversation was changed in another window."),
            remedy=say("请再看一眼，然后重试。", "Have a look, then try again."),
        )
    return get_conversation(db, kept.id, kept.owner)


def rename_conversation(db: Store, kept: Kept, name: str) -> None:
    """Name a conversation; "" names it by its first question again."""
    with writing(db):
        db.execute(
            "update conversations set name = ? where id = ? and owner = ?",
            [" ".join(name.split())[:LONGEST_NAME], kept.id, kept.owner],
        )


def delete_conversation(db: Store, kept: Kept) -> None:
    """Delete a conversation for good."""
    with writing(db):
        db.execute("delete from conversations where id = ? and owner = ?", [kept.id, kept.owner])


def _read(row: tuple[int, str, str, int, str, str]) -> Kept | None:
    number, owner, name, revision, changed_at, document = row
    try:
        conversation = Conversation.model_validate_json(document)
    except ValidationError as error:
        log.warning("conversation %d is left out: %s", number, error)
        return None
    return Kept(
        id=number,
        owner=owner,
        name=name,
        revision=revision,
        changed_at=changed_at,
        conversation=conversation,
    )
