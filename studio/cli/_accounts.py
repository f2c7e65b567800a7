"""Manage accounts from the terminal: `accounts list | invite | password | sign-out`.

Whoever has this terminal is the workspace's owner. Exit code 0: done; 2: nobody has that name.
"""

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from studio.accounts import invitations, sessions
from studio.cli._common import AsJson, Home, print_json, report_errors, user_name, workspace_at
from studio.language import say
from studio.store import open_store
from studio.team.people import ROLE_NAMES, Person, Role, list_people

accounts = typer.Typer(help="Accounts of a studio that others can reach.", no_args_is_help=True)
app = typer.Typer()
app.add_typer(accounts, name="accounts")

Name = Annotated[str, typer.Argument(help="Name of the person.")]


@accounts.command("list")
def list_(home: Home = None, as_json: AsJson = False) -> None:
    """List people, whether they can sign in, and their sessions."""
    with report_errors(), closing(open_store(workspace_at(home).database)) as db:
        able = {row["name"] for row in db.query("select name from accounts where password is not null")}
        known = [(person, sessions.list_sessions(db, person.name)) for person in list_people(db)]
    if as_json:
        print_json([_document(person, person.name in able, living) for person, living in known])
        return
    for person, living in known:
        state = say("可登录", "can sign in") if person.name in able else say("没有密码", "no password")
        typer.echo(f"{person.name:<20} {say(*ROLE_NAMES[person.role]):<10} {state}")
        for each in living:
            typer.echo(f"    {_time(each.seen)}  {each.address}  {each.agent[:60]}")


def _document(person: Person, can_sign_in: bool, living: list[sessions.Session]) -> dict[str, Any]:
    return {
        "name": person.name,
        "role": person.role,
        "active": person.is_active,
        "password": can_sign_in,
        "sessions": [
            {"address": each.address, "agent": each.agent, "seen": _time(each.seen)} for each in living
        ],
    }


@accounts.command()
def invite(
    role: Annotated[Role, typer.Option(help="Role of the person who joins.")] = "annotator",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Invite somebody new: prints the code for /enter/join, good for a week and once."""
    with report_errors(), closing(open_store(workspace_at(home).database)) as db:
        _print_code(invitations.invite(db, role, by=user_name()), as_json)


@accounts.command()
def password(name: Name, home: Home = None, as_json: AsJson = False) -> None:
    """Let a person choose a new password: prints the code for /enter/join, and ends their sessions."""
    with report_errors(), closing(open_store(workspace_at(home).database)) as db:
        _print_code(invitations.renew_password(db, name, by=user_name()), as_json)


@accounts.command("sign-out")
def sign_out(name: Name, home: Home = None, as_json: AsJson = False) -> None:
    """End all sessions of a person."""
    with report_errors(), closing(open_store(workspace_at(home).database)) as db:
        ended = sessions.end_sessions(db, name)
        if as_json:
            print_json({"ended": ended})
        else:
            typer.echo(say(f"结束了 {ended} 个会话。", f"{ended} sessions ended."))


def _print_code(code: str, as_json: bool) -> None:
    path = f"/enter/join?code={code}"
    if as_json:
        print_json({"code": code, "path": path})
        return
    typer.echo(
        say(
            f"邀请码 {code}（一周内有效，只能用一次）。请对方打开：<网址>{path}",
            f"Code {code}, good for a week and once. Have the person open: <address>{path}",
        )
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
