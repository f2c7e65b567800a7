"""Freeze in a subprocess: a request on stdin, an answer on stdout.

Checking and splitting a hundred thousand titles takes half a gigabyte for a few seconds. The
web app does not have that much, and would not give it back.
"""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.contract import Text
from studio.datasets.versions import Chainless, Version, find_version, freeze
from studio.errors import FreezeRefused, RunFailed, StudioError
from studio.language import Language, current_language, say
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.team.rights import require_right
from studio.workspace import Workspace, open_workspace


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FreezeRequest(_Message):
    """The arguments of `studio.datasets.versions.freeze`."""

    name: str
    eval_share: float | None = None
    seed: int = 42
    eval_titles: tuple[str, ...] = ()
    resplit: bool = False
    accept_warnings: bool = False
    chainless: Chainless = "keep"
    sealed_share: float | None = None
    author: str


class _Order(_Message):
    home: Path
    language: Language
    request: FreezeRequest


class _Answer(_Message):
    """A version's reference and notes, or the fields of a StudioError."""

    ref: str | None = None
    notes: tuple[Text, ...] = ()
    problem: Text = ""
    remedy: Text = ""
    reasons: tuple[Text, ...] = Field((), description="Of a FreezeRefused.")
    can_accept: bool | None = Field(None, description="Of a FreezeRefused; None: another error.")


def freeze_apart(workspace: Workspace, request: FreezeRequest) -> tuple[Version, tuple[str, ...]]:
    """Freeze in a subprocess; returns the version and its notes.

    Raises:
        FreezeRefused: as `freeze` raises it.
        StudioError: any other error of `freeze`, with its problem and remedy.
        RunFailed: the subprocess was killed.
    """
    require_right("freeze")
    order = _Order(home=workspace.home, language=current_language.get(), request=request)
    done = subprocess.run(
        [sys.executable, "-m", "studio.datasets.freeze_process"],
        cwd=workspace.home,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        input=order.model_dump_json().encode(),
        capture_output=True,
        check=False,
    )
    try:
        answer = _Answer.model_validate_json(done.stdout)
    except ValidationError as error:
        last_line = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise RunFailed(
            say(f"冻结没有完成：{last_line}", f"Freezing did not finish: {last_line}"),
            remedy=say("没有写下任何版本，请再试一次。", "No version was written; try again."),
        ) from error
    if answer.can_accept is not None:
        raise FreezeRefused(
            answer.problem, remedy=answer.remedy, reasons=answer.reasons, can_accept=answer.can_accept
        )
    if answer.ref is None:
        raise StudioError(answer.problem, remedy=answer.remedy)
    with closing(open_store(workspace.database)) as db:
        return find_version(db, workspace, answer.ref), answer.notes


def main() -> None:
    """Answer one request: read it from stdin, freeze, write the answer to stdout."""
    order = _Order.model_validate_json(sys.stdin.buffer.read())
    current_language.set(order.language)
    workspace = open_workspace(order.home)
    try:
        with closing(open_store(workspace.database)) as db:
            version = freeze(db, workspace, scheme=load_scheme(), **order.request.model_dump())
        answer = _Answer(ref=version.ref, notes=version.notes)
    except FreezeRefused as error:
        answer = _Answer(
            problem=error.problem, remedy=error.remedy, reasons=error.reasons, can_accept=error.can_accept
        )
    except StudioError as error:
        answer = _Answer(problem=error.problem, remedy=error.remedy)
    sys.stdout.write(answer.model_dump_json())


if __name__ == "__main__":
    main()
