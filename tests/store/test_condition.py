"""A database that cannot be used is told from a new one, and nothing is written to it."""

import pytest

from studio.errors import DatabaseUnusable
from studio.store import open_store, require_usable
from tests.support.broken_databases import BREAKS, good_database


@pytest.fixture
def path(tmp_path):
    good_database(tmp_path / "studio.db")
    return tmp_path / "studio.db"


def content(path):
    return path.read_bytes() if path.is_file() else path.is_dir()


@pytest.mark.parametrize("name", [name for name in BREAKS if name != "torn"])
def test_an_unusable_database_is_refused_and_left_as_it_is(path, name):
    BREAKS[name](path)
    before = content(path)
    for use in (require_usable, open_store):
        with pytest.raises(DatabaseUnusable) as refused:
            use(path)
        assert refused.value.exit_code == 2
        assert str(path) in refused.value.problem
    assert content(path) == before


def test_a_new_workspace_and_one_that_is_rebuilt_get_their_database(path):
    new = path.with_name("new.db")
    require_usable(new)
    assert not new.exists()
    open_store(new)
    path.unlink()
    assert open_store(path, anew=True).execute("select count(*) from titles").fetchone() == (0,)


def test_versions_without_a_database_tell_that_one_is_lost(tmp_path):
    (tmp_path / "datasets/news/v1").mkdir(parents=True)
    (tmp_path / "datasets/news/v1/dataset_info.json").write_text("{}")
    with pytest.raises(DatabaseUnusable):
        open_store(tmp_path / "studio.db")
