"""The drafting worker against a real server that answers well, badly, late, or not at all."""

import json
import os
import signal
import subprocess
import sys

import pytest

from studio import runs
from studio.contract import Drafted, DraftSpec, Result, TitleToDraft
from studio.teacher.key import write_key
from studio.workspace import open_workspace
from tests.support.samples import CHAIN, TITLE
from tests.support.tiny_runs import wait_until
from tests.support.tiny_teacher import Teacher, well

KEY = "sk-very-secret-0123456789"


@pytest.fixture
def workspace(tmp_path):
    return open_workspace(tmp_path / "home")


@pytest.fixture
def teacher():
    server = Teacher()
    yield server
    server.close()


def prepared(workspace, url, titles=3, **settings):
    write_key(workspace.teacher_key, KEY, url)
    asked = [TitleToDraft(title_id=n, decision_id=n, title=TITLE, category="体育") for n in range(titles)]
    lines = "".join(title.model_dump_json() + "\n" for title in asked)
    settings = {"timeout_seconds": 5, "concurrency": 2, "attempts": 2, **settings}
    spec = DraftSpec(base_url=url, model="tiny", key_file=workspace.teacher_key, **settings)
    return runs.prepare_job(workspace, spec, files={"titles.jsonl": lines.encode()})


def start(job):
    with (job.folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "backend.draft", str(job.folder)], stdout=log, stderr=log
        )


def drafted(workspace, url, **options):
    """Run the worker to its end: its result and its lines."""
    job = prepared(workspace, url, **options)
    start(job).wait(60)
    return result(job), lines(job), job


def result(job):
    return Result.model_validate_json((job.folder / "result.json").read_bytes())


def lines(job):
    path = job.folder / "drafts.jsonl"
    return (
        [Drafted.model_validate_json(line) for line in path.read_text().splitlines()] if path.exists() else []
    )


def first(*ways):
    """Behave in these ways once each, then well."""
    return lambda number, body: ways[number - 1] if number <= len(ways) else well(number, body)


def test_every_title_gets_its_draft_with_the_real_usage(workspace, teacher):
    ended, found, job = drafted(workspace, teacher.url)
    assert ended.status == "done"
    assert sorted(line.title_id for line in found) == [0, 1, 2]
    assert {(line.chain, line.prompt_tokens, line.completion_tokens) for line in found} == {(CHAIN, 700, 90)}
    assert runs.progress(job).phase == "drafting"
    assert runs.progress(job).fraction == 1


def test_the_teacher_is_told_title_category_definition_and_pair_rules(workspace, teacher):
    drafted(workspace, teacher.url, titles=1)
    system, asked = (message["content"] for message in teacher.requests[0]["body"]["messages"])
    assert "60 到 250" in system
    assert TITLE in asked and "类别：体育" in asked and "体育的定义" in asked and "体育 / " in asked


def test_the_key_goes_into_the_request_and_nowhere_else(workspace, teacher):
    teacher.behave = lambda number, body: "401"  # the server repeats the key it was sent
    ended, found, job = drafted(workspace, teacher.url)
    assert teacher.requests[0]["headers"]["authorization"] == f"Bearer {KEY}"
    written = b"".join(path.read_bytes() for path in job.folder.rglob("*") if path.is_file())
    assert KEY.encode() not in written
    assert "***" in ended.message and ended.status == "failed" and "密钥" in ended.remedy
    assert not found


@pytest.mark.parametrize("way", ["429", "500", "drop", "garbage", "stall", "drip"])
def test_what_passes_is_tried_again(workspace, teacher, way):
    teacher.behave = first(way)
    patience = 3 if way in ("stall", "drip") else 60
    ended, found, _ = drafted(workspace, teacher.url, titles=1, timeout_seconds=patience)
    assert ended.status == "done"
    assert [(line.chain, line.attempts) for line in found] == [(CHAIN, 2)]


@pytest.mark.parametrize("way", ["400", "empty", "endless"])
def test_a_title_that_cannot_be_drafted_does_not_stop_the_others(workspace, teacher, way):
    teacher.behave = first(way)
    ended, found, _ = drafted(workspace, teacher.url, concurrency=1)
    assert ended.status == "done"
    assert [line.chain is None for line in found] == [True, False, False]
    assert found[0].problem


@pytest.mark.parametrize(
    ("way", "problem"),
    [("401", "密钥"), ("404", "没有模型"), ("302", "elsewhere.example"), ("quota", "额度")],
)
def test_what_would_fail_for_every_title_ends_the_job_at_once(workspace, teacher, way, problem):
    teacher.behave = lambda number, body: way
    ended, _, _ = drafted(workspace, teacher.url, titles=20, concurrency=1)
    assert ended.status == "failed"
    assert problem in ended.message and ended.remedy
    assert "secret-in-url" not in ended.message
    assert len(teacher.requests) == 1


def test_an_endpoint_that_goes_down_ends_the_job_and_keeps_the_drafts(workspace, teacher):
    teacher.behave = lambda number, body: well(number, body) if number < 3 else "500"
    ended, found, _ = drafted(workspace, teacher.url, titles=40, attempts=1, concurrency=4)
    assert ended.status == "failed" and "500" in ended.message
    assert sum(line.chain is not None for line in found) == 2
    assert len(found) < 16


def test_nobody_listening_is_one_message(workspace, teacher):
    teacher.close()
    ended, _, _ = drafted(workspace, teacher.url, titles=2, attempts=1)
    assert ended.status == "failed" and teacher.url in ended.message and ended.remedy


def test_a_weak_draft_is_sent_back_once_and_the_better_one_kept(workspace, teacher):
    teacher.behave = first("“绝杀”是赛场上的词，归体育。")
    _, found, _ = drafted(workspace, teacher.url, titles=1)
    assert [(line.chain, line.remarks, line.prompt_tokens) for line in found] == [(CHAIN, (), 1400)]
    assert "60 到 250" in teacher.requests[1]["body"]["messages"][-1]["content"]


def test_a_draft_that_stays_weak_is_kept_and_marked(workspace, teacher):
    teacher.behave = lambda number, body: "“绝杀”是赛场上的词，归体育。"
    _, found, _ = drafted(workspace, teacher.url, titles=1)
    assert found[0].remarks == ("chain_short",)
    assert len(teacher.requests) == 2


def test_reasoning_is_not_the_answer(workspace, teacher):
    teacher.behave = lambda number, body: "thinking"
    _, found, _ = drafted(workspace, teacher.url, titles=1)
    assert found[0].chain == CHAIN


def test_a_killed_worker_leaves_whole_lines(workspace, teacher):
    teacher.behave = lambda number, body: well(number, body) if number < 4 else "stall"
    job = prepared(workspace, teacher.url, titles=10, timeout_seconds=60)
    worker = start(job)
    wait_until(lambda: len(lines(job)) == 3)
    worker.kill()
    worker.wait()
    assert [line.chain for line in lines(job)] == [CHAIN] * 3
    assert not (job.folder / "result.json").exists()


def test_a_cancel_does_not_wait_for_the_answer(workspace, teacher):
    teacher.behave = lambda number, body: "stall"
    job = prepared(workspace, teacher.url, timeout_seconds=600)
    worker = start(job)
    wait_until(lambda: len(teacher.requests) == 2)
    (job.folder / "cancel").touch()
    assert worker.wait(50) == 0
    assert result(job).status == "cancelled"


def test_a_missing_key_is_said_before_anything_is_asked(workspace, teacher):
    job = prepared(workspace, teacher.url)
    workspace.teacher_key.unlink()
    start(job).wait(60)
    assert result(job).status == "failed" and "密钥" in result(job).message
    assert not teacher.requests


def test_a_key_reaches_no_other_address_than_its_own(workspace, teacher, monkeypatch):
    """Neither by a spec that was changed, nor by another run, nor out of the environment."""
    job = prepared(workspace, "https://the-own-address.example/v1", titles=1)
    spec = json.loads((job.folder / "spec.json").read_text()) | {"base_url": teacher.url}
    (job.folder / "spec.json").write_text(json.dumps(spec))
    start(job).wait(60)
    assert result(job).status == "failed" and "密钥" in result(job).message
    monkeypatch.setenv("NEWS_STUDIO_TEACHER_KEY", "sk-environment")
    monkeypatch.setenv("NEWS_STUDIO_TEACHER_URL", "https://the-own-address.example/v1")
    other = prepared(workspace, teacher.url, titles=1)
    spec |= {"key_file": None, "key_env": "NEWS_STUDIO_TEACHER_KEY"}
    (other.folder / "spec.json").write_text(json.dumps(spec))
    start(other).wait(60)
    assert result(other).status == "failed"
    assert not teacher.requests


def test_a_key_of_the_environment_is_found_by_name(workspace, teacher, monkeypatch):
    monkeypatch.setenv("NEWS_STUDIO_TEACHER_KEY", "sk-environment")
    _, _, job = drafted(workspace, teacher.url, titles=1)
    spec = json.loads((job.folder / "spec.json").read_text())
    spec |= {"key_file": None, "key_env": "NEWS_STUDIO_TEACHER_KEY"}
    (job.folder / "spec.json").write_text(json.dumps(spec))
    start(job).wait(60)
    assert teacher.requests[-1]["headers"]["authorization"] == "Bearer sk-environment"


def test_the_worker_loads_no_torch():
    code = "import sys, backend.draft; sys.exit('torch' in sys.modules or 'streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_sigterm_is_heeded(workspace, teacher):
    teacher.behave = lambda number, body: "stall"
    worker = start(prepared(workspace, teacher.url, timeout_seconds=600))
    wait_until(lambda: len(teacher.requests) == 2)
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(50) != 0
