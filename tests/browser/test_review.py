"""Several people in a real Chromium: two answers, a dispute, a reviewer at the keys, and the way back."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from studio.annotation import bulk_edits as steps
from studio.annotation import review
from studio.annotation.history import history
from studio.corpus.titles import find_title, get_title
from studio.samples.scheme import load_scheme
from studio.team import people
from tests.support.browser import ARGS, CHROMIUM, Studio, label, press_until, settle, shown_title
from tests.support.team import TWO, dispute, flag, share, team
from tests.support.team import label as answer

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
NAMES = {category.key: category.name for category in load_scheme().categories}
TITLES = [f"第 {number} 条公交线路今日改道" for number in range(8)]


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def db(tmp_path):
    return share(team(tmp_path / "home", "\n".join(TITLES)))


@pytest.fixture
def studio(db):
    web = Studio(Path(db.execute("pragma database_list").fetchone()[2]).parent)
    yield web
    web.kill()


@pytest.fixture
def browse(chromium, studio):
    """Opens a page in a browser of its own for each person."""
    contexts = []

    def open_as(name, page_name):
        context = chromium.new_context(viewport={"width": 1280, "height": 1000})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        studio.open(page, page_name, annotator=name)
        return page

    yield open_as
    for context in contexts:
        context.close()


def press(page, key):
    """Press a key, wait until another title or none is there, return the one that was."""
    before = shown_title(page)
    gone = "before => document.querySelector('h2')?.innerText !== before"
    press_until(page, key, lambda: page.wait_for_function(gone, arg=before, timeout=8000))
    settle(page)
    return before


def test_two_people_differ_a_reviewer_settles_and_sends_back(browse, db):
    wang, chen = browse("wang", "label"), browse("chen", "label")
    said = {}
    for first, second in (("2", "2"), ("2", "5"), ("9", "0")):
        text = label(wang, first)
        assert label(chen, second) == text
        said[text] = (first, second)
    agreed, disputed, unclear = said
    assert find_title(db, agreed).category == NAMES["2"]
    assert find_title(db, disputed).status == find_title(db, unclear).status == "disputed"

    zhao = browse("zhao", "review")
    assert shown_title(zhao) == disputed
    for name in ("wang", "chen"):
        expect(zhao.get_by_text(name, exact=False).first).to_be_visible()
    assert press(zhao, "b") == disputed
    assert find_title(db, disputed).category == NAMES["5"]

    assert shown_title(zhao) == unclear
    box = zhao.locator("textarea").first
    press_until(zhao, "t", lambda: expect(box).to_be_focused(timeout=8000))
    # Letters and digits are text now, and decide nothing.
    zhao.keyboard.type("看看主角 2b")
    zhao.keyboard.press("Control+Enter")
    expect(zhao.get_by_text("没有等待裁定的标题了")).to_be_visible()
    back = find_title(db, unclear)
    assert (back.status, back.note, back.addressee) == ("waiting", "看看主角 2b", "chen")

    press(chen, "4")  # what was on screen before the title came back
    expect(chen.get_by_role("heading", level=2)).to_have_text(unclear)
    expect(chen.get_by_text("看看主角 2b")).to_be_visible()
    assert label(chen, "9") == unclear
    assert find_title(db, unclear).category == NAMES["9"]


def test_undo_by_u_brings_the_dispute_back(browse, db):
    title = dispute(db)
    zhao = browse("zhao", "review")
    assert press(zhao, "a") == title.text
    assert get_title(db, title.id).status == "decided"
    press_until(zhao, "u", lambda: zhao.wait_for_selector("h2", timeout=8000))
    expect(zhao.get_by_role("heading", level=2)).to_have_text(title.text)
    assert get_title(db, title.id).status == "disputed"
    assert [event.action for event in history(db, title.id)][:2] == ["undo", "review"]


def test_a_press_on_a_title_that_moved_on_is_refused(browse, db):
    title = dispute(db)
    zhao = browse("zhao", "review")
    zhao.wait_for_selector('[class*="st-key-digit-5-"]')
    review.decide(db, title.id, category=NAMES["7"], chain=None, author="li", seen_revision=title.revision)
    press_until(zhao, "5", lambda: zhao.get_by_test_id("stToast").first.wait_for(timeout=8000))
    expect(zhao.get_by_test_id("stToast").first).to_contain_text("太快")
    assert get_title(db, title.id).category == NAMES["7"]


def test_every_key_of_the_review_page(browse, db):
    titles = [dispute(db) for _ in range(4)]
    zhao = browse("zhao", "review")
    assert press(zhao, "n") == titles[0].text
    assert press(zhao, "a") == titles[1].text
    assert press(zhao, "b") == titles[2].text
    assert press(zhao, "Numpad0") == titles[3].text
    press(zhao, "6")
    categories = [get_title(db, title.id).category for title in titles]
    assert categories == [NAMES["6"], "经济", "社会", NAMES["0"]]


def test_two_reviewers_have_different_titles_on_screen(browse, db):
    texts = {dispute(db).text, dispute(db).text}
    assert {shown_title(browse("zhao", "review")), shown_title(browse("li", "review"))} == texts


def test_enter_approves_what_was_drawn(browse, db):
    answer(db, "wang", settings=TWO)
    title = answer(db, "chen", settings=TWO)
    db.execute("""insert into label_settings (value, author) values ('{"review_rate": 1.0}', 'li')""")
    zhao = browse("zhao", "review")
    zhao.get_by_text("抽查", exact=True).click()
    expect(zhao.get_by_role("heading", level=2)).to_have_text(title.text)
    press(zhao, "Enter")
    assert review.verdicts(db, "zhao") == {"approve": 1}


def test_keys_decide_nothing_behind_the_history(browse, db):
    title = flag(db)
    zhao = browse("zhao", "review")
    zhao.locator('[class*="st-key-history-"] button').first.click()
    dialog = zhao.get_by_role("dialog")
    expect(dialog.get_by_text("导入")).to_be_visible()
    zhao.wait_for_selector("html[data-keys-held=on]", state="attached")
    zhao.keyboard.press("5")
    zhao.wait_for_timeout(2500)
    assert get_title(db, title.id).status == "flagged"
    zhao.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    press(zhao, "5")
    assert get_title(db, title.id).category == NAMES["5"]


def test_a_state_is_restored_from_the_history(browse, db):
    title = dispute(db)
    steps.relabel(db, {title.id: title.revision}, category="体育", author="li")
    zhao = browse("zhao", "titles")
    zhao.locator(f'[class*="st-key-row-history-{title.id}"] button').first.click()
    dialog = zhao.get_by_role("dialog")
    expect(dialog.get_by_text("批量改类")).to_be_visible()
    dialog.get_by_role("button", name="恢复").first.click()
    expect(dialog).to_be_hidden()
    settle(zhao)
    assert get_title(db, title.id).status == "disputed"


def test_a_new_name_is_typed_and_a_known_one_chosen(browse, db):
    page = browse("wang", "label")
    box = page.locator(".st-key-annotator input")
    box.click()
    box.fill("新来的")
    box.press("Enter")
    expect(page.get_by_test_id("stSidebar").get_by_text("标注员")).to_be_visible()
    settle(page)
    assert people.find_person(db, "新来的").role == "annotator"
    expect(page).to_have_url(re.compile("annotator=%E6%96%B0"))
    box.click()
    page.get_by_role("option", name="zhao", exact=True).click()
    expect(page.get_by_test_id("stSidebar").get_by_text("审核员")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNav").get_by_role("link", name="审核", exact=True)).to_be_visible()
