"""A container's user may have no login name; the fallback is used then."""

import os
import subprocess
import sys

import pytest

from studio.system.login import login_name


def test_the_login_name_is_the_systems(monkeypatch):
    monkeypatch.setenv("LOGNAME", "wang")
    assert login_name("somebody") == "wang"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user without a name")
def test_a_user_without_a_name_gets_the_other_one():
    program = (
        "import os; from studio.system.login import login_name; os.setuid(54321); print(login_name('me'))"
    )
    nameless = {
        key: value for key, value in os.environ.items() if key not in ("LOGNAME", "USER", "USERNAME", "LNAME")
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=nameless, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "me"
