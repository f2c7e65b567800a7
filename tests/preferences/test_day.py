"""A day of decisions ends in a version of pairs, a DPO run and a paired verdict, as a user would go."""

import json

import pytest
from typer.testing import CliRunner

from studio.cli.main import app
from studio.datasets.pair_versions import find_pair_version
from studio.evaluation.against_start import against_start, conclusion
from studio.preferences.freezing import freeze_pairs
from studio.preferences.selection import select
from studio.runs import get_run
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import open_workspace
from tests.support.evaluations import titles
from tests.support.preference_day import DayTitle, work_a_day
from tests.support.samples import numbered, write_folder
from tests.support.tiny_models import save_tiny_model
from tests.support.tiny_runs import end_job_process


def day_titles(count):
    names = load_scheme().names
    return [
        DayTitle(
            text=text,
            category=names[number % len(names)],
            chain=f"“{text[:2]}”说明属于{names[number % len(names)]}。",
            wrong=names[(number + 3) % len(names)],
            wrong_chain=f"看着像{names[(number + 3) % len(names)]}。",
        )
        for number, text in enumerate(titles(count))
    ]


@pytest.mark.slow
def test_a_day_of_decisions_ends_in_a_paired_verdict(tmp_path):
    workspace = open_workspace(tmp_path / "home")
    scheme = load_scheme()
    db = open_store(workspace.database)
    assert work_a_day(db, day_titles(72), scheme) >= 180
    found = select(db, workspace)
    assert all(found.by_kind[kind] for kind in ("dispute", "edit", "wrong"))
    version = freeze_pairs(db, workspace, "day", found, author="zhao", scheme=scheme)
    assert find_pair_version(workspace, "day") == version
    model = save_tiny_model(tmp_path / "model")
    held_out = write_folder(tmp_path / "held", train=numbered(3), eval=numbered(8, start=20))
    command = ["train", "--dataset", "day", "--model", str(model), "--held-out", str(held_out)]
    settings = {"stage": "dpo", "max_steps": "2", "evaluate_after": "[direct]", "allow_few_pairs": "true"}
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    try:
        done = CliRunner().invoke(app, [*command, "--json", "--home", str(workspace.home)])
    finally:
        end_job_process(workspace)
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["against_start"]["direct"]["n"] == 8 and document["version"] == "day@1"
    run = get_run(workspace, document["run"])
    assert run.spec.learning_rate < 1e-4 and run.spec.pref_ftx == 1.0
    [outcome] = against_start(run)
    assert outcome.has_won or "没有胜过起点" in conclusion([outcome]) or "比起点差" in conclusion([outcome])
    assert "起点" in outcome.comparison.verdict.sentence
