"""Check permissions: the one list of rights by role, and the one check that every service asks.

A service that changes what belongs to others asks `require_right` before it writes. Who acts is the
author that it is given, and the person of the session where a page called it. A command and the
background processes are the workspace's owner, who may do everything. Knows no page.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from studio.store import Store
from studio.team.people import REVIEWERS, Person, Role, known_or_new, require_role

Right = Literal[
    "undo_import",
    "send_check_to_queue",
    "review",
    "restore_decision",
    "edit_many",
    "mark_gold",
    "send_back",
    "answer_findings",
    "freeze",
    "run_jobs",
    "change_runs",
    "download_models",
    "choose_model_folders",
    "set_hub",
    "allow_unsafe_models",
    "serve_models",
    "teacher_drafts",
    "save_gate",
    "open_sealed",
    "release",
    "change_settings",
    "change_people",
]

_TEAM: tuple[Role, ...] = ("reviewer", "analyst", "admin")
_RELEASERS: tuple[Role, ...] = ("analyst", "admin")
_ADMIN: tuple[Role, ...] = ("admin",)

RIGHTS: Mapping[Right, tuple[Role, ...]] = {
    "undo_import": REVIEWERS,
    "send_check_to_queue": _TEAM,
    "review": REVIEWERS,
    "restore_decision": REVIEWERS,
    "edit_many": REVIEWERS,
    "mark_gold": REVIEWERS,
    "send_back": _TEAM,
    "answer_findings": _TEAM,
    "freeze": _TEAM,
    "run_jobs": _TEAM,
    "change_runs": _TEAM,
    "download_models": _TEAM,
    "choose_model_folders": _TEAM,
    "set_hub": _ADMIN,
    "allow_unsafe_models": _ADMIN,
    "serve_models": _TEAM,
    "teacher_drafts": _TEAM,
    "save_gate": _RELEASERS,
    "open_sealed": _RELEASERS,
    "release": _RELEASERS,
    "change_settings": _ADMIN,
    "change_people": _ADMIN,
}
"""What is not listed, everybody may do: label, import, undo one's own answers."""

_by_owner: ContextVar[bool] = ContextVar("by_owner", default=False)
_person_of_session: Callable[[], Person | None] = lambda: None  # noqa: E731


def ask_session(person_of_session: Callable[[], Person | None]) -> None:
    """Learn from the web app how to find who acts in the current thread; None: no session is."""
    global _person_of_session
    _person_of_session = person_of_session


@contextmanager
def as_owner() -> Iterator[None]:
    """Act with the rights of the workspace's owner, whatever name is written down, as a command does."""
    before = _by_owner.set(True)
    try:
        yield
    finally:
        _by_owner.reset(before)


def acts_as_owner() -> bool:
    """Return whether a command or a background process acts, and no person of the web app."""
    return _by_owner.get() or _person_of_session() is None


def require_right(right: Right, db: Store | None = None, author: str | None = None) -> None:
    """Require that whoever acts has a right.

    Args:
        right: what is about to be done.
        db: where the author is known; needed with an author.
        author: under whose name it is written down; None: only the person of the session is asked.

    Raises:
        NotAllowed: their role does not cover it, or they are inactive.
    """
    if _by_owner.get():
        return
    acting = _person_of_session()
    if acting is not None:
        require_role(acting, RIGHTS[right])
    if db is not None and author is not None and (acting is None or author != acting.name):
        require_role(known_or_new(db, author), RIGHTS[right])


def has_right(person: Person, right: Right) -> bool:
    """Return whether a person may do this, for a page that leaves out what they may not."""
    return person.is_active and person.role in RIGHTS[right]
