"""`news-studio gate | sealed | release | releases`: exit codes, documents, and names wherever a run is named."""

import json

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli.main import app
from studio.gate.sealed_evaluation import open_sealed
from studio.releases import ledger
from studio.store import open_store
from tests.support.candidates import answer_sealed, candidate, frozen


@pytest.fixture
def db(workspace, monkeypatch):
    monkeypatch.setenv("STUDIO_JOBS_DEVICES", "[]")
    return open_store(workspace.database)


@pytest.fixture
def version(db, workspace):
    return frozen(db, workspace, sealed_share=0.2)


def invoke(workspace, *arguments):
    return CliRunner().invoke(app, [*map(str, arguments), "--home", str(workspace.home)])


def document(workspace, *arguments, code=0):
    done = invoke(workspace, *arguments, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_from_a_gate_to_a_release_and_back(db, workspace, version):
    assert document(workspace, "releases") == {"releases": [], "ledger_broken_at": None}
    gate = document(
        workspace, "gate", "save", "--dataset", "news", "--min-accuracy", 0.6, "--min-sealed", 0.4
    )
    assert (gate["number"], gate["rule"]["accuracy"], gate["rule"]["sealed"]) == (1, 0.6, 0.4)
    assert len(document(workspace, "gate", "list")["gates"]) == 1
    run = candidate(workspace, version)
    checked = document(workspace, "gate", "check", run.id, code=1)
    assert checked["outcome"] == "incomplete" and checked["lines"][2]["why"] == "not_opened"
    _, job = open_sealed(db, workspace, "news", run.id, reason="最后检查", author="li")
    answer_sealed(runs.get_job(workspace, job.id), lambda row: row % 5 != 0)
    assert document(workspace, "gate", "check", run.id)["outcome"] == "passed"
    made = document(workspace, "release", run.id, "--name", "2026-12", "--sign", "李")
    assert (made["released"], made["name"], made["signed_by"], made["unchanged"]) == (
        True,
        "2026-12",
        "李",
        True,
    )
    assert made["gate"]["outcome"] == "passed" and made["in_force"]
    second = candidate(workspace, version, lambda row: row % 7 != 0)
    refused = document(workspace, "release", second.id, code=1)
    assert refused["released"] is False and refused["gate"]["outcome"] == "incomplete"
    assert document(workspace, "release", second.id, "--despite", "急用")["despite"] == "急用"
    listed = document(workspace, "releases")["releases"]
    assert [(each["name"], each["in_force"]) for each in listed] == [("release-2", True), ("2026-12", False)]
    assert document(workspace, "releases", "back")["name"] == "2026-12"
    assert document(workspace, "releases", "back", "release-2")["run"] == second.id
    (opened,) = document(workspace, "sealed", "list")["sealed"]
    assert opened["openings"][0]["reason"] == "最后检查" and opened["openings"][0]["author"] == "li"
    steps = [step["step"] for step in document(workspace, "releases", "show", "2026-12")["lineage"]]
    assert steps == ["data", "base", "training", "evaluation", "evaluation", "gate", "sealed", "release"]


def test_a_person_reads_lines_and_remedies(db, workspace, version):
    assert "还没有存过门槛" in invoke(workspace, "gate", "list").stdout
    run = candidate(workspace, version)
    missing = invoke(workspace, "gate", "check", run.id)
    assert missing.exit_code == 2 and "gate save" in missing.stderr
    invoke(workspace, "gate", "save", "--dataset", "news", "--min-accuracy", 0.95)
    late = invoke(workspace, "release", run.id)
    assert late.exit_code == 1 and "没过" in late.stderr and "--despite" in late.stderr
    assert invoke(workspace, "gate", "save", "--dataset", "news", "--may-be-worse").exit_code == 2
    assert invoke(workspace, "release", "nothing").exit_code == 2
    assert invoke(workspace, "releases", "back").exit_code == 2
    assert invoke(workspace, "sealed", "open", "other", run.id, "--reason", "x").exit_code == 2


def test_released_stands_where_a_run_is_named(db, workspace, version, tmp_path):
    old, new = candidate(workspace, version, label="旧"), candidate(workspace, version, lambda row: True)
    assert "还没有发布" in invoke(workspace, "compare", "released", new.id).stderr
    invoke(workspace, "release", old.id, "--name", "一")
    assert document(workspace, "compare", "released", new.id, "--answer", "direct")["a"]["name"] == "旧"
    refused = invoke(workspace, "runs", "delete", "一")
    assert refused.exit_code == 2 and "发布 一 的模型" in refused.stderr
    assert runs.get_run(workspace, old.id)
    assert invoke(workspace, "runs", "show", "released").exit_code == 0
    out = tmp_path / "report.html"
    assert invoke(workspace, "report", "released", "--out", out).exit_code == 0
    text = out.read_text(encoding="utf-8")
    assert "来历：从标题到发布" in text and "news-studio freeze news" in text and version.sha256 in text


def test_a_changed_ledger_is_named(db, workspace, version):
    invoke(workspace, "release", candidate(workspace, version).id)
    db.execute("drop trigger ledger_no_update")
    db.execute("update ledger set at = '2020-01-01T00:00:00+00:00' where id = 1")
    assert ledger.first_broken(db) == 1
    done = invoke(workspace, "releases")
    assert done.exit_code == 1 and "第 1 条" in done.stderr
    assert document(workspace, "releases", code=1)["ledger_broken_at"] == 1
