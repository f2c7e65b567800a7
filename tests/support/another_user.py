"""Act as another user, for whom files are what their modes say; root may write to everything."""

import os
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

NOBODY = 65534


def given_away(home: Path) -> None:
    """Give a folder to the other user, everything in it writable."""
    for each in [home, *home.rglob("*")]:
        os.chown(each, NOBODY, NOBODY)
        each.chmod(0o755 if each.is_dir() else 0o644)


def as_another_user(action: Callable[[], Result]) -> tuple[int, str]:
    """Run a command of the test runner in a child process; return its exit code and its output."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setresuid(NOBODY, NOBODY, NOBODY)
        shown = action()
        text = shown.output if isinstance(shown.exception, SystemExit | None) else repr(shown.exception)
        os.write(writing, text.encode())
        os._exit(shown.exit_code)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        text = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text
