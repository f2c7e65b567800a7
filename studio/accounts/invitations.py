"""Invite people by link, and let them choose a password once.

A code is 20 letters and digits that are not mistaken for each other; the store has its hash. The first
admin gets one in the terminal, since nobody is there yet who could invite them.
"""

import hashlib
import secrets
import time
from dataclasses import dataclass

from studio.accounts.passwords import hash_password, require_strong
from studio.accounts.sessions import end_sessions
from studio.errors import InputError
from studio.language import say
from studio.store import Store, writing
from studio.team.people import LONGEST_NAME, Role, find_person, register
from studio.team.rights import require_right

LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
LIFETIME_SECONDS = 7 * 86400
FIRST_ADMIN_SECONDS = 3600
TERMINAL = "terminal"
"""Author of the invitation of the first admin."""


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """An invitation that can be used: whose password it renews, or the role of somebody new."""

    name: str | None
    role: Role
    author: str


def invite(db: Store, role: Role, *, by: str) -> str:
    """Invite somebody new to this role; returns the code for their link, good for a week and once.

    Raises:
        NotAllowed: `by` is no admin.
    """
    require_right("change_people", db, by)
    return _issue(db, role=role, name=None, by=by, seconds=LIFETIME_SECONDS)


def invite_first_admin(db: Store) -> str | None:
    """Return a code for the first account, good for an hour; None: there is an account with a password."""
    with writing(db):
        if has_accounts(db):
            return None
        db.execute("delete from invitations where author = ?", [TERMINAL])
    return _issue(db, role="admin", name=None, by=TERMINAL, seconds=FIRST_ADMIN_SECONDS)


def renew_password(db: Store, name: str, *, by: str) -> str:
    """Let a known person choose a password, their first or a new one; returns the code for their link.

    Until they have, nobody can sign in under that name, and their sessions are over.

    Raises:
        NotAllowed: `by` is no admin.
        InputError: nobody has that name.
    """
    require_right("change_people", db, by)
    person = find_person(db, name)
    if person is None:
        raise InputError(
            say(f"没有叫“{name}”的人。", f"There is nobody called “{name}”."),
            remedy=say("请邀请这个人。", "Invite this person."),
        )
    with writing(db):
        db.execute("update accounts set password = null where name = ?", [name])
        db.execute("delete from invitations where name = ?", [name])
    end_sessions(db, name)
    return _issue(db, role=person.role, name=name, by=by, seconds=LIFETIME_SECONDS)


def has_accounts(db: Store) -> bool:
    """Return whether anybody can sign in."""
    return db.execute("select 1 from accounts where password is not null").fetchone() is not None


def accept(db: Store, code: str, *, name: str, password: str) -> str:
    """Make the account of an invitation, or give a known person their password; returns the name.

    Raises:
        InputError: the code is unknown, used or too old, the name is taken, or the password is weak.
    """
    invitation = _find(db, code)
    name = invitation.name or " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InputError(
            say(f"名字要 1 到 {LONGEST_NAME} 个字。", f"A name has 1 to {LONGEST_NAME} characters."),
            remedy=say("请改名字。", "Choose another name."),
        )
    require_strong(password, name)
    hashed = hash_password(password)
    with writing(db):
        _find(db, code)  # used meanwhile?
        if invitation.name is None:
            _join(db, name, invitation)
        db.execute(
            "insert into accounts (name, password) values (?, ?) on conflict (name) do update set"
            " password = excluded.password, changed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
            [name, hashed],
        )
        db.execute("update invitations set used = ? where code = ?", [time.time(), _hash(code)])
    return name


def _join(db: Store, name: str, invitation: Invitation) -> None:
    """Register somebody new. A name that worked here before is its owner's: an admin renews its password.

    Only the first admin, who sits at the terminal, may take any.
    """
    if find_person(db, name) is None:
        register(db, name, role=invitation.role)
    elif invitation.author == TERMINAL:
        db.execute("update people set role = ?, is_active = 1 where name = ?", [invitation.role, name])
    else:
        raise InputError(
            say(f"名字“{name}”已有人用。", f"The name “{name}” is taken."),
            remedy=say(
                "请改名字；如果这就是您，请管理员发一个设置密码的链接。",
                "Choose another. If this is you, ask an admin for a link to set your password.",
            ),
        )


def name_of_code(db: Store, code: str) -> str | None:
    """Return whose password a code renews; None: it invites somebody new.

    Raises:
        InputError: the code is unknown, used or too old.
    """
    return _find(db, code).name


def _find(db: Store, code: str) -> Invitation:
    row = next(
        db.query(
            "select name, role, author from invitations where code = ? and used is null and expires > ?",
            [_hash(code), time.time()],
        ),
        None,
    )
    if row is None:
        raise InputError(
            say("这个邀请不对、用过了或过期了。", "This invitation is wrong, used, or too old."),
            remedy=say("请管理员再发一个链接。", "Ask an admin for another link."),
        )
    return Invitation(**row)


def _issue(db: Store, *, role: Role, name: str | None, by: str, seconds: float) -> str:
    code = "".join(secrets.choice(LETTERS) for _ in range(20))
    now = time.time()
    with writing(db):
        db.execute("delete from invitations where expires < ?", [now - LIFETIME_SECONDS])
        db.execute(
            "insert into invitations (code, name, role, author, made, expires) values (?, ?, ?, ?, ?, ?)",
            [_hash(code), name, role, by, now, now + seconds],
        )
    return "-".join(code[first : first + 5] for first in range(0, 20, 5))


def _hash(code: str) -> str:
    plain = "".join(letter for letter in code.upper() if letter in LETTERS)
    return hashlib.sha256(plain.encode()).hexdigest()
