"""A newcomer's path: upload a sheet, read the table, download it, report two wrong rows, find them in the queue."""

import csv
import io
import re

import pytest
from playwright.sync_api import expect

from studio.corpus.titles import find_title
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import open_workspace
from tests.support.browser import CHROMIUM, decide, go, settle, shown_title
from tests.support.tiny_runs import end_everything

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
TITLES = [
    "县城环湖绿道本周开放，沿途设六处驿站",
    "央行下调存款准备金率，释放长期资金",
    "主队补时绝杀，联赛第三轮逆转取胜",
    "新型靶向药进入三期临床，晚期患者受益",
    "折叠屏手机铰链寿命翻倍，厂商公布测试",
    "央行下调存款准备金率，释放长期资金",
]


@pytest.fixture
def workspace(tmp_path):
    place = open_workspace(tmp_path / "home")
    yield place
    end_everything(place)


def upload(page, content):
    page.get_by_role("tab", name="整张表").click()
    settle(page)
    page.locator(".st-key-sheet-upload input[type=file]").set_input_files(
        {"name": "早报.csv", "mimeType": "text/csv", "buffer": content}
    )
    settle(page)
    expect(page.get_by_text("前 5 行读作")).to_be_visible()


def report(page, row, category, note):
    """Report a row by the keyboard alone."""
    button = page.locator(f".st-key-sheet-wrong-{row} button")
    button.focus()
    page.keyboard.press("Enter")
    settle(page)
    # The first touch after a toast only focuses the box; whatever comes then opens its list.
    box = page.locator(".st-key-sheet-rows [class*=st-key-report-category] input")
    box.focus()
    box.press("ArrowDown")
    box.fill(category)
    page.get_by_role("option", name=category).first.wait_for()
    box.press("Enter")
    settle(page)
    page.get_by_label("备注").fill(note)
    page.keyboard.press("Tab")
    page.get_by_role("button", name="放进标注队列").focus()
    page.keyboard.press("Enter")
    settle(page)


def test_a_newcomer_classifies_a_sheet_and_reports_two_wrong_rows(shared_studio, workspace, page):
    studio = shared_studio.serve(workspace.home)
    studio.open(page, "try_it")
    rows = [["编号", "标题"], *([f"A-{number}", title] for number, title in enumerate(TITLES))]
    sheet = io.StringIO(newline="")
    csv.writer(sheet).writerows(rows)
    upload(page, sheet.getvalue().encode("gb18030"))
    page.get_by_role("button", name="给整张表分类").click()
    expect(page.locator(".st-key-sheet-rows")).to_be_visible(timeout=300_000)
    settle(page)
    for title in dict.fromkeys(TITLES):
        expect(page.locator(".st-key-sheet-rows").get_by_text(title).first).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("下载 csv")).click()
    found = list(csv.DictReader(io.StringIO(download.value.path().read_bytes().decode("gb18030"))))
    assert [[row["编号"], row["标题"]] for row in found] == rows[1:]
    names = load_scheme().names
    assert all(row["类别"] in names and 0 < float(row["置信度"]) <= 1 for row in found)
    assert found[1]["类别"] == found[5]["类别"] and not any(row["问题"] for row in found)

    right = [next(name for name in names if name != row["类别"]) for row in found[:4]]
    report(page, 1, right[0], "讲的是公共设施")
    report(page, 4, right[3], "")
    go(page, "标注")
    queued = {decide(page, "1"), shown_title(page)}
    assert queued == {TITLES[0], TITLES[3]}
    db = open_store(workspace.database)
    assert find_title(db, TITLES[3]).proposal == right[3]
