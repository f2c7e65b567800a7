"""A folder made for LLaMA-Factory is imported as it is: every entry, every layout, every row."""

import json

import pytest
from typer.testing import CliRunner

from studio.cli.main import app
from studio.errors import UnreadableFile
from studio.formats.reader import read_rows
from studio.ingest.importer import import_path
from studio.validation.check import check_path
from studio.validation.repair import write_repaired
from tests.support.llamafactory_folder import LOCAL, PROMPT, SYSTEM, TITLES, build_folder
from tests.support.samples import SCHEME, new_store, write_json


@pytest.fixture
def folder(tmp_path):
    return build_folder(tmp_path / "made")


def rows_of(folder):
    return {row.title or row.question.removeprefix(PROMPT): row for row in read_rows(folder).rows}


def test_every_row_arrives_decided_with_its_category_and_split(folder, tmp_path):
    db, _ = new_store(tmp_path / "home")
    report = import_path(db, folder, SCHEME)
    wanted = {title: label for titles in TITLES.values() for title, label in titles.items()}
    assert (report.rows, report.decided, list(report.refused)) == (13, 13, [])
    assert dict(db.execute("select text, category from current_titles").fetchall()) == wanted
    evaluated = db.execute("select text from titles where split = 'eval'").fetchall()
    assert evaluated == [(title,) for title in TITLES["news_eval"]]


def test_the_command_reports_what_is_on_a_hub(folder, tmp_path):
    done = CliRunner().invoke(app, ["import", str(folder), "--home", str(tmp_path / "home"), "--json"])
    report = json.loads(done.stdout)
    assert (done.exit_code, report["added"]) == (0, 13)
    assert any("elsewhere" in note for note in report["notes"])


def test_check_finds_no_error_in_it(folder):
    report = check_path(folder, SCHEME)
    assert (report.rows, report.valid, list(report.unreadable)) == (13, 13, [])
    assert [problem for problem in report.problems if problem.severity == "error"] == []


def test_system_text_comes_from_the_column_of_the_entry(folder):
    systems = {title: row.system for title, row in rows_of(folder).items()}
    by_entry = {name: [systems[title] for title in titles] for name, titles in TITLES.items()}
    assert by_entry == {
        "news_alpaca": [SYSTEM, SYSTEM],
        "news_messages": [SYSTEM, None],  # its column is given as null
        "news_openai": [SYSTEM],
        "news_parts": [None, None, None],
        "news_renamed": [SYSTEM, SYSTEM],
        "news_table": [None],
        "news_sheet": [None],
        "news_eval": [SYSTEM],
    }


def test_a_history_is_reported_and_a_column_given_as_null_is_none(folder):
    problems = {
        title: [p.code for p in row.problems] for title, row in rows_of(folder).items() if row.problems
    }
    assert problems == {"央行下调存款准备金率零点五个百分点": ["more_turns"]}


def test_files_of_a_folder_keep_their_names(folder):
    files = [row.file for row in read_rows(folder).rows if row.file.startswith("parts")]
    assert files == ["parts/part-1.json", "parts/part-1.json", "parts/part-2.json"]


def test_links_out_of_a_folder_are_refused_like_names(folder, tmp_path):
    write_json(tmp_path / "secret.json", [])
    (folder / "parts" / "part-3.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(UnreadableFile, match="文件夹之外"):
        read_rows(folder)


def test_an_empty_folder_is_no_data(folder):
    for file in (folder / "parts").iterdir():
        file.unlink()
    with pytest.raises(UnreadableFile, match="parts"):
        read_rows(folder)


@pytest.mark.parametrize("name", ["notes.csv", ".DS_Store", "part-3"])
def test_a_folder_of_several_types_is_an_error_of_check(folder, name):
    (folder / "parts" / name).write_text("标题,类别\n省队夺冠,体育\n", encoding="utf-8")
    assert check_path(folder, SCHEME).counts["info_mixed_folder"] == 1


def test_json_and_json_lines_are_one_type(folder):
    (folder / "parts" / "part-3.jsonl").write_text(
        (folder / "parts" / "part-2.json").read_text(encoding="utf-8")
    )
    assert "info_mixed_folder" not in check_path(folder, SCHEME).counts


def test_fix_keeps_every_entry_with_files(folder, tmp_path):
    write_repaired(folder, tmp_path / "out", SCHEME)
    entries = json.loads((tmp_path / "out" / "dataset_info.json").read_text(encoding="utf-8"))
    assert list(entries) == LOCAL
    assert len(read_rows(tmp_path / "out").rows) == 13


@pytest.mark.parametrize(
    ("history", "code"),
    [
        ([["问", "答"]], "more_turns"),
        ([["问", "答", "问"]], "wrong_type"),
        (["问"], "wrong_type"),
        ([[1, "答"]], "wrong_type"),
    ],
)
def test_a_history_is_pairs_of_texts(tmp_path, history, code):
    row = {"instruction": f"{PROMPT}标题", "input": "", "output": "体育", "history": history}
    (read,) = read_rows(write_json(tmp_path / "a.json", [row])).rows
    assert [problem.code for problem in read.problems] == [code]


def test_a_plain_text_among_conversations_of_an_entry_is_an_error(tmp_path):
    write_json(tmp_path / "a.json", ["标题"])
    write_json(tmp_path / "dataset_info.json", {"a": {"file_name": "a.json", "formatting": "sharegpt"}})
    (row,) = read_rows(tmp_path).rows
    assert [problem.code for problem in row.problems] == ["wrong_type"]


@pytest.mark.parametrize("block", [{"messages": 7}, {"messages": ["a"]}, ["messages"]])
def test_a_block_that_names_nothing_is_refused(tmp_path, block):
    write_json(tmp_path / "a.json", [{}])
    entry = {"file_name": "a.json", "formatting": "sharegpt", "columns": block}
    write_json(tmp_path / "dataset_info.json", {"a": entry})
    with pytest.raises(UnreadableFile, match="columns"):
        read_rows(tmp_path)


@pytest.mark.parametrize("block", [True, 3, "name", ["a"]])
@pytest.mark.parametrize("place", [{"hf_hub_url": "a/b"}, {"file_name": None}])
def test_blocks_of_an_entry_elsewhere_may_be_anything(folder, place, block):
    info = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
    write_json(folder / "dataset_info.json", {**info, "odd": {**place, "columns": block, "tags": block}})
    assert check_path(folder, SCHEME).valid == 13
