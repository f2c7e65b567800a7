"""The doctor reports what it found, with a remedy where something is wrong."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from studio.cli._runs import app as cli
from studio.jobs import queue as jobs
from studio.operations import doctor
from studio.releases import ledger
from studio.releases.models import PutInForce
from studio.store import open_store, writing
from studio.workspace import Workspace, open_workspace
from tests.support.tiny_runs import end_everything, tiny_run


@pytest.fixture
def workspace(tmp_path):
    opened = open_workspace(tmp_path / "home")
    yield opened
    end_everything(opened)


def findings(workspace, **options):
    return {finding.name: finding for finding in doctor.diagnose(workspace, **options)}


def test_this_installation_is_sound_model_aside(workspace):
    found = findings(workspace)
    assert {
        name: finding.message for name, finding in found.items() if not finding.ok and name != "model"
    } == {}
    assert set(found) == {
        "python",
        "packages",
        "torch",
        "model",
        "workspace",
        "disk",
        "sqlite",
        "database",
        "ledger",
        "backups",
        "queue",
        "runs",
    }
    assert "CPU" in found["torch"].message or "GiB" in found["torch"].message


def test_a_worker_python_without_torch_is_reported_with_the_remedy(workspace, tmp_path):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    found = findings(workspace, python=str(bare))["torch"]
    assert not found.ok
    assert "No module named 'torch'" in found.message
    assert "make install" in found.remedy


def test_a_missing_worker_python_is_reported(workspace):
    assert "/no/such/python" in findings(workspace, python="/no/such/python")["torch"].message


def test_a_broken_model_is_reported_with_its_own_remedy(workspace, tmp_path):
    found = findings(workspace, model=tmp_path / "nothing")["model"]
    assert not found.ok
    assert "nothing" in found.message


def test_waiting_runs_without_a_job_process_are_reported(workspace):
    tiny_run(workspace)
    assert not findings(workspace)["queue"].ok
    with jobs.job_process(workspace).held(None):
        assert findings(workspace)["queue"].ok


def test_an_unreadable_run_is_reported(workspace):
    run = tiny_run(workspace)
    (run.folder / "spec.json").write_text("{")
    assert run.id in findings(workspace)["runs"].message


def test_the_doctor_never_imports_torch_itself(workspace):
    code = (
        "import sys; from pathlib import Path; from studio.operations import doctor;"
        "from studio.workspace import open_workspace;"
        "doctor.diagnose(open_workspace(Path(sys.argv[1]))); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(workspace.home)], check=True)


def test_json_lists_the_findings_and_the_exit_code_reports_a_problem(workspace, tmp_path):
    tiny_run(workspace)
    shown = CliRunner().invoke(cli, ["doctor", "--json", "--home", str(workspace.home)])
    listed = json.loads(shown.stdout)
    assert shown.exit_code == 1
    assert {key: listed[10][key] for key in ("name", "ok")} == {"name": "queue", "ok": False}


def test_a_workspace_that_cannot_be_written_is_reported():
    # Not even root can make a file there.
    found = findings(Workspace(home=Path("/proc")))
    assert [name for name in ("workspace", "sqlite") if found[name].ok] == []
    assert "--home" in found["workspace"].remedy


def test_runs_are_listed_for_people_and_for_scripts(workspace):
    run = tiny_run(workspace, label="first try")
    home = ["--home", str(workspace.home)]
    assert "first try" in CliRunner().invoke(cli, ["runs", *home]).stdout
    document = json.loads(CliRunner().invoke(cli, ["runs", "--json", *home]).stdout)[0]
    assert (document["id"], document["state"], document["kind"]) == (run.id, "queued", "train")


def test_a_ledger_that_somebody_changed_is_named_by_its_entry(workspace):
    with closing(open_store(workspace.database)) as db:
        for number in (1, 2, 3):
            ledger.append(db, "put_in_force", PutInForce(number=number, why="back"), author="wang")
        assert findings(workspace)["ledger"].ok
        db.execute("drop trigger ledger_no_update")
        with writing(db):
            db.execute("update ledger set author = 'li' where id = 2")
    found = findings(workspace)["ledger"]
    assert not found.ok and "2" in found.message and found.remedy
