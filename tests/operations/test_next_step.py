"""The next step of the loop follows from the state of the workspace."""

import pytest

from studio.annotation.requeue import send_back
from studio.corpus.titles import find_titles
from studio.datasets.versions import freeze
from studio.ingest.bundled import import_samples
from studio.ingest.importer import import_path, import_text
from studio.operations.next_step import standing
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import BUNDLED_DATASET, open_workspace
from tests.support.tiny_runs import tiny_run
from tests.support.workspaces import fill


@pytest.fixture
def workspace(tmp_path):
    return open_workspace(tmp_path)


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


def test_an_empty_workspace_begins_with_an_import(db, workspace):
    assert standing(db, workspace).next_step == "import"


def test_waiting_titles_are_to_be_labelled(db, workspace):
    import_text(db, "一个标题\n另一个标题", load_scheme())
    assert standing(db, workspace).next_step == "label"


def test_labelling_is_not_jumped_over_while_a_title_waits(db, workspace):
    import_samples(db, load_scheme(), author="ann")
    assert standing(db, workspace).next_step == "label"
    freeze(db, workspace, "news", author="ann", scheme=load_scheme())
    assert standing(db, workspace).next_step == "label"


def test_decided_titles_are_to_be_frozen(db, workspace):
    import_path(db, BUNDLED_DATASET, load_scheme())
    assert standing(db, workspace).next_step == "freeze"


def test_a_version_is_to_be_trained_on(db, workspace):
    import_path(db, BUNDLED_DATASET, load_scheme())
    freeze(db, workspace, "news", author="ann", scheme=load_scheme())
    assert standing(db, workspace).next_step == "train"


def test_a_scored_run_is_to_be_evaluated(db, workspace):
    run = fill(db, workspace)
    now = standing(db, workspace)
    assert (now.next_step, now.scored) == ("evaluate", run)


def test_what_was_sent_back_is_to_be_labelled(db, workspace):
    fill(db, workspace)
    send_back(db, [find_titles(db, limit=1)[0].id], reason="look", author="ann")
    assert standing(db, workspace).next_step == "label"


def test_damaged_scores_hide_no_older_score(db, workspace):
    run = fill(db, workspace)
    (tiny_run(workspace).folder / "scores.json").write_text("{")
    assert standing(db, workspace).scored == run


def test_a_run_without_scores_hides_no_older_score(db, workspace):
    run = fill(db, workspace)
    tiny_run(workspace)
    assert standing(db, workspace).scored == run
