"""Hash and verify passwords with Argon2id, and refuse those that are guessed first.

Length is what counts (NIST SP 800-63B): no rules about signs, no expiry.
"""

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from studio.errors import InputError
from studio.language import say

SHORTEST, LONGEST = 10, 200
_COMMON = (
    "password", "passw0rd", "qwerty", "asdfg", "zxcvb", "12345", "67890", "abc123", "letmein", "admin",
    "newsstudio", "woaini", "11111",
)  # fmt: skip
"""Beginnings and repetitions that every list of guesses starts with."""

_hasher = PasswordHasher()
_two_at_once = threading.BoundedSemaphore(2)
"""Each hash takes 64 MiB; who asks for a thousand at once waits."""


def require_strong(password: str, name: str = "") -> None:
    """Check that a new password is not among the first guesses.

    Raises:
        InputError: too short, too long, common, or made of the person's name.
    """
    plain = _normal(password)
    if not SHORTEST <= len(plain) <= LONGEST:
        raise InputError(
            say(
                f"密码要 {SHORTEST} 到 {LONGEST} 个字符。",
                f"A password has {SHORTEST} to {LONGEST} characters.",
            ),
            remedy=say("几个不相干的词就很好。", "A few unrelated words make a good one."),
        )
    rest = plain.casefold()
    for part in (*_COMMON, name.casefold(), rest[:1]):
        rest = rest.replace(part, "") if part else rest
    if len(rest) < SHORTEST // 2:
        raise InputError(
            say("这个密码太容易猜到。", "This password is among the first that are guessed."),
            remedy=say("几个不相干的词就很好。", "A few unrelated words make a good one."),
        )


def hash_password(password: str) -> str:
    """Hash a password; the result names its algorithm, its cost and its salt."""
    with _two_at_once:
        return _hasher.hash(_normal(password))


def verify_password(stored: str | None, password: str) -> bool:
    """Return whether a password is that of the hash; as slow for an account without one."""
    with _two_at_once:
        try:
            return _hasher.verify(stored or _decoy(), _normal(password)[: 4 * LONGEST]) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def needs_new_hash(stored: str) -> bool:
    """Return whether a hash was made with an older cost."""
    return _hasher.check_needs_rehash(stored)


def _normal(password: str) -> str:
    # One key on two keyboards may give two forms of the same character.
    return unicodedata.normalize("NFKC", password)


_decoys: list[str] = []


def _decoy() -> str:
    """Return a hash that no password has, of the same cost as every other."""
    if not _decoys:
        _decoys.append(_hasher.hash("no account has this password"))
    return _decoys[0]
