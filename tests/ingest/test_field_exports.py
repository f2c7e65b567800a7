"""Files as exports, crawlers and databases leave them: read whole, or refused with the remedy that helps.

Each goes through `check`, the preview of the page and an import, which must agree.
"""

import io
import json
import zipfile
from contextlib import closing

import pytest
from openpyxl import Workbook

from studio.errors import UnreadableFile
from studio.formats.reader import read_rows
from studio.ingest.importer import import_path
from studio.ingest.preview import preview_file
from studio.store import open_store
from studio.validation.check import check_path
from tests.support.samples import SCHEME

TITLES = {
    "青年队点球大战淘汰东道主": "体育",
    "央行下调存款准备金率半个百分点": "经济",
    "新款折叠屏手机铰链寿命翻倍": "科技",
    "古装剧收官，主演发长文告别角色": "娱乐",
    "高校公布强基计划入围线": "教育",
    "体检查出结节，医生说先别慌": "健康",
}
PAIRS = list(TITLES.items())
OBJECTS = [{"title": title, "label": category} for title, category in PAIRS]
NAMES = SCHEME.names


def table(pairs=PAIRS):
    return "title,label\n" + "".join(f"{title},{category}\n" for title, category in pairs)


def dumps(value, **options):
    return json.dumps(value, ensure_ascii=False, **options)


def one_hot(title, category):
    return ",".join([title, *(str(int(name == category)) for name in NAMES)])


def turns(title, category):
    user = {"role": "user", "content": f"新闻分类：{title}"}
    return dumps([user, {"role": "assistant", "content": category}])


FILES = {
    "appended.csv": table(PAIRS[:3]).encode() + b"\xef\xbb\xbf" + table(PAIRS[3:]).encode(),
    "two_encodings.csv": table(PAIRS[:3]).encode()
    + table(PAIRS[3:]).removeprefix("title,label\n").encode("gbk"),
    "comma_at_the_end.json": "[\n" + ",\n".join(map(dumps, OBJECTS)) + ",\n]",
    "one_after_the_other.json": "".join(dumps(each, indent=1) for each in OBJECTS),
    "a_service.json": dumps({"code": 0, "message": "ok", "data": {"total": 6, "items": OBJECTS}}),
    "a_search.json": dumps({"took": 3, "hits": {"total": 6, "hits": [{"_source": o} for o in OBJECTS]}}),
    "a_version.json": dumps({"version": "2.1", "categories": [{"id": 1, "name": "体育"}], "rows": OBJECTS}),
    "tasks.json": dumps(
        {"exported": "2026", "annotations": [{"data": {"text": t}, "label": [c]} for t, c in PAIRS]}
    ),
    "printed.jsonl": "".join(f"{each}\n" for each in OBJECTS),
    "one_hot.csv": "\n".join([",".join(["title", *NAMES]), *(one_hot(*pair) for pair in PAIRS)]) + "\n",
    "scores.jsonl": "".join(
        dumps({"text": t, "cats": {name: float(name == c) for name in NAMES}}) + "\n" for t, c in PAIRS
    ),
    "turns_as_text.jsonl": "".join(dumps({"messages": turns(*pair)}) + "\n" for pair in PAIRS),
    "spaces.csv": "title, label\n" + "".join(f'"{t}", "{c}"\n' for t, c in PAIRS),
    "not_a_workbook.xls": "标题\t类别\n" + "".join(f"{t}\t{c}\n" for t, c in PAIRS),
}


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def imported(path):
    """Import a file into a new store: the report, and the category (None: waiting) by title."""
    with closing(open_store(path.with_suffix(".db"))) as db:
        report = import_path(db, path, SCHEME)
        return report, {row["text"]: row["category"] for row in db.query("select * from current_titles")}


@pytest.mark.parametrize("name", FILES)
def test_titles_and_categories_are_read(tmp_path, name):
    path = written(tmp_path, name, FILES[name])
    report, found = imported(path)
    assert found == TITLES and report.decided == len(TITLES) and not report.refused
    checked = check_path(path, SCHEME)
    assert checked.rows == checked.valid == len(TITLES)
    shown = preview_file(path, scheme=SCHEME)
    assert len(shown.rows) == 5 and shown.question is None


def test_a_backslash_before_a_quotation_mark_is_no_part_of_the_title(tmp_path):
    quoted = [(f'他说"{title}"，就这样', category) for title, category in PAIRS]
    lines = "".join('"{}",{}\n'.format(t.replace('"', '\\"'), c) for t, c in quoted)
    assert imported(written(tmp_path, "spark.csv", "title,label\n" + lines))[1] == dict(quoted)


def test_a_damaged_line_among_many_is_told_and_the_others_are_read(tmp_path):
    pairs = [(f"{title}（之{number}）", category) for number in range(10) for title, category in PAIRS]
    data = table(pairs).encode("gbk")
    path = written(tmp_path, "one_byte.csv", data[:40] + b"\xff" + data[40:])
    rows = list(read_rows(path).rows)
    assert sum("\ufffd" in row.title for row in rows) == 1 and len(rows) == len(pairs)
    problems = check_path(path, SCHEME).problems
    assert [each.row for each in problems if each.code == "encoding"] == [None, 1]  # of the file, of the row


def test_a_file_with_many_damaged_lines_is_refused_with_the_place(tmp_path):
    data = table().encode("gbk")
    with pytest.raises(UnreadableFile, match="第 2 行第 15 列不是有效的 GB18030"):
        read_rows(written(tmp_path, "a.csv", data[:40] + b"\xff" + data[40:]))


def test_a_category_alone_is_no_title(tmp_path):
    report, found = imported(
        written(tmp_path, "sections.txt", "".join(f"{category}\n{title}\n" for title, category in PAIRS))
    )
    assert found == dict.fromkeys(TITLES)
    assert len(report.refused) == len(PAIRS)


def test_an_error_of_a_spreadsheet_is_no_title(tmp_path):
    book = Workbook()
    for cells in [("标题", "类别"), *PAIRS, ("#REF!", "体育"), ("#VALUE!", "体育")]:
        book.active.append(cells)
    book.save(tmp_path / "a.xlsx")
    report, found = imported(tmp_path / "a.xlsx")
    assert found == TITLES and len(report.refused) == 2


def archive():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as parts:
        parts.writestr("data/train.csv", table())
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "remedy"),
    [
        ("a.zip", archive(), "解压"),
        ("a.csv", archive(), "解压"),
        ("a.xlsx", archive(), "解压"),
        ("a.xls", "<html><table><tr><td>标题</td></tr></table></html>", "另存为 xlsx"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "另存为 xlsx"),
        (
            "a.xls",
            '<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>',
            "另存为 xlsx",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_remedy_that_helps(tmp_path, name, content, remedy):
    with pytest.raises(UnreadableFile) as refused:
        read_rows(written(tmp_path, name, content))
    assert remedy in str(refused.value.remedy)
