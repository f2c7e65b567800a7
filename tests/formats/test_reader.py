"""Any file the field produces becomes rows, and an unreadable one is reported with position and cause."""

import itertools
import json
import tracemalloc
import zipfile

import pandas
import pyarrow
import pyarrow.parquet
import pytest

from studio.errors import UnreadableFile
from studio.formats.choices import FileChoices
from studio.formats.columns import Columns
from studio.formats.reader import read_available_rows, read_rows
from studio.formats.records import read_records
from studio.formats.split_names import split_of
from studio.validation.rows import judge_rows
from tests.support.samples import SCHEME, TITLE, conversation, sample, write_folder, write_json

TITLES = ["央行宣布下调存款准备金率", "女排姑娘逆转夺冠", "孩子发烧要不要捂汗"]


def titles_of(path):
    return [row.title for row in judge_rows(read_rows(path).rows, SCHEME)]


def refusal(path):
    with pytest.raises(UnreadableFile) as caught:
        read_rows(path)
    return caught.value


def write_titles(path, encoding="utf-8", heading="标题"):
    lines = TITLES if path.suffix == ".txt" else [heading, *TITLES]
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


@pytest.mark.parametrize("name", ["titles.txt", "titles.csv", "titles.tsv"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-32"]
)
def test_a_title_list_is_read_in_every_encoding(tmp_path, name, encoding):
    assert titles_of(write_titles(tmp_path / name, encoding)) == TITLES


@pytest.mark.parametrize(
    ("encoding", "label"),
    [("gbk", "GB18030"), ("utf-8-sig", "UTF-8 BOM"), ("utf-16", "UTF-16"), ("big5", "Big5")],
)
def test_a_foreign_encoding_is_reported(tmp_path, encoding, label):
    (tmp_path / "a.txt").write_bytes("經濟部宣布調降關稅\n颱風來襲，學校停課一天".encode(encoding))
    (remark,) = read_rows(tmp_path / "a.txt").remarks
    assert (remark.code, remark.severity, remark.found) == ("encoding", "warning", label)


@pytest.mark.parametrize("text", ["联通", "雨水", "春节"])
def test_two_characters_of_gbk_are_enough(tmp_path, text):
    (tmp_path / "a.txt").write_bytes(text.encode("gbk"))
    assert titles_of(tmp_path / "a.txt") == [text]


def test_plain_utf8_needs_no_remark(tmp_path):
    assert read_rows(write_titles(tmp_path / "a.txt")).remarks == []


def test_rows_of_a_text_file_are_its_lines(tmp_path):
    (tmp_path / "a.txt").write_text("第一条\r\n\r\n第三条\r\n", encoding="utf-8")
    assert [(row.row, row.title) for row in read_rows(tmp_path / "a.txt").rows] == [
        (1, "第一条"),
        (3, "第三条"),
    ]


def test_a_workbook_is_read(tmp_path):
    table = pandas.DataFrame({"编号": ["1", "2"], "新闻标题": TITLES[:2], "类别": ["经济", "体育"]})
    table.to_excel(tmp_path / "a.xlsx", index=False)
    rows = read_rows(tmp_path / "a.xlsx").rows
    assert [(row.row, row.title, row.answer) for row in rows] == [
        (1, TITLES[0], "经济"),
        (2, TITLES[1], "体育"),
    ]


def test_sheets_that_are_not_read_are_reported(tmp_path):
    with pandas.ExcelWriter(tmp_path / "a.xlsx") as book:
        for sheet in ("一月", "二月"):
            pandas.DataFrame({"标题": TITLES}).to_excel(book, sheet_name=sheet, index=False)
    (remark,) = read_rows(tmp_path / "a.xlsx").remarks
    assert (remark.code, remark.found) == ("other_sheets", "二月")


def test_a_parquet_file_of_conversations_is_read(tmp_path):
    pandas.DataFrame([sample()]).to_parquet(tmp_path / "a.parquet")
    (row,) = read_rows(tmp_path / "a.parquet").rows
    assert (row.question, row.problems) == (f"新闻分类：{TITLE}", ())


def test_json_lines_are_read_also_under_the_name_json(tmp_path):
    lines = "\n".join(json.dumps(sample(title), ensure_ascii=False) for title in TITLES)
    for name in ("a.jsonl", "a.json"):
        (tmp_path / name).write_text(lines, encoding="utf-8")
        assert titles_of(tmp_path / name) == TITLES


@pytest.mark.parametrize(
    "value",
    [
        sample(),
        {"instruction": f"新闻分类：{TITLE}", "input": "", "output": "<think>\n因为\n</think>\n\n体育"},
        {"instruction": "新闻分类：", "input": TITLE, "output": "体育", "history": []},
        {
            "messages": [
                {"role": "user", "content": f"新闻分类：{TITLE}"},
                {"role": "assistant", "content": "体育"},
            ]
        },
        {"title": TITLE, "category": "体育", "chain": "因为"},
        {"标题": TITLE},
        TITLE,
    ],
)
def test_every_form_gives_the_title(tmp_path, value):
    assert titles_of(write_json(tmp_path / "a.json", [value])) == [TITLE]


def test_reasoning_content_becomes_the_think_block(tmp_path):
    answer = {"role": "assistant", "reasoning_content": "因为", "content": "体育"}
    value = {"messages": [{"role": "user", "content": TITLE}, answer]}
    (row,) = read_rows(write_json(tmp_path / "a.json", [value])).rows
    assert row.answer == "<think>\n因为\n</think>\n\n体育"


def test_another_prefix_shared_by_all_rows_is_removed(tmp_path):
    rows = [conversation(f"请判断下面新闻的类别：{title}", "体育") for title in TITLES]
    assert titles_of(write_json(tmp_path / "a.json", rows)) == TITLES


def test_half_width_prefix_is_the_same_prefix(tmp_path):
    assert titles_of(write_json(tmp_path / "a.json", [conversation(f"新闻分类: {TITLE}", "体育")])) == [TITLE]


def test_a_comma_in_an_unquoted_single_column_stays_in_the_title(tmp_path):
    (tmp_path / "a.csv").write_text('标题\n通胀回落,利率走低\n"人民日报"评论员文章', encoding="utf-8")
    assert titles_of(tmp_path / "a.csv") == ["通胀回落,利率走低", '"人民日报"评论员文章']


def test_quotes_of_a_real_csv_are_removed(tmp_path):
    (tmp_path / "a.csv").write_text('标题,类别\n"通胀回落,利率走低",经济\n', encoding="utf-8")
    assert titles_of(tmp_path / "a.csv") == ["通胀回落,利率走低"]


def test_a_missing_file_is_named(tmp_path):
    error = refusal(tmp_path / "nowhere.json")
    assert "nowhere.json" in error.problem
    assert error.exit_code == 2


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \n\n", b"[]"])
def test_an_empty_file_is_called_empty(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    assert refusal(tmp_path / "a.json").code == "empty_file"


def test_a_truncated_json_is_reported_with_its_last_position(tmp_path):
    text = json.dumps([sample(), sample()], ensure_ascii=False, indent=1)
    (tmp_path / "a.json").write_text(text[:-30], encoding="utf-8")
    error = refusal(tmp_path / "a.json")
    assert "不完整" in error.problem
    assert f"第 {text[:-30].count(chr(10)) + 1} 行" in error.problem


def test_a_truncated_line_of_json_lines_is_told_and_the_others_are_read(tmp_path):
    line = json.dumps(sample(), ensure_ascii=False)
    (tmp_path / "a.jsonl").write_text(f"{line}\n{line[:-9]}\n{line}", encoding="utf-8")
    good, broken, last = read_rows(tmp_path / "a.jsonl").rows
    assert good.problems == last.problems == ()
    (problem,) = broken.problems
    assert (problem.row, problem.code) == (2, "broken_line")


def test_a_syntax_error_shows_line_column_and_surroundings(tmp_path):
    (tmp_path / "a.json").write_text('[\n {"conversations": [},\n {}\n]', encoding="utf-8")
    problem = refusal(tmp_path / "a.json").problem
    assert "第 2 行第 21 列" in problem
    assert "[}" in problem


@pytest.mark.parametrize("text", ["[" * 100_000, "[" + "9" * 5000 + "]"])
def test_json_that_python_cannot_hold_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    assert "a.json" in refusal(tmp_path / "a.json").problem


def test_an_object_without_rows_is_not_a_list(tmp_path):
    error = refusal(write_json(tmp_path / "a.json", {"settings": {"a": 1}, "version": 1}))
    assert error.code == "not_a_list"


def test_damaged_utf8_is_not_mistaken_for_gbk(tmp_path):
    data = "\n".join(TITLES).encode()
    (tmp_path / "a.txt").write_bytes(data[:40] + b"\xff" + data[40:])
    error = refusal(tmp_path / "a.txt")
    assert error.code == "encoding"
    assert "第 2 行" in error.problem


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet", ".csv", ".json"])
def test_bytes_that_are_no_such_file_are_refused(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_bytes(b"PK\x03\x04" + bytes(range(256)) * 3)
    assert f"a{suffix}" in refusal(tmp_path / f"a{suffix}").problem


def test_an_unknown_type_lists_the_known_ones(tmp_path):
    (tmp_path / "a.docx").write_bytes(b"x")
    assert "xlsx" in refusal(tmp_path / "a.docx").remedy


def test_a_table_without_a_title_column_lists_its_columns(tmp_path):
    (tmp_path / "a.csv").write_text("id,url\n1,http\n", encoding="utf-8")
    error = refusal(tmp_path / "a.csv")
    assert error.code == "missing_key"
    assert "id" in error.problem


def test_an_unclosed_quote_does_not_swallow_rows_in_silence(tmp_path):
    (tmp_path / "a.csv").write_text('标题,类别\n"没有关上的引号,体育\n第二条,经济\n', encoding="utf-8")
    assert "行" in refusal(tmp_path / "a.csv").problem


def test_a_folder_gives_each_entry_its_split(tmp_path):
    folder = write_folder(tmp_path / "set", train=[sample()], eval=[sample(TITLES[0], "经济")])
    assert [(row.file, row.split) for row in read_rows(folder).rows] == [
        ("train.json", "train"),
        ("eval.json", "eval"),
    ]


def test_columns_and_tags_of_an_entry_are_followed(tmp_path):
    write_json(tmp_path / "rows.json", [{"chat": [{"r": "Q", "t": TITLE}, {"r": "A", "t": "体育"}]}])
    tags = {"role_tag": "r", "content_tag": "t", "user_tag": "Q", "assistant_tag": "A"}
    entry = {
        "file_name": "rows.json",
        "formatting": "sharegpt",
        "columns": {"messages": "chat"},
        "tags": tags,
    }
    write_json(tmp_path / "dataset_info.json", {"mine": entry})
    (row,) = read_rows(tmp_path).rows
    assert (row.question, row.answer) == (TITLE, "体育")


@pytest.mark.parametrize(
    "file_name", ["../secret.json", "/etc/hostname", "link.json", "../set/a.json", "sub/../../secret.json"]
)
def test_an_entry_cannot_point_outside_its_folder(tmp_path, file_name):
    write_json(tmp_path / "secret.json", [sample()])
    folder = tmp_path / "set"
    write_json(folder / "dataset_info.json", {"train": {"file_name": file_name, "formatting": "sharegpt"}})
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    assert "文件夹之外" in refusal(folder).problem


def test_a_folder_without_dataset_info_names_what_it_has(tmp_path):
    write_json(tmp_path / "rows.json", [sample()])
    assert "rows.json" in refusal(tmp_path).remedy


def test_one_unreadable_file_does_not_hide_the_others(tmp_path):
    folder = write_folder(tmp_path / "set", train=[sample()], eval=[sample()])
    (folder / "eval.json").unlink()
    reading = read_available_rows(folder)
    assert len(reading.rows) == 1
    assert list(reading.unreadable) == ["eval.json"]


@pytest.mark.parametrize(
    ("name", "split"),
    [("train", "train"), ("news_eval", "eval"), ("dev-set", "eval"), ("titles", None), ("retrained", None)],
)
def test_the_name_determines_the_split(name, split):
    assert split_of(name) == split


def test_a_plain_title_list_has_no_split_whatever_its_name(tmp_path):
    assert {row.split for row in read_rows(write_titles(tmp_path / "test.txt")).rows} == {None}


LONG = [
    {"id": number, "title": f'第{number}条 \\ "引号" 标题', "nested": [1.5, -2e3, True, None, {"a": []}]}
    for number in range(20_000)
]


@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_list_longer_than_a_piece_is_what_it_was(tmp_path, indent):
    (tmp_path / "a.json").write_text(json.dumps(LONG, indent=indent), encoding="utf-8")
    assert [record.value for record in read_records(tmp_path / "a.json", "a.json")] == LONG


@pytest.mark.parametrize(
    "tail", ["", ",", "]]", "] 5", "]x", ",,]", ', {"a" 1}]', ", tru]", ', "\\q"]', ", 1.]", ", 12"]
)
def test_a_long_json_list_breaks_where_python_says(tmp_path, tail):
    text = json.dumps(LONG, indent=1, ensure_ascii=False)[:-1].rstrip() + tail
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(text)
    position = f"第 {expected.value.lineno} 行第 {expected.value.colno} 列"
    assert position in refusal(tmp_path / "a.json").problem


def test_a_title_longer_than_a_piece_is_read_whole(tmp_path):
    value = "很长" * 500_000
    for rows in ([value, TITLE], [{"title": value}, {"title": TITLE}]):
        read = read_rows(write_json(tmp_path / "a.json", rows)).rows
        assert [row.title for row in read] == [value, TITLE]


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.json", "a.jsonl", "a.parquet"])
def test_the_first_record_is_there_before_the_last_is_read(tmp_path, name):
    path = tmp_path / name
    rows = [{"title": f"第{number}条"} for number in range(40_000)]
    if path.suffix == ".parquet":
        pandas.DataFrame(rows).to_parquet(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        line = "title\n" if path.suffix == ".csv" else ""
        path.write_text(
            line + "\n".join(json.dumps(row) if path.suffix == ".jsonl" else row["title"] for row in rows)
        )
    records = read_records(path, name)
    peak_of(lambda: next(iter(records)))
    peak = peak_of(lambda: sum(1 for _ in records))
    assert peak < 5 * 2**20


def peak_of(work):
    """Measure the peak of the bytes that Python allocates during the work."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_rows_can_be_read_twice_and_know_their_number(tmp_path):
    rows = read_rows(write_titles(tmp_path / "a.txt")).rows
    assert len(rows) == 3
    assert [row.title for row in rows] == [row.title for row in rows] == TITLES


def test_chosen_columns_are_read_whatever_their_names(tmp_path):
    (tmp_path / "a.csv").write_text(
        "甲,乙,丙,丁,戊,title\n女排夺冠,体育,因为,新华社,2024年5月1日,不是这个\n", encoding="utf-8"
    )
    columns = Columns(title="甲", category="乙", chain="丙", source="丁", date="戊")
    (row,) = read_rows(tmp_path / "a.csv", FileChoices(columns=columns)).rows
    assert (row.title, row.answer, row.source, row.date) == (
        "女排夺冠",
        "<think>\n因为\n</think>\n\n体育",
        "新华社",
        "2024年5月1日",
    )


def test_a_source_and_a_date_are_known_by_their_names(tmp_path):
    (row,) = read_rows(
        write_json(tmp_path / "a.json", [{"标题": TITLE, "来源": "新华社", "日期": "2024-05-01"}])
    ).rows
    assert (row.source, row.date) == ("新华社", "2024-05-01")


def test_a_chosen_column_that_is_missing_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("标题,类别\n女排夺冠,体育\n", encoding="utf-8")
    with pytest.raises(UnreadableFile, match="没有选定的列“栏目”") as caught:
        read_rows(tmp_path / "a.csv", FileChoices(columns=Columns(category="栏目")))
    assert "标题" in caught.value.problem


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", b"PK\x03\x04rest", "Excel"),
        ("a.txt", b"PAR1rest", "parquet"),
        ("a.xlsx", "标题\n女排夺冠".encode(), "别的内容"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
        ("a.parquet", b"title\n", "别的内容"),
        ("a.csv", b"<html><table>", "HTML"),
        ("a.txt", b'[{"title": "x"}]', "JSON"),
        ("a.jsonl", b"\x1f\x8b\x08", "gzip"),
    ],
)
def test_a_file_of_another_type_is_refused_by_its_real_type(tmp_path, name, content, found):
    (tmp_path / name).write_bytes(content)
    assert found in refusal(tmp_path / name).problem


def test_a_title_in_brackets_is_no_json(tmp_path):
    (tmp_path / "a.txt").write_text("[组图] 女排夺冠\n", encoding="utf-8")
    assert titles_of(tmp_path / "a.txt") == ["[组图] 女排夺冠"]


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as parts,
        parts.open("xl/worksheets/sheet1.xml", "w") as sheet,
    ):
        for block in itertools.repeat(bytes(1 << 20), 600):
            sheet.write(block)
    assert (tmp_path / "a.xlsx").stat().st_size < 4 << 20
    error = refusal(tmp_path / "a.xlsx")
    assert error.code == "too_large"
    assert "600 MiB" in error.problem


def test_a_parquet_file_of_endless_rows_is_refused(tmp_path):
    table = pyarrow.table({"title": pyarrow.nulls(20_000_001, pyarrow.string())})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 1 << 20
    assert refusal(tmp_path / "a.parquet").code == "too_large"
