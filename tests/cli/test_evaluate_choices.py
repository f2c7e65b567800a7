"""The command evaluates a chosen checkpoint and samples; what cannot be is refused with what there is."""

import shutil

import pytest
from typer.testing import CliRunner

from backend.data.labelled_rows import labelled_rows
from studio import runs
from studio.cli.main import app
from studio.samples.scheme import load_scheme
from studio.store import open_store
from tests.support.workspaces import fill


@pytest.fixture
def run(workspace):
    return fill(open_store(workspace.database), workspace)


def evaluate(run, *words):
    return CliRunner().invoke(app, ["evaluate", run.id, "--limit", "1", *words])


def spec_of_newest(workspace):
    return next(each.spec for each in runs.list_runs(workspace) if each.spec.kind == "evaluate")


def test_a_checkpoint_is_chosen_by_its_name(workspace, run):
    early = run.folder / "checkpoints/step_000000"
    shutil.copytree(run.folder / "checkpoints/step_000001", early)
    evaluate(run, "--checkpoint", "step_000000", "--temperature", "0.8", "--samples", "5", "--top-k", "20")
    spec = spec_of_newest(workspace)
    assert spec.adapter_name_or_path == early and spec.run == run.id
    assert (spec.temperature, spec.samples, spec.top_k) == (0.8, 5, 20)


def test_a_checkpoint_that_is_not_there_names_those_that_are(workspace, run):
    done = evaluate(run, "--checkpoint", "step_9")
    assert done.exit_code == 2 and "step_000001" in done.output
    assert runs.checkpoints(run) == ["step_000001"]


def test_samples_without_a_temperature_are_refused(workspace, run):
    done = evaluate(run, "--samples", "5")
    assert done.exit_code == 2 and "temperature" in done.output


def test_a_file_of_labelled_titles_is_evaluated(workspace, run, tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text("标题,类别\n主队补时绝杀夺冠,体育\n央行下调利率,经济\n看天气,旅游\n", encoding="utf-8")
    for _ in range(2):
        evaluate(run, "--dataset", str(file))
    spec = spec_of_newest(workspace)
    assert len(list(spec.dataset_dir.parent.iterdir())) == 1  # the same rows are the same folder
    found, skipped = labelled_rows(spec.dataset_dir, spec.dataset, load_scheme())
    assert [(row.title, row.category) for row in found] == [
        ("主队补时绝杀夺冠", "体育"),
        ("央行下调利率", "经济"),
    ]
    assert not skipped


def test_a_file_without_answers_is_refused(workspace, run, tmp_path):
    (tmp_path / "titles.txt").write_text("主队补时绝杀夺冠\n", encoding="utf-8")
    done = evaluate(run, "--dataset", str(tmp_path / "titles.txt"))
    assert done.exit_code == 2 and "titles.txt" in done.output
