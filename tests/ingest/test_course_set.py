"""The tutorial's own data through the whole path: nothing lost, nothing guessed, beside baselines."""

import json

import pytest
from typer.testing import CliRunner

from studio.cli.main import app
from studio.workspace import open_workspace
from tests.support.samples import COURSE, needs_course_set
from tests.support.tiny_models import scores_of
from tests.support.tiny_runs import end_everything

pytestmark = needs_course_set


def news_studio(*arguments, code=0):
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    yield folder
    end_everything(open_workspace(folder))


def test_check_reports_exactly_the_rows_whose_answer_is_no_category():
    report = news_studio("check", COURSE, code=1)
    found = [p for p in report["problems"] if p["code"] == "answer_not_category"]
    assert sum(p["file"].endswith("train.json") for p in found) == 29
    assert sum(p["file"].endswith("eval.json") for p in found) == 6
    assert all(p["row"] >= 1 and p["message"] and "repair" in p for p in found)
    assert {p["repair"] for p in found if p["repair"]} <= {"经济", "社会", "教育", "国际", "娱乐"}


def test_the_whole_path_from_dirty_rows_to_scores(home):
    imported = news_studio("import", COURSE, "--home", home)
    assert imported["rows"] == 400 and imported["refused"] == []
    assert imported["added"] + imported["merged"] == 400
    assert imported["decided"] + imported["waiting"] == imported["added"]
    assert imported["waiting"] >= 35

    version = news_studio("freeze", "course", "--home", home)
    assert version["rows"]["train"] + version["rows"]["eval"] == imported["decided"]

    run = news_studio(
        "train", "--home", home, "--dataset", "course",
        "--set", "max_steps=4", "--set", "evaluate_after=[direct]", "--set", "eval_limit=20",
    )  # fmt: skip
    assert run["status"] == "done"
    scores = scores_of(home / "runs" / run["run"]).evaluations["direct"]
    assert scores.n == 20 and set(scores.baselines) == {"majority", "tfidf"}

    evaluated = news_studio(
        "evaluate", run["run"], "--home", home, "--dataset", "course", "--answer", "direct"
    )
    assert evaluated["n"] == version["rows"]["eval"]
    assert evaluated["baselines"]["majority"] < evaluated["baselines"]["tfidf"]
    assert sum(map(sum, evaluated["confusion"]["counts"])) == evaluated["n"]
