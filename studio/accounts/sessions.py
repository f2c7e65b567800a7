"""Begin, find and end sessions: a random token in a cookie, its hash in the store.

A session ends when its owner signs out, here or everywhere, when an admin ends it, when the person is set
inactive, after two weeks without use, and after 90 days in any case.
"""

import hashlib
import secrets
import sqlite3
import time
from dataclasses import dataclass

from studio.store import Store, writing
from studio.team.people import Person, find_person

IDLE_SECONDS = 14 * 86400
LONGEST_SECONDS = 90 * 86400
_SEEN_EVERY_SECONDS = 600
_LONGEST_AGENT = 200


@dataclass(frozen=True, kw_only=True)
class Session:
    """A session of somebody: its id (no secret), when it began and was last used, and from where."""

    id: str
    name: str
    began: float
    seen: float
    address: str
    agent: str


def begin_session(db: Store, name: str, *, address: str, agent: str) -> str:
    """Begin a session and return its token, which is told to nobody else and kept nowhere."""
    token = secrets.token_urlsafe(32)
    now = time.time()
    with writing(db):
        db.execute(
            "delete from sessions where seen < ? or began < ?", [now - IDLE_SECONDS, now - LONGEST_SECONDS]
        )
        db.execute(
            "insert into sessions (id, name, began, seen, address, agent) values (?, ?, ?, ?, ?, ?)",
            [session_id(token), name, now, now, address, agent[:_LONGEST_AGENT]],
        )
    return token


def session_id(token: str) -> str:
    """Return the id under which the store knows a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def name_of(db: sqlite3.Connection, token: str) -> str | None:
    """Find the name of a living session; None: there is none, or its person is inactive."""
    found = _find(db, token)
    return found[0] if found else None


def person_of(db: Store, token: str) -> Person | None:
    """Find the person of a living session, and remember that it is used."""
    found = _find(db.conn, token)
    if found is None:
        return None
    name, seen = found
    now = time.time()
    if seen < now - _SEEN_EVERY_SECONDS:
        with writing(db):
            db.execute("update sessions set seen = ? where id = ?", [now, session_id(token)])
    return find_person(db, name)


def _find(db: sqlite3.Connection, token: str) -> tuple[str, float] | None:
    """Find whose living session a token is, and when it was last used."""
    now = time.time()
    found: tuple[str, float] | None = db.execute(
        "select sessions.name, seen from sessions join people using (name)"
        " where id = ? and is_active and seen > ? and began > ?",
        [session_id(token), now - IDLE_SECONDS, now - LONGEST_SECONDS],
    ).fetchone()
    return found


def list_sessions(db: Store, name: str | None = None) -> list[Session]:
    """List the living sessions of a person, or of everybody, the last used first."""
    now = time.time()
    rows = db.query(
        "select * from sessions where (? is null or name = ?) and seen > ? and began > ? order by seen desc",
        [name, name, now - IDLE_SECONDS, now - LONGEST_SECONDS],
    )
    return [Session(**row) for row in rows]


def end_session(db: Store, token: str) -> None:
    """End the session of a token."""
    with writing(db):
        db.execute("delete from sessions where id = ?", [session_id(token)])


def end_sessions(db: Store, name: str) -> int:
    """End all sessions of a person, and return how many there were."""
    with writing(db):
        return int(db.execute("delete from sessions where name = ?", [name]).rowcount)
