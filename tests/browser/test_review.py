"""Several people in a real Chromium: two answers, a dispute, a reviewer at the keys, and the way back."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from studio.annotation import bulk_edits as steps
from studio.annotation import review
from studio.annotation.history import history
from studio.corpus.titles import find_title, get_title
from studio.samples.scheme import load_scheme
from studio.team import people
from tests.support.browser import CHROMIUM, decide, new_page, press, runs_asked, settle, shown_title
from tests.support.team import TWO, dispute, flag, share, team
from tests.support.team import label as answer

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
NAMES = {category.key: category.name for category in load_scheme().categories}
TITLES = [f"第 {number} 条公交线路今日改道" for number in range(8)]


@pytest.fixture
def db(tmp_path):
    return share(team(tmp_path / "home", "\n".join(TITLES)))


@pytest.fixture
def studio(shared_studio, db):
    return shared_studio.serve(Path(db.execute("pragma database_list").fetchone()[2]).parent)


@pytest.fixture
def browse(chromium, studio):
    """Opens a page in a context of its own for each person."""
    pages = []

    def open_as(name, page_name):
        page = new_page(chromium, height=1000)
        pages.append(page)
        studio.open(page, page_name, annotator=name)
        return page

    yield open_as
    for page in pages:
        page.close()


def test_two_people_differ_a_reviewer_settles_and_sends_back(browse, db):
    wang, chen = browse("wang", "label"), browse("chen", "label")
    said = {}
    for first, second in (("2", "2"), ("2", "5"), ("9", "0")):
        text = decide(wang, first)
        assert decide(chen, second) == text
        said[text] = (first, second)
    agreed, disputed, unclear = said
    assert find_title(db, agreed).category == NAMES["2"]
    assert find_title(db, disputed).status == find_title(db, unclear).status == "disputed"

    zhao = browse("zhao", "review")
    assert shown_title(zhao) == disputed
    for name in ("wang", "chen"):
        expect(zhao.get_by_text(name, exact=False).first).to_be_visible()
    assert decide(zhao, "b") == disputed
    assert find_title(db, disputed).category == NAMES["5"]

    assert shown_title(zhao) == unclear
    box = zhao.locator("textarea").first
    press(zhao, "t")
    expect(box).to_be_focused()
    # Letters and digits are text now, and decide nothing.
    zhao.keyboard.type("看看主角 2b")
    press(zhao, "Control+Enter")
    expect(zhao.get_by_text("没有等待裁定的标题了")).to_be_visible()
    back = find_title(db, unclear)
    assert (back.status, back.note, back.addressee) == ("waiting", "看看主角 2b", "chen")

    decide(chen, "4")  # what was on screen before the title came back
    expect(chen.get_by_role("heading", level=2)).to_have_text(unclear)
    expect(chen.get_by_text("看看主角 2b")).to_be_visible()
    assert decide(chen, "9") == unclear
    assert find_title(db, unclear).category == NAMES["9"]


def test_undo_by_u_brings_the_dispute_back(browse, db):
    title = dispute(db)
    zhao = browse("zhao", "review")
    assert decide(zhao, "a") == title.text
    assert get_title(db, title.id).status == "decided"
    press(zhao, "u")
    expect(zhao.get_by_role("heading", level=2)).to_have_text(title.text)
    assert get_title(db, title.id).status == "disputed"
    assert [event.action for event in history(db, title.id)][:2] == ["undo", "review"]


def test_a_press_on_a_title_that_moved_on_is_refused(browse, db):
    title = dispute(db)
    zhao = browse("zhao", "review")
    review.decide(db, title.id, category=NAMES["7"], chain=None, author="li", seen_revision=title.revision)
    press(zhao, "5")
    expect(zhao.get_by_test_id("stToast").first).to_contain_text("太快")
    assert get_title(db, title.id).category == NAMES["7"]


def test_every_key_of_the_review_page(browse, db):
    titles = [dispute(db) for _ in range(4)]
    zhao = browse("zhao", "review")
    assert decide(zhao, "n") == titles[0].text
    assert decide(zhao, "a") == titles[1].text
    assert decide(zhao, "b") == titles[2].text
    assert decide(zhao, "Numpad0") == titles[3].text
    decide(zhao, "6")
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
    # The clicked choice gives the keyboard back a moment after it was drawn; Enter would be its own.
    zhao.wait_for_function(
        "() => !document.activeElement.closest('[role=radiogroup], [data-testid=stButtonGroup]')"
    )
    assert decide(zhao, "Enter") == title.text
    assert review.verdicts(db, "zhao") == {"approve": 1}


def test_keys_decide_nothing_behind_the_history(browse, db):
    title = flag(db)
    zhao = browse("zhao", "review")
    zhao.locator('[class*="st-key-history-"] button').first.click()
    dialog = zhao.get_by_role("dialog")
    expect(dialog.get_by_text("导入")).to_be_visible()
    settle(zhao)
    before = runs_asked(zhao)
    zhao.keyboard.press("5")
    assert runs_asked(zhao) == before
    assert get_title(db, title.id).status == "flagged"
    zhao.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert decide(zhao, "5") == title.text
    assert get_title(db, title.id).category == NAMES["5"]


def test_a_state_is_restored_from_the_history(browse, db):
    title = dispute(db)
    steps.relabel(db, {title.id: title.revision}, category="体育", author="li")
    zhao = browse("zhao", "titles")
    zhao.locator(f".st-key-open-{title.id} button").click()
    expect(zhao.get_by_text("批量改类")).to_be_visible()
    zhao.get_by_role("button", name="恢复").first.click()
    settle(zhao)
    assert get_title(db, title.id).status == "disputed"


def test_a_newcomer_says_who_they_are_and_a_known_name_is_chosen(browse, db):
    page = browse("wang", "label")
    page.get_by_role("button", name="换人或新成员").click()
    page.get_by_role("textbox", name="新名字").fill("新来的")
    press(page, "Enter")
    assert people.find_person(db, "新来的").role == "annotator"
    expect(page).to_have_url(re.compile("annotator=%E6%96%B0"))
    settle(page)
    box = page.locator(".st-key-annotator input")
    box.click()
    page.get_by_role("option", name="zhao", exact=True).click()
    expect(page.get_by_test_id("stSidebar").get_by_text("审核员")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNav").get_by_role("link", name="审核", exact=True)).to_be_visible()
    expect(box).not_to_be_focused()
    settle(page)
    names = [each.name for each in people.list_people(db)]
    decide(page, "5")
    last = db.execute("select author, category from annotations order by id desc limit 1").fetchone()
    assert last == ("zhao", NAMES["5"])
    assert [each.name for each in people.list_people(db)] == names


def test_what_was_sent_back_is_counted_in_the_side_bar_until_it_is_answered(browse, db):
    title = answer(db, "wang", "经济", settings=TWO)
    answer(db, "chen", "经济", settings=TWO)
    title = get_title(db, title.id)
    review.send_back(
        db, title.id, comment="看主角", author="zhao", addressee="wang", seen_revision=title.revision
    )
    page = browse("wang", "label")
    expect(page.get_by_text("看主角")).to_be_visible()
    expect(page.get_by_test_id("stSidebar").get_by_text("退回给您 1 条")).to_be_visible()
    assert decide(page, "0") == title.text
    expect(page.get_by_test_id("stSidebar").get_by_text("退回给您")).to_have_count(0)
