"""`news-studio compare`: one document, a verdict in words, refusals with the way out."""

import json

import pytest
from typer.testing import CliRunner

from studio.cli.main import app
from studio.workspace import SAMPLE_RUN, open_workspace
from tests.support.evaluations import finished, predictions, titles

TITLES = titles(80)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    place = open_workspace(tmp_path_factory.mktemp("home"))
    right = {"low": 30, "high": 60, "middle": 40}
    for label, count in right.items():
        finished(
            place,
            [
                *predictions(TITLES, lambda row, count=count: row < count),
                *predictions(TITLES, lambda row, count=count: row < count + 5, "direct"),
            ],
            label=label,
        )
    finished(place, predictions([*TITLES[:70], *titles(10, seed=3)], lambda row: True), label="other rows")
    return place.home


def invoke(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_the_document_has_the_keys_that_scripts_use(home):
    done = invoke("compare", "low", "high", "--home", home, "--json")
    document = json.loads(done.stdout)
    keys = {"a", "b", "n", "fixed", "broken", "difference", "interval", "p_value", "verdict"}
    assert done.exit_code == 0 and keys <= set(document)
    assert (document["fixed"], document["broken"], document["verdict"]) == (30, 0, "better")
    assert len(document["fixed_titles"]) == 30 and document["fixed_titles"][0]["b"]
    assert document["other_answers"]["direct"]["fixed"] == 30
    assert document["a"]["accuracy"] == 30 / 80


def test_a_person_reads_the_verdict_first(home):
    done = invoke("compare", "low", "high", "--home", home)
    assert done.exit_code == 0 and done.stdout.startswith("high 比 low 好")
    assert "修好 30 条" in done.stdout and "一个随机种子" in done.stdout


def test_a_way_of_answering_can_be_chosen_and_up_to_six_runs_named(home):
    done = invoke("compare", "low", "high", "middle", "--home", home, "--json", "--answer", "direct")
    document = json.loads(done.stdout)
    assert [each["fixed"] for each in document["comparisons"]] == [30, 10]
    assert "other_answers" not in document
    both = invoke(
        "compare", f"{SAMPLE_RUN.name}:chain", f"{SAMPLE_RUN.name}:direct", "--home", home, "--json"
    )
    assert json.loads(both.stdout)["n"] == 100
    assert invoke("compare", "low", "--home", home).exit_code == 2
    assert invoke("compare", "low", "nobody", "--home", home).exit_code == 2


def test_different_rows_are_refused_with_the_way_out(home):
    done = invoke("compare", "low", "other rows", "--home", home, "--json")
    assert done.exit_code == 1 and "--common" in done.stderr
    assert json.loads(done.stdout)["verdict"] == "not_comparable"
    common = json.loads(invoke("compare", "low", "other rows", "--home", home, "--common", "--json").stdout)
    assert common["n"] == 70 and "common_rows" in common["notes"]


def test_predictions_come_in_and_go_out(home, tmp_path):
    table = tmp_path / "model.csv"
    table.write_text("title,label,predicted\n女排夺冠,体育,体育\n央行降息,经济,国内\n", encoding="utf-8")
    document = json.loads(
        invoke("predictions", "import", table, "--home", home, "--json", "--name", "theirs").stdout
    )
    assert (document["imported"], document["accuracy"]) == (2, 0.5)
    out = tmp_path / "out.parquet"
    done = invoke("predictions", "export", "theirs", out, "--home", home)
    assert done.exit_code == 0 and out.stat().st_size > 100
    assert invoke("predictions", "export", "theirs", out, "--home", home).exit_code == 2
    assert invoke("predictions", "import", tmp_path / "none.csv", "--home", home).exit_code == 2


def test_a_report_is_written_once(home, tmp_path):
    out = tmp_path / "report.html"
    done = invoke("report", "low", "high", "--home", home, "--out", out, "--lang", "en", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["out"] == str(out)
    assert "is better than low" in out.read_text(encoding="utf-8")
    assert invoke("report", "low", "--home", home, "--out", out).exit_code == 2
    assert invoke("report", "low", "--home", home, "--out", tmp_path / "one.html").exit_code == 0
