"""The commands' exit codes, their JSON, and their one message when something is wrong."""

import json
import os
import subprocess
import sys

import pytest

from studio.ingest.import_batches import list_import_batches
from studio.store import open_store
from studio.workspace import BUNDLED_DATASET
from tests.support.samples import COURSE, needs_course_set, sample, write_folder, write_json


@pytest.fixture
def run(tmp_path):
    """Run a command as a user does, in a subprocess and a workspace of its own."""
    environment = {**os.environ, "STUDIO_HOME": str(tmp_path / "home"), "PYTHONIOENCODING": "utf-8"}
    code = "from studio.cli._data import app; app()"

    def call(*arguments, limit=None):
        start = (
            f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit},) * 2); " if limit else ""
        )
        command = [sys.executable, "-c", start + code, *map(str, arguments)]
        return subprocess.run(
            command, check=False, capture_output=True, env=environment, timeout=120, encoding="utf-8"
        )

    return call


def decided(tmp_path, count=20):
    folder = tmp_path / "set"
    train = [sample(f"第{number}轮联赛战报") for number in range(count)]
    return write_folder(folder, train=train, eval=[sample("女排夺冠")])


def test_check_of_good_data_is_zero(run, tmp_path):
    done = run("check", write_json(tmp_path / "a.json", [sample()]))
    assert done.returncode == 0
    assert "1 行" in done.stdout


def test_check_prints_one_json_document_and_nothing_else(run, tmp_path):
    done = run("check", write_json(tmp_path / "a.json", [sample(category="流水常至")]), "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["rows"], document["valid"]) == (1, 1, 0)
    assert document["counts"] == {"answer_not_category": 1}
    assert done.stderr == ""


def test_check_of_an_unreadable_file_is_two(run, tmp_path):
    (tmp_path / "a.json").write_text("[{")
    plain, as_json = run("check", tmp_path / "a.json"), run("check", tmp_path / "a.json", "--json")
    assert (plain.returncode, as_json.returncode) == (2, 2)
    assert "a.json" in plain.stderr
    assert json.loads(as_json.stdout)["counts"] == {"unreadable": 1}


@pytest.mark.parametrize(
    ("info", "code", "message"),
    [({}, 2, "没有一个数据集"), ({"news": {"hf_hub_url": "somebody/news"}}, 0, "info_elsewhere")],
)
def test_check_of_a_folder_without_rows_reports_why(run, tmp_path, info, code, message):
    write_json(tmp_path / "set" / "dataset_info.json", info)
    done = run("check", tmp_path / "set")
    assert done.returncode == code and message in done.stdout + done.stderr


def test_check_of_nothing_is_two_with_a_message(run, tmp_path):
    done = run("check", tmp_path / "nowhere")
    assert done.returncode == 2
    assert "没有这个文件" in done.stderr
    assert "Traceback" not in done.stderr


def test_fix_writes_the_copy(run, tmp_path):
    source = write_json(tmp_path / "a.json", [sample(category="“体育”")])
    done = run("check", source, "--fix", tmp_path / "b.json")
    assert done.returncode == 1
    assert json.loads((tmp_path / "b.json").read_text(encoding="utf-8")) == [sample()]


def test_fix_over_the_input_is_refused(run, tmp_path):
    source = write_json(tmp_path / "a.json", [sample()])
    done = run("check", source, "--fix", source)
    assert done.returncode == 2
    assert "已经存在" in done.stderr


@pytest.mark.parametrize("path", ["bundled", BUNDLED_DATASET])
def test_the_bundled_samples_come_with_titles_to_label(run, path):
    told = json.loads(run("import", path, "--json").stdout)
    assert (told["rows"], told["decided"], told["waiting"]) == (450, 400, 50)


def test_import_reports_in_json(run, tmp_path):
    done = run("import", decided(tmp_path), "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["rows"], report["added"], report["decided"]) == (0, 21, 21, 21)


def test_import_lists_the_refused_rows(run, tmp_path):
    done = run("import", write_json(tmp_path / "a.json", [sample(), {"id": 1}]))
    assert done.returncode == 0
    assert "a.json:2" in done.stdout


def test_import_takes_home(run, tmp_path):
    assert run("import", decided(tmp_path), "--home", tmp_path / "elsewhere").returncode == 0
    assert (tmp_path / "elsewhere" / "studio.db").is_file()


def test_import_of_an_unreadable_file_is_two(run, tmp_path):
    (tmp_path / "a.json").write_bytes(b"")
    done = run("import", tmp_path / "a.json")
    assert done.returncode == 2
    assert "空文件" in done.stderr


def test_import_into_a_home_that_cannot_be_made_is_two(run, tmp_path):
    (tmp_path / "file").write_text("")
    done = run("import", decided(tmp_path), "--home", tmp_path / "file" / "home")
    assert done.returncode == 2
    assert "--home" in done.stderr


def test_freeze_reports_in_json(run, tmp_path):
    run("import", decided(tmp_path))
    version = json.loads(run("freeze", "news", "--json").stdout)
    assert (version["ref"], version["rows"]) == ("news@1", {"train": 20, "eval": 1})
    assert json.loads(run("freeze", "news", "--json").stdout)["sha256"] == version["sha256"]


def test_freeze_takes_a_list_of_titles_to_evaluate(run, tmp_path):
    rows = [
        sample(f"{name}今天发布年度报告") for name in ("海关总署", "民航局", "地震台网", "文旅部", "证监会")
    ]
    run("import", write_json(tmp_path / "a.json", rows))
    (tmp_path / "list.txt").write_text("民航局今天发布年度报告\n没有的标题\n", encoding="utf-8")
    refused = run("freeze", "news", "--eval-list", tmp_path / "list.txt")
    assert (
        refused.returncode == 1 and "没有的标题" in refused.stderr and "--accept-warnings" in refused.stderr
    )
    done = run("freeze", "news", "--eval-list", tmp_path / "list.txt", "--accept-warnings", "--json")
    version = json.loads(done.stdout)
    assert version["rows"] == {"train": 4, "eval": 1} and "没有的标题" in version["notes"][-1]


def test_freeze_of_nothing_is_one_with_the_remedy(run):
    done = run("freeze", "news")
    assert done.returncode == 1
    assert "news-studio import" in done.stderr


def test_freeze_with_an_impossible_share_is_two(run, tmp_path):
    run("import", decided(tmp_path))
    assert run("freeze", "news", "--eval-share", "3").returncode == 2


@pytest.mark.parametrize("limit", [20_000, 60_000])
def test_freeze_on_a_full_disk_is_one_and_changes_nothing(run, tmp_path, limit):
    run("import", decided(tmp_path, 300))
    done = run("freeze", "news", limit=limit)
    assert done.returncode == 1
    assert "磁盘" in done.stderr
    assert json.loads(run("freeze", "news", "--json").stdout)["number"] == 1


def test_import_on_a_full_disk_is_one_and_can_be_repeated(run, tmp_path):
    run("import", decided(tmp_path))
    rows = write_json(tmp_path / "b.json", [sample(f"第{number}号台风") for number in range(3000)])
    done = run("import", rows, limit=300_000)
    assert done.returncode == 1
    assert "磁盘" in done.stderr
    assert json.loads(run("import", rows, "--json").stdout)["rows"] == 3000


@needs_course_set
def test_the_course_set_goes_through(run, tmp_path):
    checked = json.loads(run("check", COURSE, "--json").stdout)
    assert (checked["rows"], checked["counts"]["answer_not_category"]) == (400, 35)
    imported = json.loads(run("import", COURSE, "--json").stdout)
    assert (imported["rows"], imported["added"] + imported["merged"]) == (400, 400)
    assert json.loads(run("freeze", "course", "--json").stdout)["rows"] == {"train": 267, "eval": 93}


def test_import_takes_the_columns_that_are_named(run, tmp_path):
    (tmp_path / "a.csv").write_text("甲,乙,丁,戊\n女排夺冠,体育,新华社,2024-05-01\n", encoding="utf-8")
    assert run("import", tmp_path / "a.csv").returncode == 2
    columns = (
        "--title-column",
        "甲",
        "--category-column",
        "乙",
        "--source-column",
        "丁",
        "--date-column",
        "戊",
    )
    done = run("import", tmp_path / "a.csv", *columns, "--json")
    assert json.loads(done.stdout)["decided"] == 1


def test_preview_shows_and_imports_nothing(run, tmp_path):
    (tmp_path / "a.csv").write_bytes("甲,类别\n女排夺冠,体育\n央行降息,经济\n".encode("gbk"))
    done = run("import", tmp_path / "a.csv", "--title-column", "甲", "--preview", "--json")
    shown = json.loads(done.stdout)
    assert (shown["encoding"], shown["columns"]) == ("GB18030", ["甲", "类别"])
    assert (shown["chosen"]["title"], shown["chosen"]["category"]) == ("甲", "类别")
    assert [row["title"] for row in shown["rows"]] == ["女排夺冠", "央行降息"]
    (tmp_path / "b.csv").write_text("甲,乙\n1,2\n3,4\n", encoding="utf-8")
    assert "--title-column" in run("import", tmp_path / "b.csv", "--preview").stdout
    assert json.loads(run("import", "--list", "--json").stdout) == []


def test_imports_are_listed_and_undone(run, tmp_path):
    run("import", decided(tmp_path))
    (batch,) = json.loads(run("import", "--list", "--json").stdout)
    assert (batch["added"], batch["state"]) == (21, "done")
    assert "21 行" in run("import", "--list").stdout
    done = run("import", "--undo", batch["id"], "--json")
    assert (done.returncode, json.loads(done.stdout)["withdrawn"]) == (0, 21)
    assert run("import", "--undo", batch["id"]).returncode == 2
    assert run("freeze", "news").returncode == 1


INTERRUPTED = """
import signal, sys
from studio.cli.main import main
from studio.ingest.importer import judge_each

def judged(rows, scheme):
    for number, row in enumerate(judge_each(rows, scheme)):
        if number == 12_000:
            signal.raise_signal(signal.SIGINT)
        yield row

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.modules["studio.ingest.importer"].judge_each = judged
main()
"""


def test_an_interrupted_import_reports_that_nothing_was_imported(tmp_path):
    (tmp_path / "a.txt").write_text(
        "\n".join(f"第{n}号台风最新消息" for n in range(20_000)), encoding="utf-8"
    )
    command = ["import", str(tmp_path / "a.txt"), "--home", str(tmp_path / "home"), "--json"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *command],
        check=False,
        capture_output=True,
        env=environment,
        timeout=120,
        encoding="utf-8",
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.startswith("已取消，没有导入任何标题")
    assert "Traceback" not in done.stderr
    db = open_store(tmp_path / "home" / "studio.db")
    assert [batch.state for batch in list_import_batches(db)] == ["cancelled"]
    assert db.execute("select count(*) from titles").fetchone()[0] == 0


def test_import_writes_its_report(run, tmp_path):
    rows = write_json(tmp_path / "a.json", [sample(), {"id": 1}])
    assert run("import", rows, "--report", tmp_path / "report.csv").returncode == 0
    lines = (tmp_path / "report.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(",")[2] for line in lines] == ["结果", "新增", "拒收"]


@pytest.mark.parametrize("arguments", [(), ("--list", "--undo", "1"), ("a.json", "--list")])
def test_import_wants_one_thing(run, arguments):
    assert run("import", *arguments).returncode == 2
