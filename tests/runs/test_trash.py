"""A deleted run is in the trash, comes back whole, and is gone only when it is deleted there."""

import json

import pytest

from studio import runs
from studio.errors import InputError
from studio.training.run_table import RunFilter, differences, found_rows, run_rows
from tests.support.tiny_runs import tiny_run
from tests.support.workspaces import scored_run


@pytest.fixture
def run(workspace):
    return scored_run(workspace)


def ids(workspace):
    return {row.run.id for row in run_rows(workspace) if not row.run.recorded}


def test_a_deleted_run_comes_back_as_it_was(workspace, run):
    runs.tag(workspace, run.id, ["seed, test", " seed "])
    before = sorted(str(path.relative_to(run.folder)) for path in run.folder.rglob("*"))
    runs.delete(workspace, run.id)
    assert ids(workspace) == set()
    (trashed,) = runs.list_trash(workspace)
    assert trashed.id == run.id and trashed.record.deleted_at
    runs.restore(workspace, run.id)
    back = runs.get_run(workspace, run.id)
    assert sorted(str(path.relative_to(back.folder)) for path in back.folder.rglob("*")) == before
    assert (back.state, back.record.tags, back.record.deleted_at) == ("done", ("seed", "test"), None)


def test_for_good_is_for_good_and_only_from_the_trash(workspace, run):
    with pytest.raises(InputError, match="回收站里没有"):
        runs.delete_for_good(workspace, run.id)
    runs.delete(workspace, run.id)
    runs.delete_for_good(workspace, run.id)
    assert runs.list_trash(workspace) == []
    assert not list(workspace.runs.glob(f"*{run.id}*"))


@pytest.mark.parametrize("name", ["../../x", "", ".", "none"])
def test_no_name_leads_out_of_the_trash(workspace, run, name):
    with pytest.raises(InputError):
        runs.restore(workspace, name)
    with pytest.raises(InputError):
        runs.delete_for_good(workspace, name)


def test_rows_are_searched_filtered_and_sorted(workspace, run):
    other, waiting = scored_run(workspace), tiny_run(workspace, label="waits")
    runs.rename(workspace, other.id, label="Better")
    runs.tag(workspace, other.id, ["final"])
    file = other.folder / "scores.json"
    scores = json.loads(file.read_text())
    scores["evaluations"]["chain"]["accuracy"] = 0.97
    file.write_text(json.dumps(scores))
    rows = run_rows(workspace)

    def found(order="newest", **wanted):
        kept = found_rows(rows, RunFilter(**wanted), order)
        return [row.run.id for row in kept if not row.run.recorded]

    assert found(tag="final") == found(text="better FINAL") == [other.id]
    assert found(state="queued") == [waiting.id]
    assert found("accuracy")[0] == other.id and found("accuracy")[-1] == waiting.id
    assert found(kind="evaluate") == [] and len(found(method="lora")) == 3
    assert found("name")[0] == other.id


def test_only_what_differs_is_listed(workspace, run):
    other = scored_run(workspace)
    file = other.folder / "spec.json"
    changed = {"lora_rank": 24, "loraplus_lr_ratio": 8.0, "save_total_limit": 9}
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))
    rows = [row for row in run_rows(workspace) if row.run.id in (run.id, other.id)]
    found = {each.name: each.values for each in differences(rows)}
    # No checkpoint is saved on the way, so how many are kept has no effect.
    assert found == {"lora_rank": (24, 16), "loraplus_lr_ratio": (8.0, None)}
    assert differences(rows[:1]) == []
