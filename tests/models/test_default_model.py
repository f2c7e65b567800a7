"""The default model is the best measured run, or what somebody chose: never what ran last."""

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli.main import app
from studio.contract import Result
from studio.errors import InputError
from studio.models.default_model import choose_default, default_model
from studio.runs import change_record
from studio.system.locks import take_lock
from studio.workspace import BUNDLED_NAME
from tests.support.workspaces import base_model, scored_run


@pytest.fixture
def best(workspace):
    base_model(workspace.models / "small")
    return scored_run(workspace)


def changed_spec(run, **changes):
    file = run.folder / "spec.json"
    file.write_text(run.spec.model_copy(update=changes).model_dump_json())


def ended(run, **changes):
    file = run.folder / "result.json"
    file.write_text(Result.model_validate_json(file.read_text()).model_copy(update=changes).model_dump_json())


SPOILED = {
    "smoke": lambda run: changed_spec(run, max_steps=30),
    "cancelled": lambda run: ended(run, status="cancelled"),
    "member of a sweep": lambda run: change_record(run.folder, worked_by="sweep-1"),
    "never measured": lambda run: (run.folder / "scores.json").unlink(),
    "without its checkpoint": lambda run: (run.folder / "checkpoints").rename(run.folder / "gone"),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_what_ran_last_is_not_the_default_unless_it_was_measured_as_a_whole(workspace, best, spoil):
    spoil(scored_run(workspace))
    assert default_model(workspace) == best.id
    runs.delete(workspace, best.id)
    assert default_model(workspace) == runs.list_runs(workspace)[-1].id  # the recorded one that ships


def test_a_chosen_default_stays_until_it_cannot_be_used(workspace, best):
    later = scored_run(workspace)
    changed_spec(later, max_steps=30)
    choose_default(workspace, later.id)
    assert default_model(workspace) == later.id
    runs.delete(workspace, later.id)
    assert default_model(workspace) == best.id
    choose_default(workspace, BUNDLED_NAME)
    assert default_model(workspace) == BUNDLED_NAME
    choose_default(workspace, None)
    assert default_model(workspace) == best.id
    with pytest.raises(InputError):
        choose_default(workspace, "nothing")


def test_serve_without_a_name_takes_the_default(workspace, best):
    choose_default(workspace, best.id)
    folder = workspace.serving / "port-9"
    folder.mkdir(parents=True)
    with (folder / "alive").open("a") as lock:  # another server has the port: nothing is started
        assert take_lock(lock)
        done = CliRunner().invoke(app, ["serve", "--home", str(workspace.home), "--port", "9"])
    assert f"默认模型：{best.id}" in done.stderr
    assert done.exit_code == 1
