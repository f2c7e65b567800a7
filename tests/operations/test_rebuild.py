"""A lost database is rebuilt from the folders: the versions are the same, and work goes on with them."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from studio.corpus.titles import decided_titles
from studio.datasets.versions import find_version, freeze, list_versions
from studio.errors import DatabaseUnusable, InputError
from studio.ingest.importer import import_path
from studio.operations.rebuild import rebuild
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import BUNDLED_DATASET, open_workspace
from tests.support.old_workspaces import unpack


@pytest.fixture
def lived_in(tmp_path):
    unpack(tmp_path / "home")
    workspace = open_workspace(tmp_path / "home")
    with closing(open_store(workspace.database)):
        pass
    return workspace


def lose(workspace):
    kept = workspace.home.with_name("kept.db")
    shutil.copy(workspace.database, kept)
    workspace.database.unlink()
    return kept


def query(database, sql):
    with closing(sqlite3.connect(database)) as db:
        return db.execute(sql).fetchall()


FROZEN = (
    "select name, number, sha256, versions.created_at, version_rows.split, row, version_rows.title_id, text, titles.split,"
    " version_rows.decision_id, version_rows.category, decisions.category, chain, decisions.author"
    " from version_rows join versions on versions.id = version_id join titles on titles.id = version_rows.title_id"
    " join decisions on decisions.id = version_rows.decision_id order by 1, 2, 5, 6"
)


def test_versions_come_back_to_the_last_number(lived_in):
    kept = lose(lived_in)
    with pytest.raises(DatabaseUnusable):
        open_store(lived_in.database)
    found = rebuild(lived_in)
    # Sources are left aside: studios of old froze them as sentences, which a migration has made codes since.
    assert found.versions == ["news@1", "news@2"] and not found.left_out and found.runs
    assert query(lived_in.database, FROZEN) == query(kept, FROZEN)
    with closing(open_store(lived_in.database)) as db:
        for version in list_versions(db, lived_in):
            assert find_version(db, lived_in, version.ref).sha256 == version.sha256
        assert found.titles == len(decided_titles(db))


def test_work_goes_on_after_a_rebuild(tmp_path):
    workspace = open_workspace(tmp_path / "home")
    scheme = load_scheme()
    with closing(open_store(workspace.database)) as db:
        import_path(db, BUNDLED_DATASET, scheme)
        first = freeze(db, workspace, "news", author="test", scheme=scheme, accept_warnings=True)
    lose(workspace)
    rebuild(workspace)
    with closing(open_store(workspace.database)) as db:
        second = freeze(db, workspace, "news", author="test", scheme=scheme, accept_warnings=True)
        # The same decisions, so the same bytes; and what is the same title is known again.
        assert (second.number, second.sha256) == (2, first.sha256)
        report = import_path(db, BUNDLED_DATASET, scheme)
        assert report.added == 0


def test_a_damaged_version_is_left_out_with_the_reason(lived_in):
    lose(lived_in)
    (lived_in.datasets / "news/v1/train.json").write_text("[]")
    (lived_in.datasets / "news/v3").mkdir()
    (lived_in.datasets / "news/v3/version.json").write_text("{")
    found = rebuild(lived_in)
    assert found.versions == ["news@2"]
    assert set(found.left_out) == {"news/v1", "news/v3"}
    assert all(found.left_out.values())


def test_versions_of_two_workspaces_do_not_mix_their_numbers(lived_in, tmp_path):
    """Another workspace's version, copied in, uses the same numbers for other titles."""
    kept = lose(lived_in)
    other = open_workspace(tmp_path / "other")
    scheme = load_scheme()
    with closing(open_store(other.database)) as db:
        import_path(db, BUNDLED_DATASET, scheme)
        freeze(db, other, "sample", author="test", scheme=scheme, accept_warnings=True)
    shutil.copytree(other.datasets / "sample", lived_in.datasets / "sample")
    rebuild(lived_in)
    texts = "select text, version_rows.category, chain from version_rows join versions on versions.id = version_id"
    texts += " join titles on titles.id = version_rows.title_id join decisions on decisions.id = version_rows.decision_id where name = ?"
    for database, name in ((kept, "news"), (other.database, "sample")):
        sql = texts.replace("?", f"'{name}'")
        assert set(query(lived_in.database, sql)) == set(query(database, sql))


def test_a_database_that_is_there_is_not_rebuilt_and_nothing_is_no_source(lived_in, tmp_path):
    with pytest.raises(InputError):
        rebuild(lived_in)
    with pytest.raises(InputError):
        rebuild(open_workspace(tmp_path / "empty"))
    assert not (tmp_path / "empty/studio.db").exists()


def test_the_origin_of_every_row_is_in_version_json(lived_in):
    for path in lived_in.datasets.glob("*/v*/version.json"):
        for origins in json.loads(path.read_text())["rows"].values():
            assert all({"title_id", "decision_id", "source", "author"} <= set(origin) for origin in origins)
