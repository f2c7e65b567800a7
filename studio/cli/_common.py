"""Turn errors into one message and an exit code; options that several commands share."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from studio.errors import FreezeRefused, GateNotPassed, StudioError
from studio.language import say
from studio.store import database_errors, require_usable
from studio.system.atomic import guard_disk
from studio.system.login import login_name
from studio.teacher.endpoints import travels_in_the_clear
from studio.team.rights import as_owner
from studio.workspace import Workspace, open_workspace

SHOWN = 50
"""Reasons that are printed for a person."""

Home = Annotated[
    Path | None, typer.Option("--home", help="Workspace folder (default: STUDIO_HOME, then ./workspace).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Device = Annotated[
    str | None, typer.Option(help="Device such as cuda:1, cpu or ray; without it the next free one.")
]
Processes = Annotated[
    int, typer.Option(min=1, help="Processes of one training by torchrun, a GPU each, or sharing the CPU.")
]
Categories = Annotated[
    Path | None, typer.Option("--categories", help="Category file (default: the ten bundled categories).")
]


@contextmanager
def report_errors() -> Iterator[None]:
    """Act as the workspace's owner; print a StudioError as problem and remedy and exit with its code."""
    try:
        with database_errors(), guard_disk(), as_owner():
            yield
    except StudioError as error:
        typer.echo(
            f"{say('问题', 'Problem')}: {error.problem}\n{say('办法', 'Remedy')}: {error.remedy}", err=True
        )
        for reason in error.reasons[:SHOWN] if isinstance(error, FreezeRefused | GateNotPassed) else ():
            typer.echo(f"  {reason}", err=True)
        raise typer.Exit(error.exit_code) from error


def workspace_at(home: Path | None) -> Workspace:
    """Open the workspace of a command, and check its database first, whether the command reads it or not.

    Raises:
        InputError: the folder cannot be made or written.
        DatabaseUnusable: the database is lost, corrupt, newer or read-only.
    """
    workspace = open_workspace(home)
    require_usable(workspace.database)
    return workspace


def print_json(document: Any) -> None:
    """Print one JSON document on stdout, Chinese unescaped."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def warn_in_the_clear(base_url: str) -> None:
    """Warn where an endpoint's key and the titles would cross a network unencrypted."""
    if travels_in_the_clear(base_url):
        typer.echo(
            say(
                "注意：http 不加密，密钥和标题会以明文经过网络。",
                "Note: http is not encrypted; the key and the titles cross the network in the clear.",
            ),
            err=True,
        )


def user_name() -> str:
    """Return the author of what the command line does: the login name."""
    return login_name("command line")
