"""A run whose base was exchanged is refused by every command that would load it, with the base it needs."""

import shutil

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli.main import app
from tests.support.model_folders import WIDTH, make_adapter, make_model
from tests.support.workspaces import scored_run


@pytest.fixture
def run(workspace):
    """A scored run; under the name of its base there is now a wider model."""
    made = scored_run(workspace)
    make_model(made.spec.model_name_or_path, width=2 * WIDTH)
    return made


def refused(*arguments):
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exit_code == 2, done.output
    assert "不适用于基座" in done.stderr and "办法" in done.stderr and "Traceback" not in done.output
    return done.stderr


def own_runs(workspace):
    return [run.id for run in runs.list_runs(workspace) if not run.recorded]


@pytest.mark.parametrize("command", ["evaluate", "serve"])
def test_a_run_on_another_base_is_refused_at_once(workspace, run, command):
    told = refused(command, run.id, "--home", workspace.home)
    assert str(run.spec.model_name_or_path) in told and "换回原来的" in told
    assert own_runs(workspace) == [run.id]
    assert not any(workspace.serving.iterdir())


def test_training_on_an_adapter_of_another_base_is_refused_before_it_is_queued(workspace, run, tmp_path):
    adapter = make_adapter(tmp_path / "adapter", "Qwen/Qwen3-0.6B", width=WIDTH)
    model = run.spec.model_name_or_path
    told = refused(
        "train", "--model", model, "--set", f"adapter_name_or_path={adapter}", "--home", workspace.home
    )
    assert "Qwen/Qwen3-0.6B" in told
    assert own_runs(workspace) == [run.id]


def test_a_run_whose_base_has_moved_is_not(workspace, tmp_path):
    from studio.models.targets import resolve_target

    run = scored_run(workspace)
    moved = make_model(tmp_path / "elsewhere")
    shutil.move(moved, run.spec.model_name_or_path)
    assert resolve_target(workspace, run.id)[0] == run.spec.model_name_or_path
