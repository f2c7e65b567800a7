"""Accounts: a secret is stored as its hash, a guess waits longer each time, a code works once."""

import concurrent.futures
import time
from contextlib import closing

import pytest
from argon2 import PasswordHasher

from studio.accounts import invitations, passwords, sessions, sign_in
from studio.accounts.access import (
    access_mode,
    access_token,
    cookie_of_token,
    is_cookie_of_token,
    is_token,
    token_path,
)
from studio.accounts.passwords import hash_password, require_strong, verify_password
from studio.errors import InputError, NotAllowed
from studio.store import open_store
from studio.team.people import change_person, find_person
from studio.team.people import sign_in as work_under_name
from studio.workspace import open_workspace

GOOD = "三只青蛙 jump over"


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch):
    """As Argon2id as ever, and not as slow: what it costs by default is measured once."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    monkeypatch.setattr(passwords, "_decoys", [])


def test_a_hash_is_costly_by_default(monkeypatch):
    monkeypatch.undo()
    assert "m=65536,t=3," in hash_password(GOOD)


@pytest.fixture
def db(tmp_path):
    with closing(open_store(tmp_path / "studio.db")) as opened:
        yield opened


@pytest.fixture
def admin(db):
    return invitations.accept(db, invitations.invite_first_admin(db), name="主编", password=GOOD)


def enter(db, name, password, *, now=time.time, address="10.0.0.1"):
    return sign_in.sign_in(db, name, password, address=address, agent="test", now=now)


def everything(db):
    tables = ("accounts", "sessions", "invitations", "refused_sign_ins")
    return "\n".join(str(row) for table in tables for row in db.execute(f"select * from {table}").fetchall())


def test_the_first_admin_comes_by_the_terminal_and_only_the_first(db):
    first, second = invitations.invite_first_admin(db), invitations.invite_first_admin(db)
    with pytest.raises(InputError):  # a second start makes the code of the first worthless
        invitations.accept(db, first, name="主编", password=GOOD)
    assert invitations.accept(db, second.lower(), name=" 主编 ", password=GOOD) == "主编"
    assert find_person(db, "主编").role == "admin"
    assert invitations.invite_first_admin(db) is None


def test_no_secret_is_in_the_store(db, admin):
    code = invitations.invite(db, "reviewer", by=admin)
    token = enter(db, admin, GOOD)
    written = everything(db)
    assert all(secret not in written for secret in (GOOD, token, code, code.replace("-", "")))


def test_a_code_works_once_for_its_role_and_not_for_ever(db, admin, monkeypatch):
    code = invitations.invite(db, "reviewer", by=admin)
    assert invitations.name_of_code(db, code) is None
    assert invitations.accept(db, code, name="小李", password=GOOD) == "小李"
    assert find_person(db, "小李").role == "reviewer"
    for used in (code, "", "AAAAA-AAAAA-AAAAA-AAAAA"):
        with pytest.raises(InputError):
            invitations.accept(db, used, name="小王", password=GOOD)
    late = invitations.invite(db, "admin", by=admin)
    later = time.time() + invitations.LIFETIME_SECONDS + 1
    monkeypatch.setattr(invitations.time, "time", lambda: later)
    with pytest.raises(InputError):
        invitations.accept(db, late, name="小王", password=GOOD)


def test_one_code_makes_one_account_when_two_use_it_at_once(tmp_path, db, admin):
    code = invitations.invite(db, "annotator", by=admin)

    def join(name):
        with closing(open_store(tmp_path / "studio.db")) as own:
            try:
                return invitations.accept(own, code, name=name, password=GOOD)
            except InputError:
                return None

    with concurrent.futures.ThreadPoolExecutor() as pool:
        joined = list(pool.map(join, ["甲", "乙", "丙", "丁"]))
    assert len([name for name in joined if name]) == 1


def test_a_name_that_worked_here_before_is_not_for_the_taking(db, admin):
    work_under_name(db, "老张")
    change_person(db, "老张", by=admin, role="admin")
    code = invitations.invite(db, "annotator", by=admin)
    for name in ("老张", "主编", "", "x" * 41):
        with pytest.raises(InputError):
            invitations.accept(db, code, name=name, password=GOOD)
    own = invitations.renew_password(db, "老张", by=admin)
    assert invitations.name_of_code(db, own) == "老张"
    assert invitations.accept(db, own, name="somebody else", password=GOOD) == "老张"
    assert find_person(db, "老张").role == "admin"


def test_only_an_admin_invites_and_renews(db, admin):
    reviewer = invitations.accept(
        db, invitations.invite(db, "reviewer", by=admin), name="小李", password=GOOD
    )
    for act in (
        lambda: invitations.invite(db, "annotator", by=reviewer),
        lambda: invitations.renew_password(db, admin, by=reviewer),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_a_renewed_password_ends_sessions_and_the_old_password(db, admin):
    token = enter(db, admin, GOOD)
    code = invitations.renew_password(db, admin, by=admin)
    assert sessions.person_of(db, token) is None
    with pytest.raises(NotAllowed):
        enter(db, admin, GOOD)
    invitations.accept(db, code, name="", password="another one 5 words long")
    later = time.time() + 10
    assert (
        sessions.person_of(db, enter(db, admin, "another one 5 words long", now=lambda: later)).name == admin
    )


@pytest.mark.parametrize(
    "weak", ["", "short", "1234567890", "password123", "主编主编主编主编", "aaaaaaaaaaaa", "x" * 201]
)
def test_passwords_that_are_guessed_first_are_refused(weak):
    with pytest.raises(InputError):
        require_strong(weak, "主编")


def test_hashes_differ_and_verify_in_every_form_of_the_same_keys():
    one, other = hash_password(GOOD), hash_password(GOOD)
    assert one != other and one.startswith("$argon2id$")
    assert verify_password(one, GOOD) and verify_password(one, "三只青蛙 ｊｕｍｐ over")
    assert not verify_password(one, GOOD + " ") and not verify_password(None, GOOD)
    assert not verify_password("no hash", GOOD) and not verify_password(one, "")


def test_a_thousand_guesses_are_hardly_any(db, admin, monkeypatch):
    """Guesses as fast as they come for an hour of the studio's time: what is compared is counted."""
    compared = []
    monkeypatch.setattr(sign_in, "verify_password", lambda _stored, _password: compared.append(1))
    clock = [time.time()]
    for number in range(1000):
        clock[0] += 3.6
        with pytest.raises(NotAllowed):
            enter(db, admin, f"guess {number}", now=lambda: clock[0])
    assert len(compared) <= 16
    monkeypatch.undo()
    # The right password is not compared either while the guesser's wait lasts ...
    with pytest.raises(sign_in.TooSoon):
        enter(db, admin, GOOD, now=lambda: clock[0])
    # ... but its owner elsewhere waits a minute at most, and enters.
    assert enter(db, admin, GOOD, now=lambda: clock[0] + 61, address="10.0.0.2")


def test_many_guesses_at_once_are_counted_before_they_are_compared(tmp_path, db, admin, monkeypatch):
    compared = []
    monkeypatch.setattr(sign_in, "verify_password", lambda _stored, _password: compared.append(1))

    def guess(number):
        with closing(open_store(tmp_path / "studio.db")) as own, pytest.raises(NotAllowed):
            enter(own, admin, f"guess {number}")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(guess, range(40)))
    assert len(compared) <= 6


def test_guessing_many_names_from_one_address_waits_too(db, admin, monkeypatch):
    monkeypatch.setattr(sign_in, "verify_password", lambda _stored, _password: False)
    refused = 0
    for number in range(60):
        try:
            enter(db, f"name {number}", "x")
        except sign_in.TooSoon:
            refused += 1
        except NotAllowed:
            pass
    assert refused >= 25


def test_a_session_ends_by_time_by_its_owner_and_with_its_person(db, admin, monkeypatch):
    here, there = enter(db, admin, GOOD), enter(db, admin, GOOD)
    assert {each.address for each in sessions.list_sessions(db, admin)} == {"10.0.0.1"}
    sessions.end_session(db, here)
    assert sessions.person_of(db, here) is None and sessions.person_of(db, there).name == admin
    assert sessions.end_sessions(db, admin) == 1
    code = invitations.invite(db, "annotator", by=admin)
    other = enter(db, invitations.accept(db, code, name="小李", password=GOOD), GOOD)
    change_person(db, "小李", by=admin, is_active=False)
    assert sessions.person_of(db, other) is None
    with pytest.raises(NotAllowed):
        enter(db, "小李", GOOD)
    change_person(db, "小李", by=admin, is_active=True)
    now = time.time()
    assert sessions.person_of(db, other).name == "小李"
    monkeypatch.setattr(sessions.time, "time", lambda: now + sessions.IDLE_SECONDS + 1)
    assert sessions.person_of(db, other) is None and sessions.list_sessions(db) == []


def test_a_session_in_use_stays_and_its_use_is_no_open_transaction(db, admin, monkeypatch):
    token = enter(db, admin, GOOD)
    now = time.time()
    for day in range(1, 40):
        monkeypatch.setattr(sessions.time, "time", lambda day=day: now + day * 86400)
        assert sessions.person_of(db, token).name == admin
        assert not db.conn.in_transaction
    monkeypatch.setattr(sessions.time, "time", lambda: now + sessions.LONGEST_SECONDS + 1)
    assert sessions.person_of(db, token) is None


def test_the_token_of_a_link_is_its_owners_and_stays(tmp_path):
    workspace = open_workspace(tmp_path / "home")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        tokens = set(pool.map(lambda _: access_token(workspace), range(8)))
    (token,) = tokens
    assert token_path(workspace).stat().st_mode & 0o077 == 0
    assert (
        is_token(workspace, token) and not is_token(workspace, token[:-1]) and not is_token(workspace, "键")
    )
    cookie = cookie_of_token(workspace)
    assert token not in cookie and is_cookie_of_token(workspace, cookie)
    token_path(workspace).unlink()
    assert not is_token(workspace, token) and not is_cookie_of_token(workspace, cookie)


def test_a_mode_that_nobody_knows_lets_nobody_in_without_an_account(monkeypatch):
    for said, mode in {
        "token": "token",
        "accounts": "accounts",
        "open": "open",
        "Open": "accounts",
        "": "accounts",
    }.items():
        monkeypatch.setenv("NEWS_STUDIO_ACCESS", said)
        assert access_mode() == mode
    monkeypatch.delenv("NEWS_STUDIO_ACCESS")
    assert access_mode() == "open"
