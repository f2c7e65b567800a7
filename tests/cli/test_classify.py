"""`news-studio classify`: the queue, the worker and an endpoint that breaks in the middle, for real."""

import csv
import json

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli.main import app
from studio.workspace import open_workspace
from tests.support.tiny_runs import end_everything
from tests.support.tiny_teacher import Teacher

TITLES = [f"第{number}条标题" for number in range(14)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    yield folder
    end_everything(open_workspace(folder))


@pytest.fixture
def teacher():
    server = Teacher()
    yield server
    server.close()


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "早报.csv"
    lines = [f"A-{number},{title}" for number, title in enumerate([*TITLES, TITLES[0], ""])]
    path.write_text("\n".join(["编号,标题", *lines]) + "\n", encoding="gb18030")
    return path


def classify(home, *arguments):
    return CliRunner().invoke(app, ["classify", "--home", str(home), *map(str, arguments)])


def test_a_sheet_whose_endpoint_breaks_is_gone_on_with_and_written_whole(home, teacher, sheet):
    at = ["--endpoint", teacher.url, "--endpoint-model", "m", "--concurrency", 1]
    teacher.behave = lambda number, body: "<think>\n想\n</think>\n\n体育" if number <= 4 else "401"
    broken = classify(home, sheet, *at)
    assert broken.exit_code == 1 and "密钥" in broken.stderr
    (job,) = runs.list_jobs(open_workspace(home))
    assert f"news-studio classify --job {job.id}" in broken.stderr
    out = sheet.with_name("早报_classified.csv")
    assert not out.exists()
    asked = len(teacher.requests)
    teacher.behave = lambda number, body: "经济"
    done = classify(home, "--job", job.id, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["rows"], found["titles"], found["done"], found["errors"]) == (16, 14, 15, 1)
    assert found["categories"] == {"经济": 10, "体育": 5} and found["out"] == str(out)
    assert len(teacher.requests) == asked + 10
    rows = list(csv.DictReader(out.open(encoding="gb18030", newline="")))
    assert [row["类别"] for row in rows] == ["体育"] * 4 + ["经济"] * 10 + ["体育", ""]
    assert rows[0]["理由"] == "想" and rows[15]["编号"] == "A-15" and rows[15]["问题"]
    # Done: it is written once more, in another format, without asking anybody.
    again = classify(home, "--job", job.id, "--out", out.with_suffix(".jsonl"))
    assert again.exit_code == 0 and "16 行" in again.stdout
    assert len(teacher.requests) == asked + 10
    assert (
        json.loads(out.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()[0])["category"]
        == "体育"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--job"),
        (["SHEET", "--job", "x"], "--job"),
        (["SHEET", "--model", "none"], "news-studio runs"),
        (["SHEET", "--out", "a.docx"], "csv"),
        (["/no/where.csv"], "/no/where.csv"),
        (["SHEET", "--title-column", "没有"], "编号"),
        (
            ["SHEET", "--endpoint", "http://127.0.0.1:9/v1", "--endpoint-model", "m", "--answer", "direct"],
            "chain",
        ),
        (["--job", "none"], "none"),
    ],
)
def test_what_cannot_be_done_is_one_message_and_queues_nothing(home, sheet, arguments, message):
    before = len(runs.list_jobs(open_workspace(home)))
    done = classify(home, *[sheet if word == "SHEET" else word for word in arguments])
    assert done.exit_code in (1, 2) and message in done.stderr and "办法" in done.stderr
    assert "Traceback" not in done.output
    assert len(runs.list_jobs(open_workspace(home))) == before


def test_no_file_is_written_over(home, sheet):
    sheet.with_name("早报_classified.csv").write_text("mine")
    done = classify(home, sheet, "--model", "bundled")
    assert done.exit_code == 2 and "--out" in done.stderr
    assert sheet.with_name("早报_classified.csv").read_text() == "mine"
