"""Import, label, write a chain, review and freeze, with no mouse: every step by the keys that a person has."""

import pytest
from playwright.sync_api import Page, expect

from studio.corpus.titles import count_by_status, count_without_chain
from studio.datasets.versions import list_versions
from studio.store import open_store
from studio.workspace import open_workspace
from tests.support.browser import CHROMIUM, Studio, decide, press, settle
from tests.support.tiny_runs import wait_until

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
    "中学把编程写进选修课，每周两个课时",
    "国产动画电影定档暑期，先导海报发布",
    "两国边境再度交火，联合国呼吁停火",
]
CHAIN = "“央行下调”说的是资金和利率，主角是存款准备金率，读者关心的是贷款会不会更便宜，与别处的事无关，所以归经济。"
NAME_OF_FOCUS = """() => {
  const focus = document.activeElement
  if (!focus || focus === document.body || focus.tagName === "MAIN") return ""
  if (focus.tagName === "DIV" && !focus.getAttribute("role")) return ""
  const labelled = focus.getAttribute("aria-labelledby")
  const byId = labelled ? document.getElementById(labelled)?.innerText : ""
  return [focus.getAttribute("aria-label"), byId, focus.innerText, focus.closest("label")?.innerText,
          focus.getAttribute("placeholder")].filter(Boolean).join(" | ")
}"""
MOST_STEPS = 160


def walk_to(page: Page, name: str) -> None:
    """Press Tab until what has the focus is called so."""
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        if name in page.evaluate(NAME_OF_FOCUS):
            return
    raise AssertionError(f"no number of tabs leads to {name!r}")


def visit(page: Page, name: str, heading: str) -> None:
    """Go to a page through the menu."""
    walk_to(page, name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    settle(page)


def test_the_loop_is_walked_by_keyboard_alone(tmp_path, page):
    workspace = open_workspace(tmp_path / "home")
    db = open_store(workspace.database)
    web = Studio(workspace.home)
    try:
        web.open(page, annotator="li")
        walk_to(page, "上传文件")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        walk_to(page, "一行一个标题")
        page.keyboard.insert_text("\n".join(TITLES))
        walk_to(page, "导入这些标题")
        page.keyboard.press("Enter")
        wait_until(lambda: count_by_status(db)["waiting"] == len(TITLES))
        settle(page)

        visit(page, "标注", "标注")
        for digit in "925736":
            decide(page, digit)
        wait_until(lambda: count_by_status(db)["decided"] == 6)
        page.keyboard.press("f")
        expect(page.get_by_role("textbox", name="为什么存疑？")).to_be_focused()
        page.keyboard.insert_text("两类都像")
        page.keyboard.press("Enter")
        wait_until(lambda: count_by_status(db)["flagged"] == 1)
        settle(page)

        walk_to(page, "快速")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        box = page.get_by_role("textbox", name="思维链")
        expect(box).to_be_focused()
        page.keyboard.press("Alt+2")
        settle(page)
        page.keyboard.insert_text(CHAIN)
        page.keyboard.press("Control+Enter")
        wait_until(lambda: count_by_status(db)["decided"] == 7)
        assert count_without_chain(db) == 6
        settle(page)

        visit(page, "审核", "审核")
        press(page, "8")
        wait_until(lambda: count_by_status(db)["decided"] == 8)
        settle(page)

        visit(page, "数据集", "数据集")
        walk_to(page, "名称")
        walk_to(page, "冻结")
        page.keyboard.press("Enter")
        wait_until(lambda: list_versions(db, workspace) or page.get_by_text("忽略这").count())
        if not list_versions(db, workspace):
            settle(page)
            walk_to(page, "忽略这")
            page.keyboard.press("Enter")
        wait_until(lambda: len(list_versions(db, workspace)) == 1)
    finally:
        web.kill()
