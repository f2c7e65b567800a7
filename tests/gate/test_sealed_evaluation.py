"""A sealed set is opened by a job whose answers no list shows; every opening is written down and counted."""

import shutil
from dataclasses import replace

import pytest

from studio import runs
from studio.errors import InputError, StudioError
from studio.evaluation.entries import list_entries
from studio.gate.evidence import list_openings, sealed_titles_trained
from studio.gate.gates import save_gate
from studio.gate.judging import judge
from studio.gate.lineage import lineage
from studio.gate.sealed_evaluation import open_sealed
from studio.releases import ledger
from studio.runs import Run
from studio.samples.scheme import load_scheme
from studio.store import open_store
from tests.support.candidates import answer_sealed, candidate, frozen, rows_of


@pytest.fixture
def db(workspace, monkeypatch):
    # The tests do the work of the opened set themselves, where they want it done.
    monkeypatch.setenv("STUDIO_JOBS_DEVICES", "[]")
    return open_store(workspace.database)


@pytest.fixture
def version(db, workspace):
    return frozen(db, workspace, count=240, sealed_share=0.25)


@pytest.fixture
def run(workspace, version):
    return candidate(workspace, version)


def opened(db, workspace, run, reason="发布前的最后检查"):
    return open_sealed(db, workspace, "news", run.id, reason=reason, author="李")


def sealed_line(db, workspace, run):
    gate = save_gate(db, workspace, dataset="news", author="ann", not_worse=False, sealed=0.5)
    (line,) = judge(db, workspace, gate, run).result.lines
    return line


def test_an_opening_says_who_when_for_which_run_and_why(db, workspace, run):
    opening, job = opened(db, workspace, run)
    (entry,) = ledger.read(db, "sealed_opened")
    assert list_openings(db) == [opening] and entry.author == "李"
    assert (opening.dataset, opening.number, opening.run, opening.opening) == ("news", 1, run.id, 1)
    assert opening.reason == "发布前的最后检查" and job.spec.sealed == "news#1"
    assert len(rows_of(job.folder, "eval")) == 60
    for reason in ("", "   "):
        with pytest.raises(InputError, match="原因"):
            opened(db, workspace, run, reason)
    with pytest.raises(InputError, match="没有封存"):
        open_sealed(db, workspace, "other", run.id, reason="x", author="李")
    with pytest.raises(InputError, match="不是运行"):
        open_sealed(db, workspace, "news", "bundled", reason="x", author="李")
    assert len(list_openings(db)) == 1


def test_its_answers_are_in_no_list_of_runs_or_evaluations(db, workspace, run):
    _, job = opened(db, workspace, run)
    answer_sealed(job, lambda row: True)
    job = runs.get_job(workspace, job.id)
    assert job.state == "done" and not isinstance(job, Run)
    assert job.id not in {each.id for each in runs.list_runs(workspace)}
    assert job.id not in {each.runs[0].id for each in list_entries(workspace)}
    with pytest.raises(InputError):
        runs.get_run(workspace, job.id)
    assert not runs.can_retry(job)
    with pytest.raises(InputError, match="不能原样重来"):
        runs.prepare_retry(workspace, job)


def test_the_line_follows_the_opening(db, workspace, run):
    assert sealed_line(db, workspace, run).why == "not_opened"
    _, job = opened(db, workspace, run)
    assert sealed_line(db, workspace, run).why == "being_answered"
    with pytest.raises(InputError, match="正在回答"):
        opened(db, workspace, run)
    answer_sealed(job, lambda row: row % 4 != 0)
    line = sealed_line(db, workspace, run)
    assert (line.status, line.value, line.n, line.detail["openings"]) == ("green", 0.75, 60, 1)


def test_every_further_opening_is_counted_whoever_it_is_for(db, workspace, version, run):
    other = candidate(workspace, version)
    for each, count in ((run, 1), (other, 2), (run, 3)):
        opening, job = opened(db, workspace, each)
        answer_sealed(job, lambda row: row % 3 == 0)
        assert opening.opening == count
    line = sealed_line(db, workspace, run)
    assert (line.status, line.detail["openings"]) == ("red", 3)
    assert [step.code for step in lineage(db, workspace, run)].count("sealed") == 2


def test_titles_that_were_trained_on_after_all_turn_the_line_red(db, workspace, version, run):
    _, job = opened(db, workspace, run)
    answer_sealed(job, lambda row: True)
    assert sealed_titles_trained(workspace, run, job, load_scheme()) == 0
    leaked = [title for title, _ in rows_of(job.folder, "eval")][:3]
    own = [title for title, _ in rows_of(version.folder, "train")][:3]
    elsewhere = workspace.home / "elsewhere"
    shutil.copytree(version.folder, elsewhere)
    text = (elsewhere / "train.json").read_text(encoding="utf-8")
    for before, after in zip(own, (leaked[0], leaked[1], f"{leaked[2]}！快讯"), strict=True):
        text = text.replace(f"新闻分类：{before}", f"新闻分类：{after}")
    (elsewhere / "train.json").write_text(text, encoding="utf-8")
    cheat = candidate(workspace, replace(version, folder=elsewhere))
    _, job = opened(db, workspace, cheat)
    answer_sealed(job, lambda row: True)
    line = sealed_line(db, workspace, cheat)
    assert (line.status, line.why, line.detail["trained"]) == ("red", "sealed_titles_trained", 3)


def test_an_opening_that_cannot_be_written_down_answers_nothing(db, workspace, run, monkeypatch):
    def full(*_, **__):
        raise StudioError("full", remedy="x")

    monkeypatch.setattr(ledger, "append", full)
    before = {job.id for job in runs.list_jobs(workspace)}
    with pytest.raises(StudioError, match="full"):
        opened(db, workspace, run)
    assert {job.id for job in runs.list_jobs(workspace)} == before
