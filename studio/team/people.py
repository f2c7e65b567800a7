"""Manage people: name, role, colour.

Signing in needs only a name, which is enough on one's own computer; every permission
check goes through `studio.team.rights`, so that accounts with passwords can replace names without
another change. Knows no page.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from studio.errors import InputError, NotAllowed
from studio.language import say
from studio.store import Store, writing

Role = Literal["annotator", "reviewer", "analyst", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
ROLE_NAMES: dict[Role, tuple[str, str]] = {
    "annotator": ("标注员", "annotator"),
    "reviewer": ("审核员", "reviewer"),
    "analyst": ("分析员", "analyst"),
    "admin": ("管理员", "admin"),
}
LABELLERS: tuple[Role, ...] = ("annotator", "reviewer", "admin")
"""Roles whose answers are waited for; an analyst may label, but is never waited for."""
REVIEWERS: tuple[Role, ...] = ("reviewer", "admin")

COLORS = (
    "#2B5C9E",
    "#C2571A",
    "#2F7D4F",
    "#8E3B8A",
    "#B3261E",
    "#1F7A8C",
    "#7A5C1E",
    "#5B4FB3",
    "#A23B5B",
    "#4C6B1F",
)
LONGEST_NAME = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A person who decides under this name. `color` is hexadecimal."""

    name: str
    role: Role
    color: str
    is_active: bool
    created_at: str


def sign_in(db: Store, name: str) -> Person:
    """Sign in by name; a new name is registered as an annotator, as an admin where there is none yet.

    Raises:
        InputError: an empty name, or one too long for a list.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise InputError(
            say(f"“{name[:20]}”不能作名字。", f"“{name[:20]}” cannot be a name."),
            remedy=say(f"请用 1 到 {LONGEST_NAME} 个字。", f"Use 1 to {LONGEST_NAME} characters."),
        )
    return find_person(db, name) or register(db, name)


def known_or_new(db: Store, name: str) -> Person:
    """Return the person, or who they would be if they signed in now; nothing is written."""
    name = " ".join(name.split())
    return find_person(db, name) or _newcomer(db, name)


def _newcomer(db: Store, name: str, role: Role | None = None) -> Person:
    count = db.execute("select count(*) from people").fetchone()[0]
    is_led = db.execute("select 1 from people where role = 'admin'").fetchone() is not None
    return Person(
        name=name,
        role=role or ("annotator" if is_led else "admin"),
        color=COLORS[count % len(COLORS)],
        is_active=True,
        created_at="",
    )


def register(db: Store, name: str, *, role: Role | None = None) -> Person:
    """Register a person unless they are known already.

    Args:
        db: store.
        name: normalized, as `sign_in` takes it.
        role: without one, an annotator; an admin where there is none yet.
    """
    with writing(db):
        new = _newcomer(db, name, role)
        db.execute(
            "insert into people (name, role, color) values (?, ?, ?) on conflict do nothing",
            [name, new.role, new.color],
        )
    person = find_person(db, name)
    assert person is not None, name
    return person


def find_person(db: Store, name: str) -> Person | None:
    """Find a person by name; None if they never signed in."""
    return next((_person(row) for row in db.query("select * from people where name = ?", [name])), None)


def list_people(db: Store) -> list[Person]:
    """List everybody, in the order in which they first signed in."""
    return [_person(row) for row in db.query("select * from people order by rowid")]


def change_person(
    db: Store,
    name: str,
    *,
    by: str,
    role: Role | None = None,
    color: str | None = None,
    is_active: bool | None = None,
) -> Person:
    """Change the role or colour of a person, or deactivate them: nobody waits for an inactive person.

    Raises:
        NotAllowed: `by` is no admin, or no active admin would be left.
    """
    # Here: the list of rights is made of this module's roles.
    from studio.team.rights import require_right

    require_right("change_people", db, by)
    with writing(db):
        db.execute(
            "update people set role = coalesce(?, role), color = coalesce(?, color),"
            " is_active = coalesce(?, is_active) where name = ?",
            [role, color, is_active, name],
        )
        if not db.execute("select 1 from people where role = 'admin' and is_active").fetchone():
            raise NotAllowed(
                say("至少要有一位在岗的管理员。", "At least one active admin is required."),
                remedy=say("请先把别人设为管理员。", "Make somebody else an admin first."),
            )
    person = find_person(db, name)
    assert person is not None, name
    return person


def require_role(person: Person, roles: tuple[Role, ...]) -> None:
    """Require that a person is active and has one of these roles; services ask `rights.require_right`.

    Raises:
        NotAllowed: they have another role, or are inactive.
    """
    if person.role not in roles or not person.is_active:
        raise NotAllowed(
            _refusal(person, roles),
            remedy=say("请管理员在“团队”页修改角色。", "An admin can change the role on the Team page."),
        )


def _refusal(person: Person, roles: tuple[Role, ...]) -> str:
    """Say who may do a step, and what this person is."""
    zh, en = ROLE_NAMES[person.role]
    if not person.is_active:
        zh, en = f"休息中的{zh}", f"inactive {en}"
    article = "an" if en[0] in "aeiou" else "a"
    allowed_zh = "或".join(ROLE_NAMES[role][0] for role in roles)
    allowed_en = " or ".join(f"{ROLE_NAMES[role][1]}s" for role in roles)
    return say(
        f"只有{allowed_zh}可以执行这一步；{person.name} 是{zh}。",
        f"Only {allowed_en} can do this. {person.name} is {article} {en}.",
    )


def labellers(db: Store) -> set[str]:
    """List the names of the active people whose answers are waited for."""
    marks = ", ".join("?" * len(LABELLERS))
    rows = db.execute(f"select name from people where is_active and role in ({marks})", list(LABELLERS))
    return {name for (name,) in rows.fetchall()}


def _person(row: dict[str, object]) -> Person:
    return Person(**{**row, "is_active": bool(row["is_active"])})  # type: ignore[arg-type]
