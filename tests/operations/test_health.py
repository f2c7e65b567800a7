"""What a monitor is told is so: each part that is broken is named, and the numbers are the workspace's."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from prometheus_client.parser import text_string_to_metric_families

from studio.operations import health
from studio.operations.database_copies import copy_nightly
from studio.operations.health import check_health, metrics_text
from studio.store import open_store
from studio.workspace import open_workspace
from tests.support.broken_databases import BREAKS
from tests.support.old_workspaces import unpack
from tests.support.tiny_runs import tiny_run


@pytest.fixture
def workspace(tmp_path):
    unpack(tmp_path / "home")
    opened = open_workspace(tmp_path / "home")
    with closing(open_store(opened.database)):
        pass
    return opened


def numbers(workspace):
    families = text_string_to_metric_families(metrics_text(workspace).decode())
    return {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}


def test_the_numbers_are_those_of_the_workspace(workspace):
    copy_nightly(workspace, keep=1)
    found = numbers(workspace)
    with closing(sqlite3.connect(workspace.database)) as db:
        for status, count in db.execute("select status, count(*) from current_titles group by status"):
            assert found["news_studio_titles", ("status", status)] == count
        taken_back = db.execute("select count(*) from retractions").fetchone()[0]
        annotations = db.execute("select count(*) from annotations").fetchone()[0] - taken_back
        texts = [text for (text,) in db.execute("select text from titles")]
    assert found["news_studio_annotations",] == annotations
    assert found["news_studio_jobs", ("kind", "train"), ("state", "failed")] > 0
    assert found["news_studio_job_process_up",] == 0
    assert 0 <= found["news_studio_copy_age_seconds",] < 600
    assert (
        found["news_studio_label_seconds", ("quantile", "0.5")]
        <= found["news_studio_label_seconds", ("quantile", "0.95")]
    )
    written = metrics_text(workspace).decode()
    assert not any(text in written for text in texts)


def test_a_new_workspace_has_numbers_too_and_is_well(tmp_path):
    workspace = open_workspace(tmp_path / "home")
    assert check_health(workspace).is_well
    assert numbers(workspace)["news_studio_disk_free_bytes",] > 0


def test_each_part_that_is_broken_is_named(workspace, monkeypatch):
    assert check_health(workspace).to_json() == {
        "status": "ok", "database": True, "jobs": True, "disk": True, "problems": {},
    }  # fmt: skip
    tiny_run(workspace)
    assert set(check_health(workspace).problems) == {"jobs"}
    full = shutil.disk_usage(workspace.home)._replace(free=1)
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _folder: full)
    BREAKS["newer"](workspace.database)
    assert set(check_health(workspace).problems) == {"jobs", "disk", "database"}


def test_a_database_that_nobody_can_write_to_is_a_problem(workspace):
    with closing(sqlite3.connect(workspace.database, isolation_level=None)) as other:
        other.execute("begin immediate")
        assert set(check_health(workspace).problems) == {"database"}
        other.execute("rollback")
    assert check_health(workspace).is_well
