"""A sheet of any form is read to titles, each once, and handed back whole with columns added."""

import csv
import datetime
import io
import json

import openpyxl
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from studio.classification.results import load_classified, summarize
from studio.classification.sheets import ROW_PROBLEMS, read_sheet, titles_alone
from studio.classification.writing import file_name, write_folder
from studio.contract import AnswerCalibration, ChosenThreshold
from studio.errors import InputError, UnreadableFile
from studio.formats.choices import UNDECIDED, FileChoices, UnclearFile
from studio.formats.columns import Columns
from studio.language import current_language, say
from tests.support.classified_sheets import SCHEME, answer, answered, prepared

ROWS = [
    ("A-1", "央行降准，释放长期资金", "经济参考"),
    ("A-2", "主队补时绝杀夺冠", "=1+1"),
    ("A-3", "", "-"),
    ("A-4", "央行降准，释放长期资金", "重复"),
    ("A-5", "长" * 501, "长"),
]
ANSWERS = {0: answer(0, "经济", 0.75), 1: answer(1, "体育", 0.25)}
ADDED = [
    ["类别", "置信度", "前三类", "问题"],
    ["经济", "0.75", "经济 75% · 社会 25%", ""],
    ["体育", "0.25", "社会 75% · 体育 25%", ""],
    ["", "", "", "这一行没有标题"],
    ["经济", "0.75", "经济 75% · 社会 25%", ""],
    ["", "", "", "标题超过 500 个字符"],
]


def classified(workspace, path, **options):
    """Classify a sheet with the answers above; return the job and what it is written as."""
    job = answered(workspace, prepared(workspace, path, **options), ANSWERS)
    out = path.with_name(file_name(job))
    write_folder(job.folder, out)
    return job, out


def text_of(rows, *, separator=",", end="\r\n"):
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=separator, lineterminator=end).writerows(rows)
    return file.getvalue()


HEADING = ("编号", "标题", "来源")


@pytest.mark.parametrize(
    ("suffix", "codec", "separator", "end"),
    [
        ("csv", "utf-8", ",", "\n"),
        ("csv", "utf-8-sig", ",", "\r\n"),
        ("csv", "gb18030", ";", "\r\n"),
        ("tsv", "utf-16", "\t", "\r\n"),
        ("csv", "utf-8", "\t", "\n"),
    ],
)
def test_a_text_comes_back_in_its_encoding_separator_and_line_ends(
    workspace, tmp_path, suffix, codec, separator, end
):
    path = tmp_path / f"标题.{suffix}"
    before = text_of([HEADING, *ROWS], separator=separator, end=end)
    path.write_bytes(before.encode(codec))
    job, out = classified(workspace, path)
    assert out.name == f"标题_classified.{suffix}"
    after = text_of(
        [[*own, *added] for own, added in zip([HEADING, *ROWS], ADDED, strict=True)],
        separator=separator,
        end=end,
    )
    assert out.read_bytes().decode(codec) == after
    assert load_classified(job).sheet.titles == 2


def test_the_rows_that_are_not_answered_say_why_and_equal_titles_are_one(workspace, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(text_of([HEADING, *ROWS]), encoding="utf-8")
    job, _ = classified(workspace, path)
    found = load_classified(job)
    assert [row.problem for row in found.rows] == ["", "", "no_title", "", "too_long"]
    assert [row.outcome for row in found.rows] == ["answer", "answer", "error", "answer", "error"]
    summary = summarize(found)
    assert (summary.rows, summary.titles, summary.low) == (5, 2, 1)
    assert summary.categories == {"经济": 2, "体育": 1}
    assert [json.loads(line) for line in (job.folder / "titles.jsonl").open()] == [ROWS[0][1], ROWS[1][1]]
    assert [row.row for row in found.select(category="经济")] == [1, 4]
    assert [row.row for row in found.select(below=2)] == [2, 1, 4]
    assert [row.row for row in found.select(text="绝杀")] == [2]
    assert [row.row for row in found.select(outcome="error")] == [3, 5]


def test_a_workbook_keeps_numbers_days_and_texts_that_look_like_formulas(workspace, tmp_path):
    book = openpyxl.Workbook()
    day = datetime.datetime(2026, 11, 27, 8, 30)
    book.active.append(["编号", "标题", "点击", "时间"])
    book.active.append([1, "央行降准，释放长期资金", 0.5, day])
    book.active.append([2, "主队补时绝杀夺冠", None, None])
    cell = book.active.cell(row=3, column=3, value="=1+1")
    cell.data_type = "s"
    book.save(tmp_path / "a.xlsx")
    _, out = classified(workspace, tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(out).active
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert rows[0] == ["编号", "标题", "点击", "时间", *ADDED[0]]
    assert rows[1] == [1, "央行降准，释放长期资金", 0.5, day, "经济", 0.75, "经济 75% · 社会 25%", None]
    assert rows[2][:6] == [2, "主队补时绝杀夺冠", "=1+1", None, "体育", 0.25]
    assert sheet["C3"].data_type == "s"


def test_a_workbook_with_merged_cells_fills_them(workspace, tmp_path):
    book = openpyxl.Workbook()
    for row in [("栏目", "标题"), ("一版", "央行降准，释放长期资金"), (None, "主队补时绝杀夺冠")]:
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    book.save(tmp_path / "a.xlsx")
    _, out = classified(workspace, tmp_path / "a.xlsx")
    rows = list(openpyxl.load_workbook(out).active.iter_rows(values_only=True))
    assert [row[:3] for row in rows[1:]] == [
        ("一版", "央行降准，释放长期资金", "经济"),
        ("一版", "主队补时绝杀夺冠", "体育"),
    ]


def test_objects_keep_their_nested_values_and_a_category_of_their_own(workspace, tmp_path):
    objects = [
        {"title": "央行降准，释放长期资金", "meta": {"id": 1, "tags": ["a"]}, "category": "旧"},
        {"title": "主队补时绝杀夺冠", "meta": None},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(one) + "\n" for one in objects))
    (tmp_path / "a.json").write_text(json.dumps(objects))
    _, lines = classified(workspace, tmp_path / "a.jsonl")
    found = [json.loads(line) for line in lines.open(encoding="utf-8")]
    assert [{name: one.get(name) for name in objects[0]} for one in found] == [
        objects[0],
        {**objects[1], "category": None},
    ]
    assert [one["model_category"] for one in found] == ["经济", "体育"]
    assert found[0]["top3"][0] == {"category": "经济", "probability": 0.75}
    _, whole = classified(workspace, tmp_path / "a.json")
    assert json.loads(whole.read_text(encoding="utf-8")) == found


def test_parquet_keeps_its_types_and_gets_columns(workspace, tmp_path):
    table = arrow.table(
        {"title": [ROWS[0][1], ROWS[1][1]], "id": arrow.array([7, 8], arrow.int32()), "when": [
            datetime.date(2026, 1, 1), None]}
    )  # fmt: skip
    parquet.write_table(table, tmp_path / "a.parquet")
    _, out = classified(workspace, tmp_path / "a.parquet")
    found = parquet.read_table(out)
    assert found.select(table.column_names).equals(table)
    assert found["category"].to_pylist() == ["经济", "体育"]
    assert found["confidence"].to_pylist() == [0.75, 0.25]
    assert found["top3"].to_pylist()[1][0] == {"category": "社会", "probability": 0.75}


def test_a_list_of_titles_becomes_a_table_and_ours_alone_are_escaped(workspace, tmp_path):
    (tmp_path / "a.txt").write_text("央行降准，释放长期资金\n=HYPERLINK(1)\n", encoding="utf-8")
    _, out = classified(workspace, tmp_path / "a.txt")
    rows = list(csv.reader(out.open(encoding="utf-8", newline=""), delimiter="\t"))
    assert out.suffix == ".tsv"
    assert [row[:2] for row in rows] == [
        ["标题", "类别"],
        ["央行降准，释放长期资金", "经济"],
        ["'=HYPERLINK(1)", "体育"],
    ]


def test_a_chain_that_looks_like_a_formula_is_text_in_a_csv(workspace, tmp_path):
    (tmp_path / "a.csv").write_text("标题\n央行降准，释放长期资金\n", encoding="utf-8")
    job = prepared(workspace, tmp_path / "a.csv")
    spec = job.spec.model_copy(update={"answer": "chain"})
    (job.folder / "spec.json").write_text(spec.model_dump_json())
    answered(workspace, job, {0: answer(0, "经济", chain="=cmd|' /C calc'!A0")})
    write_folder(job.folder, tmp_path / "out.csv")
    (row,) = csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8"))
    assert row["理由"] == "'=cmd|' /C calc'!A0"


def test_a_threshold_adds_the_decision_and_english_readers_get_english_names(workspace, tmp_path):
    (tmp_path / "a.csv").write_text("title\n央行降准，释放长期资金\n主队补时绝杀夺冠\n", encoding="utf-8")
    job = prepared(workspace, tmp_path / "a.csv")
    chosen = ChosenThreshold(
        confidence=0.5, answered=9, right=9, rows=10, accuracy_interval=(0.7, 1), evaluation="e", author="a",
        at=datetime.datetime.now().astimezone(),
    )  # fmt: skip
    calibration = AnswerCalibration(
        answer="direct",
        signal="probability",
        temperature=1,
        bias={},
        fitted_on="e",
        rows=10,
        threshold=chosen,
    )
    spec = job.spec.model_copy(update={"calibration": calibration})
    (job.folder / "spec.json").write_text(spec.model_dump_json())
    job = answered(workspace, job, ANSWERS)
    assert [row.outcome for row in load_classified(job).rows] == ["answer", "abstain"]
    current_language.set("en")
    write_folder(job.folder, tmp_path / "out.csv")
    rows = list(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8")))
    assert [row["decision"] for row in rows] == ["answer", "abstain"]


def test_why_a_title_has_no_answer_is_read_in_the_language_of_its_reader(workspace, tmp_path):
    (tmp_path / "a.csv").write_text("title\n央行降准，释放长期资金\n", encoding="utf-8")
    job = prepared(workspace, tmp_path / "a.csv")
    job = answered(workspace, job, {0: answer(0, None, problem=say("接口停了", "the endpoint is down"))})
    for language, reason in (("zh", "接口停了"), ("en", "the endpoint is down")):
        current_language.set(language)
        write_folder(job.folder, tmp_path / f"{language}.csv")
        (row,) = csv.reader((tmp_path / f"{language}.csv").read_text(encoding="utf-8").splitlines()[1:])
        assert row[-1] == reason == load_classified(job).rows[0].reason


def test_an_encoding_without_room_for_the_categories_becomes_utf8(workspace, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(
        "標題,備註\n央行降準，釋放長期資金給銀行體系,一\n主隊補時絕殺奪冠軍了,二\n".encode("big5")
    )
    choices = FileChoices(columns=Columns(title="標題"))
    _, out = classified(workspace, path, choices=choices)
    assert "体育" in out.read_bytes().decode("utf-8-sig")


def test_an_uncertain_column_is_a_question_and_a_chosen_one_is_taken(tmp_path):
    (tmp_path / "a.csv").write_text(
        "甲,乙\n" + "".join(f"第{n}条很像标题的一句话,另一句也像标题的第{n}句\n" for n in range(9)),
        encoding="utf-8",
    )
    with pytest.raises(UnclearFile) as unclear:
        list(read_sheet(tmp_path / "a.csv", UNDECIDED, SCHEME))
    assert {option.choices.columns.title for option in unclear.value.options} == {"甲", "乙"}
    chosen = FileChoices(columns=Columns(title="乙"))
    assert next(read_sheet(tmp_path / "a.csv", chosen, SCHEME)).title.startswith("另一句")


def test_two_columns_of_categories_are_no_question_here(tmp_path):
    rows = "".join(f"第{n}条新闻的标题,体育,经济\n" for n in range(9))
    (tmp_path / "a.csv").write_text(f"标题,频道一,频道二\n{rows}", encoding="utf-8")
    assert len(list(read_sheet(tmp_path / "a.csv", UNDECIDED, SCHEME))) == 9
    assert titles_alone(UNDECIDED).columns.category == ""


def test_a_sheet_without_a_title_or_that_is_none_is_refused(workspace, tmp_path):
    (tmp_path / "a.csv").write_text("标题,b\n,1\n,2\n", encoding="utf-8")
    with pytest.raises((InputError, UnreadableFile)):
        prepared(workspace, tmp_path / "a.csv")
    (tmp_path / "b.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    with pytest.raises(UnreadableFile):
        prepared(workspace, tmp_path / "b.xlsx")


def test_every_problem_of_a_row_is_said_in_both_languages():
    assert all(zh and en for zh, en in ROW_PROBLEMS.values())


def request(custom_id, content, **more):
    body = {
        "model": "gpt",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": content}],
    }
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body, **more}


def test_an_openai_batch_file_is_answered_by_one(workspace, tmp_path):
    lines = [
        request("a", f"{SCHEME.prompt}央行降准，释放长期资金"),
        request("b", [{"type": "text", "text": "主队补时绝杀夺冠"}]),
        request("c", "x", url="/v1/embeddings"),
        request("d", "央行降准，释放长期资金"),
        request("e", ""),
    ]
    path = tmp_path / "batch.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\nnot json\n", encoding="utf-8")
    job, out = classified(workspace, path)
    found = [json.loads(line) for line in out.open(encoding="utf-8")]
    assert [one["custom_id"] for one in found] == ["a", "b", "c", "d", "e", None]
    contents = [
        one["response"] and one["response"]["body"]["choices"][0]["message"]["content"] for one in found
    ]
    assert contents == ["经济", "体育", None, "经济", None, None]
    assert [one["error"] and one["error"]["code"] for one in found] == [
        None, None, "not_chat", None, "no_title", "not_chat",
    ]  # fmt: skip
    first = found[0]["response"]
    assert first["status_code"] == 200 and first["body"]["object"] == "chat.completion"
    assert first["body"]["news_studio"]["confidence"] == 0.75
    assert load_classified(job).sheet.titles == 2
