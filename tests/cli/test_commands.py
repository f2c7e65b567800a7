"""The command line: documented, JSON only where asked, exit codes and remedies, the loop for real."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from studio.cli.main import app
from studio.training.spec_loading import build_train_spec
from studio.workspace import BUNDLED_MODEL, open_workspace
from tests.support.tiny_runs import end_everything
from tests.support.workspaces import scored_run

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = typer.main.get_command(app)
COMMANDS = {
    "up": set(),
    "demo": set(),
    "check": set(),
    "import": set(),
    "annotations": {"export", "import"},
    "freeze": set(),
    "dataset": {"list", "diff", "export", "card"},
    "models": {"list", "check", "download"},
    "pairs": {"list", "freeze", "versions", "export"},
    "drafts": set(),
    "train": set(),
    "sample": set(),
    "runs": {
        "pause",
        "resume",
        "cancel",
        "retry",
        "move",
        "place",
        "list",
        "show",
        "rename",
        "note",
        "tag",
        "delete",
        "restore",
        "export",
    },
    "evaluate": set(),
    "compare": set(),
    "behaviour": set(),
    "calibrate": set(),
    "curve": set(),
    "forgetting": set(),
    "report": set(),
    "predictions": {"import", "export"},
    "gate": {"save", "check", "list"},
    "sealed": {"open", "list"},
    "release": set(),
    "releases": {"back", "card", "show"},
    "classify": set(),
    "serve": set(),
    "export": set(),
    "influence": set(),
    "backup": set(),
    "restore": set(),
    "rebuild": set(),
    "accounts": {"list", "invite", "password", "sign-out"},
    "doctor": set(),
}
"""Every command of `news-studio --help` with its subcommands; scripts rely on the names."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    yield folder
    end_everything(open_workspace(folder))


def invoke(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def subcommands(name):
    return set(getattr(PROGRAM.commands[name], "commands", ()))


def table_of(readme):
    """Read the command table: the text of the first cells by command."""
    cells = re.findall(
        r"^\| `news-studio (\w+)((?:\\\||[^|])*)\|", (ROOT / readme).read_text(encoding="utf-8"), re.MULTILINE
    )
    table = {}
    for name, rest in cells:
        table[name] = table.get(name, "") + rest
    return table


def test_the_commands_of_the_design_are_there():
    assert set(PROGRAM.commands) == set(COMMANDS)
    assert {name: subcommands(name) for name in COMMANDS} == COMMANDS


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_the_command_table_of_the_readme_lists_every_command(readme):
    table = table_of(readme)
    assert set(table) == set(COMMANDS)
    for name, rest in table.items():
        assert [each for each in subcommands(name) if not re.search(rf"\b{each}\b", rest)] == []


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_the_options_in_the_command_table_exist(readme):
    for name, rest in table_of(readme).items():
        known = [PROGRAM.commands[name], *getattr(PROGRAM.commands[name], "commands", {}).values()]
        options = {option for command in known for each in command.params for option in each.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "--set", "learning_rat=1"], 2, "learning_rat"),
        (["train", "--set", "learning_rate"], 2, "--set learning_rate=0.002"),
        (["train", "--set", "lora_rank=0"], 2, "lora_rank"),
        (["train", "none.yaml"], 2, "none.yaml"),
        (["train", "--dataset", "none"], 2, "none"),
        (["train", "--model", "none"], 2, "none"),
        (["evaluate", "none"], 2, "news-studio runs"),
        (["evaluate", "bundled", "--dataset", "none"], 2, "none"),
    ],
)
def test_what_cannot_be_used_is_one_message_with_the_remedy(home, arguments, code, message):
    done = invoke(*arguments, "--home", home)
    assert done.exit_code == code
    assert message in done.stderr and "办法" in done.stderr
    assert "Traceback" not in done.output and done.stdout == ""


def test_a_spec_file_is_read_and_options_win(home, tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text("learning_rate: 5e-6\nlora_rank: 8\n", encoding="utf-8")
    spec, version = build_train_spec(
        open_workspace(home), file, None, None, ["lora_rank=4", "eval_dataset=null"]
    )
    assert (spec.learning_rate, spec.lora_rank, spec.eval_dataset, version) == (5e-6, 4, None, None)
    assert spec.model_name_or_path == BUNDLED_MODEL


def test_the_language_is_a_setting():
    command = [sys.executable, "-c", "from studio.cli.main import main; main()", "train", "--dataset", "none"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"STUDIO_LANG": "en", "STUDIO_HOME": "/dev/null/x"}
    )
    assert done.returncode == 2 and "Remedy" in done.stderr


def test_a_base_model_is_evaluated_both_ways(home):
    for answer in ("chain", "direct"):
        done = invoke("evaluate", "bundled", "--home", home, "--answer", answer, "--limit", 6, "--json")
        scores = json.loads(done.stdout)
        assert done.exit_code == 0 and scores["n"] == 6 and scores["answer"] == answer
        assert set(scores["baselines"]) == {"majority", "tfidf"}
        assert len(scores["per_category"]) == 10 and len(scores["accuracy_interval"]) == 2
        assert ("rouge-1" in scores) and (scores["rouge-1"] is None) == (answer == "direct")


def test_a_short_training_run_is_listed_with_its_scores(home):
    settings = ["max_steps=2", "evaluate_after=[direct]", "eval_limit=10"]
    done = invoke("train", "--home", home, "--json", *[x for s in settings for x in ("--set", s)])
    assert done.exit_code == 0, done.output
    run = json.loads(done.stdout)["run"]
    listed = json.loads(invoke("runs", "--home", home, "--json").stdout)
    assert run in [entry["id"] for entry in listed]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bundled", "--host", "0.0.0.0"], "--api-key-file"),
        (["bundled", "--api-key", "sk-secret"], "ps"),
        (["bundled", "--also", "none"], "news-studio runs"),
        (["bundled", "--api-key-file", "no/such/file"], "no/such/file"),
    ],
)
def test_a_server_is_not_started_open_or_with_a_key_that_all_can_see(home, arguments, message, monkeypatch):
    monkeypatch.delenv("NEWS_STUDIO_SERVER_KEY", raising=False)
    done = invoke("serve", *arguments, "--home", home, "--port", "8011")
    assert done.exit_code == 2
    assert message in done.stderr and "sk-secret" not in done.output
    assert not (home / "serving/port-8011/spec.json").exists()


def test_runs_are_named_tagged_shown_trashed_and_restored_by_command(tmp_path):
    run = scored_run(open_workspace(tmp_path))

    def asked(*arguments):
        done = invoke("runs", *arguments, "--home", tmp_path, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    asked("rename", run.id, "best so far")
    asked("note", run.id, "rate too high")
    asked("tag", run.id, "--add", "final", "--add", "seed 1")
    asked("tag", run.id, "--remove", "final")
    found = asked("show", run.id)
    assert (found["label"], found["note"], found["tags"]) == ("best so far", "rate too high", ["seed 1"])
    assert found["settings"]["lora_rank"] and found["scores"]["chain"]["accuracy_interval"]
    assert [each["id"] for each in asked("list", "--tag", "seed 1", "--sort", "accuracy")] == [run.id]
    assert asked("list", "--search", "nothing like it") == []
    assert asked("delete", run.id) == {"trashed": [run.id]}
    assert [each["id"] for each in asked("list", "--trash")] == [run.id]
    assert run.id not in [each["id"] for each in asked("list")]
    asked("restore", run.id)
    compared = asked("show", run.id, "sample_run")
    assert len(compared["runs"]) == 2 and "learning_rate" in compared["differences"]
    refused = invoke("runs", "delete", "none", "--home", tmp_path)
    assert refused.exit_code == 2 and "none" in refused.stderr


def test_the_list_of_runs_for_people_has_scores_with_intervals(tmp_path):
    run = scored_run(open_workspace(tmp_path))
    lines = invoke("runs", "list", "--home", tmp_path).stdout
    assert run.id in lines and "50.0% (30%-70%, n=20)" in lines
