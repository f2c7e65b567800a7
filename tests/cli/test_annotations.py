"""`news-studio annotations`: out of one workspace, into another."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.samples import new_store
from tests.support.team import TITLES, label, team


@pytest.fixture
def run(tmp_path):
    """Run the command as a user does, in one of two workspaces."""

    def call(home, *arguments):
        environment = {**os.environ, "STUDIO_HOME": str(tmp_path / home), "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, "-c", "from studio.cli.main import main; main()", *map(str, arguments)]
        return subprocess.run(command, check=False, capture_output=True, env=environment, encoding="utf-8")

    return call


def test_annotations_go_from_one_workspace_to_another(run, tmp_path):
    db = team(tmp_path / "one")
    label(db, "wang", "经济")
    label(db, "chen", "体育")
    out = tmp_path / "a.csv"
    done = run("one", "annotations", "export", out, "--json")
    assert (done.returncode, json.loads(done.stdout)["rows"]) == (0, 2)
    again = run("one", "annotations", "export", out)
    assert (again.returncode, "已经存在" in again.stderr) == (2, True)
    new_store(tmp_path / "two")
    nothing = run("two", "annotations", "import", out, "--json")
    assert (nothing.returncode, json.loads(nothing.stdout)["unmatched_rows"]) == (1, 2)
    (tmp_path / "t.txt").write_text(TITLES, "utf-8")
    assert run("two", "import", tmp_path / "t.txt").returncode == 0
    done = run("two", "annotations", "import", out)
    assert done.returncode == 0 and "新增 2" in done.stdout
    done = run("two", "annotations", "import", out, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["already_there"] == 2
