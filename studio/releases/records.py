"""List releases, find one by name, and say which is in force.

A name of a release, or `released` for the one in force, stands wherever a run or model is named.
"""

import re
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from studio.errors import InputError
from studio.language import say
from studio.releases import ledger
from studio.releases.models import PutInForce, Release
from studio.store import Store, open_store, writing
from studio.team.rights import require_right
from studio.workspace import BUNDLED_NAME, Workspace

_RUN_ID = re.compile(r"\d{8}-\d{6}-")
RELEASED = "released"
"""What stands for the release in force, wherever a run is named."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A release as the ledger has it. `in_force`: it is the one that is offered first."""

    release: Release
    at: datetime
    author: str
    sha256: str
    in_force: bool


def can_be_named(name: str) -> bool:
    """Return whether a release may bear a name: no path, no id of a run, no word with another meaning."""
    is_name = re.fullmatch(r"\w[\w.-]{0,79}", name) is not None
    return is_name and not _RUN_ID.match(name) and name not in (RELEASED, BUNDLED_NAME)


def list_releases(db: Store) -> list[Recorded]:
    """List every release, the newest first."""
    current = _number_in_force(db)
    found = [(Release.model_validate_json(entry.body), entry) for entry in ledger.read(db, "released")]
    return [
        Recorded(
            release=release,
            at=entry.at,
            author=entry.author,
            sha256=entry.sha256,
            in_force=release.number == current,
        )
        for release, entry in reversed(found)
    ]


def releases_of(workspace: Workspace) -> list[Recorded]:
    """List every release of a workspace, the newest first; none where there is no database yet."""
    if not workspace.database.exists():
        return []
    with closing(open_store(workspace.database)) as db:
        return list_releases(db)


def current_release(workspace: Workspace) -> Recorded | None:
    """Return the release in force; None: nothing was released."""
    return next((each for each in releases_of(workspace) if each.in_force), None)


def find_release(workspace: Workspace, name: str) -> Recorded | None:
    """Find a release by its name, or the one in force by `released`; None: there is none."""
    known = releases_of(workspace)
    if name == RELEASED:
        return next((each for each in known if each.in_force), None)
    return next((each for each in known if each.release.name == name), None)


def released_run(workspace: Workspace, name: str) -> str | None:
    """Return the id of the run that a release's name stands for; None: it names no release.

    Raises:
        InputError: `released` was asked for, and nothing was released.
    """
    if _RUN_ID.match(name):
        return None  # no release is named so, and lists of runs ask for many that were deleted
    found = find_release(workspace, name)
    if found is None and name == RELEASED:
        raise InputError(
            say("还没有发布任何模型。", "Nothing is released yet."),
            remedy=say(
                "用 news-studio release 运行编号 发布一个，或直接写运行的编号。",
                "Release a run with `news-studio release RUN`, or name a run by its id.",
            ),
        )
    return found.release.run if found else None


def put_in_force(db: Store, number: int, *, author: str) -> Recorded:
    """Put an earlier or later release in force again.

    Raises:
        NotAllowed: the author's role does not cover it.
        InputError: there is no such release, or it is in force already.
    """
    require_right("release", db, author)
    with writing(db):
        known = {each.release.number: each for each in list_releases(db)}
        if number not in known:
            raise _no_release(str(number))
        if known[number].in_force:
            name = known[number].release.name
            raise InputError(
                say("{name} 已经在用。", "{name} is in force already.", name=name),
                remedy=say("请选另一个发布。", "Choose another release."),
            )
        ledger.append(db, "put_in_force", PutInForce(number=number, why="back"), author=author)
    return next(each for each in list_releases(db) if each.in_force)


def put_back(db: Store, *, author: str) -> Recorded:
    """Go back to the release before the one in force.

    Raises:
        NotAllowed: the author's role does not cover it.
        InputError: there is none before it.
    """
    require_right("release", db, author)
    with writing(db):
        current = _number_in_force(db) or 0
        earlier = [each.release.number for each in list_releases(db) if each.release.number < current]
        if not earlier:
            raise InputError(
                say("之前没有别的发布可以退回。", "There is no earlier release to go back to."),
                remedy=say("用 news-studio releases 查看所有发布。", "See all with: news-studio releases"),
            )
        return put_in_force(db, max(earlier), author=author)


def _number_in_force(db: Store) -> int | None:
    moves = ledger.read(db, "put_in_force")
    return PutInForce.model_validate_json(moves[-1].body).number if moves else None


def _no_release(name: str) -> InputError:
    return InputError(
        say("没有名为 {name} 的发布。", "There is no release {name}.", name=name),
        remedy=say("用 news-studio releases 查看所有发布。", "See all with: news-studio releases"),
    )


def require_release(workspace: Workspace, name: str) -> Recorded:
    """Find a release by its name, or the one in force by `released`.

    Raises:
        InputError: there is none.
    """
    found = find_release(workspace, name)
    if found is None:
        raise _no_release(name)
    return found
