"""Sign in with a password; let a guess wait longer each time.

Failures are counted for a name at an address, for a name, and for an address. The first few are free; then
every one doubles the wait, in which nothing is compared, not even the right password. The wait for a name
alone stays short: whoever fails on purpose must not lock its owner out.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from studio.accounts.passwords import hash_password, needs_new_hash, verify_password
from studio.accounts.sessions import begin_session
from studio.errors import NotAllowed
from studio.language import say
from studio.store import Store, writing
from studio.team.people import find_person


@dataclass(frozen=True)
class _Patience:
    """How many failures are free, and the longest wait in seconds."""

    free: int
    longest: float

    def wait(self, failures: int) -> float:
        beyond = failures - self.free
        return 0.0 if beyond <= 0 else min(2.0 ** min(beyond - 1, 30), self.longest)


_HERE = _Patience(free=3, longest=900)
_NAME = _Patience(free=30, longest=60)
_ADDRESS = _Patience(free=30, longest=900)


class TooSoon(NotAllowed):
    """Too many failures: nothing was compared; `seconds` is how long to wait."""

    def __init__(self, seconds: float) -> None:
        self.seconds = math.ceil(seconds)
        super().__init__(
            say(
                f"失败次数太多，请等 {self.seconds} 秒再试。",
                f"Too many failures. Wait {self.seconds} seconds, then try again.",
            ),
            remedy=say("忘了密码可以请管理员重设。", "An admin can let you choose a new password."),
        )


def sign_in(
    db: Store, name: str, password: str, *, address: str, agent: str, now: Callable[[], float] = time.time
) -> str:
    """Verify name and password, begin a session, and return its token.

    Raises:
        TooSoon: nothing was compared.
        NotAllowed: wrong; which of the two is not said, and takes the same time.
    """
    name = " ".join(name.split())
    counted = {f"{name}\n{address}": _HERE, f"{name}\n": _NAME, f"\n{address}": _ADDRESS}
    # Counted before it is compared: a thousand guesses at once are a thousand failures.
    _count(db, counted, now())
    row = db.execute("select password from accounts where name = ?", [name]).fetchone()
    stored = row[0] if row else None
    person = find_person(db, name)
    if not verify_password(stored, password) or person is None or not person.is_active:
        raise NotAllowed(
            say("名字或密码不对。", "The name or the password is wrong."),
            remedy=say("忘了密码可以请管理员重设。", "An admin can let you choose a new password."),
        )
    with writing(db):
        marks = ", ".join("?" * len(counted))
        db.execute(f"delete from refused_sign_ins where who in ({marks})", list(counted))
        if stored and needs_new_hash(stored):
            db.execute("update accounts set password = ? where name = ?", [hash_password(password), name])
    return begin_session(db, name, address=address, agent=agent)


def _count(db: Store, counted: dict[str, _Patience], now: float) -> None:
    """Count an attempt as a failure, which a success takes back; raises TooSoon before its time."""
    with writing(db):
        db.execute("delete from refused_sign_ins where until < ?", [now - 86400])
        waits = []
        for who, patience in counted.items():
            failures, until = db.execute(
                "select failures, until from refused_sign_ins where who = ?", [who]
            ).fetchone() or (0, 0.0)
            if until > now:
                raise TooSoon(until - now)
            waits.append((who, failures + 1, now + patience.wait(failures + 1)))
        db.conn.executemany(
            "insert into refused_sign_ins values (?, ?, ?)"
            " on conflict (who) do update set failures = excluded.failures, until = excluded.until",
            waits,
        )
