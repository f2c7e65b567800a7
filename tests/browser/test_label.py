"""Every key of the Label page in a real Chromium, and two people at once."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from pages.sections.label.put_aside import REASONS
from studio.annotation.queue_order import change_settings
from studio.corpus.titles import find_title, get_title
from studio.ingest.importer import import_path, import_text
from studio.messages import message, stored
from studio.samples.scheme import load_scheme
from studio.store import open_store, writing
from studio.suggestions.records import suggester_process, suggestion_for
from studio.team.settings import LabelSettings
from studio.workspace import BUNDLED_DATASET, open_workspace
from tests.support.browser import CHROMIUM, Studio, decide, new_page, press, settle, shown_title
from tests.support.tiny_runs import wait_until

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
NAMES = {category.key: category.name for category in load_scheme().categories}


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    place = open_workspace(tmp_path_factory.mktemp("label"))
    store = open_store(place.database)
    import_text(store, "\n".join(f"第 {n} 条公交线路今日改道" for n in range(60)), load_scheme())
    return store


@pytest.fixture(scope="module")
def studio(shared_studio, db):
    return shared_studio.serve(Path(db.execute("pragma database_list").fetchone()[2]).parent)


@pytest.fixture
def page(page, studio):
    studio.open(page, "label")
    page.wait_for_selector("html[data-keys-guarded=on]", state="attached")
    return page


def open_reasons(page, kind, key):
    """Press S or F, which brings the reasons."""
    press(page, key)
    page.locator(f'[class*="st-key-reason-{kind}-1-"]').wait_for()


def test_each_digit_gives_its_category(page, db):
    said = {digit: find_title(db, decide(page, digit)).category for digit in "1234567890"}
    assert said == NAMES


def test_a_digit_of_the_number_pad_does_the_same(page, db):
    said = {digit: find_title(db, decide(page, f"Numpad{digit}")).category for digit in "105"}
    assert said == {digit: NAMES[digit] for digit in "105"}


@pytest.mark.parametrize(("kind", "key", "status"), [("skip", "s", "skipped"), ("flag", "f", "flagged")])
def test_skip_and_flag_ask_for_a_reason_which_one_combination_chooses(page, db, kind, key, status):
    for number in "1234":
        open_reasons(page, kind, key)
        title = find_title(db, decide(page, f"Alt+{number}"))
        assert (title.status, title.note) == (status, stored(message(REASONS[kind][int(number) - 1])))


def labels(db):
    return db.execute("select count(*) from annotations where kind = 'category'").fetchone()[0]


@pytest.mark.parametrize("haste", [True, False])
@pytest.mark.parametrize(("key", "status"), [("s", "skipped"), ("f", "flagged")])
def test_a_reason_is_typed_at_once_and_labels_nothing(page, db, key, status, haste):
    text, before = shown_title(page), labels(db)
    page.wait_for_timeout(300)
    if haste:
        page.keyboard.press(key)
    else:
        press(page, key)
        expect(page.locator('[class*="st-key-reason-text-"] input')).to_be_focused()
    for char in "5 u1":
        page.keyboard.press(char)
    expect(page.locator('[class*="st-key-reason-text-"] input')).to_have_value("5 u1")
    page.keyboard.insert_text("个城市")
    page.keyboard.press("Enter")
    page.wait_for_function("before => document.querySelector('h2')?.innerText !== before", arg=text)
    title = find_title(db, text)
    assert (title.status, title.note, labels(db)) == (status, "5 u1个城市", before)
    decide(page, "4")
    assert labels(db) == before + 1


def test_no_key_reaches_the_page_from_the_name_box_or_a_dialog(page, db):
    before, text = labels(db), shown_title(page)
    page.locator(".st-key-annotator input").click()
    for key in ("5", "Alt+5", "u", "Escape"):
        page.keyboard.press(key)
    settle(page)
    assert (labels(db), shown_title(page)) == (before, text)
    press(page, "?")
    page.get_by_role("dialog").wait_for()
    for key in ("5", "u", "f", "Enter"):
        page.keyboard.press(key)
    settle(page)
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Close|关闭")).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert (labels(db), shown_title(page)) == (before, text)
    decide(page, "5")
    assert labels(db) == before + 1


SEND = """([key, code, composing]) => {
  const event = { key, code, keyCode: 229, isComposing: composing, bubbles: true, cancelable: true }
  const target = document.activeElement
  target.dispatchEvent(new KeyboardEvent("keydown", event))
  target.dispatchEvent(new KeyboardEvent("keyup", { ...event, isComposing: false }))
}"""


def test_an_input_method_that_is_on_labels_nothing_and_letters_still_act(page, db):
    text = decide(page, "4")
    before = labels(db)
    page.wait_for_timeout(400)
    for digit in "135":
        page.evaluate(SEND, ["Process", f"Digit{digit}", False])
        page.evaluate(SEND, [digit, f"Digit{digit}", True])
    page.evaluate(SEND, ["Process", "KeyU", True])
    page.evaluate(SEND, ["Enter", "Enter", True])
    settle(page)
    assert labels(db) == before and find_title(db, text).status == "decided"
    page.evaluate(SEND, ["Process", "KeyU", False])
    expect(page.get_by_role("heading", level=2)).to_have_text(text)
    assert find_title(db, text).status == "waiting"
    page.wait_for_timeout(400)
    press(page, "f")
    expect(page.locator('[class*="st-key-reason-text-"] input')).to_be_focused()
    for code in ("KeyC", "KeyS", "Digit1", "Enter"):
        page.evaluate(SEND, ["Process", code, True])
    settle(page)
    page.keyboard.insert_text("城市")
    press(page, "Enter")
    assert find_title(db, text).note == "城市"


def test_no_english_is_read_out_or_shown_on_the_chinese_page(page):
    expect(page.get_by_role("button", name="体育 快捷键 5")).to_be_visible()
    press(page, "f")
    page.keyboard.type("a")
    page.wait_for_timeout(300)
    words = page.locator("[data-testid=stMain]").inner_text() + page.locator("main").aria_snapshot()
    assert [word for word in ("Press", "Shortcut", "submit", "Upload") if word in words] == []


def test_two_fast_presses_or_a_key_held_down_label_one_title(page, db):
    page.wait_for_timeout(400)
    before, text = labels(db), shown_title(page)
    page.keyboard.press("3")
    page.keyboard.press("3")
    page.wait_for_function("before => document.querySelector('h2')?.innerText !== before", arg=text)
    page.keyboard.press("3")  # drawn this moment
    settle(page)
    assert labels(db) == before + 1
    page.wait_for_timeout(400)
    for _ in range(20):
        page.keyboard.down("6")
        page.wait_for_timeout(50)
    page.keyboard.up("6")
    settle(page)
    assert labels(db) == before + 2


def test_a_second_tab_with_a_title_that_is_labelled_applies_nothing_and_says_so(chromium, studio, page, db):
    other = new_page(chromium)
    studio.open(other, "label")
    text = shown_title(page)
    assert shown_title(other) == text
    decide(page, "3")
    before = labels(db)
    press(other, "6")
    expect(other.get_by_text("没有生效")).to_be_visible()
    assert labels(db) == before
    assert find_title(db, text).category == NAMES["3"]
    other.close()


def test_escape_leaves_the_reasons_and_u_takes_back(page, db):
    open_reasons(page, "skip", "s")
    press(page, "Escape")
    page.locator('[class*="st-key-skip-"]').wait_for()
    text = decide(page, "4")
    assert find_title(db, text).category == NAMES["4"]
    press(page, "u")
    assert shown_title(page) == text
    assert find_title(db, text).status == "waiting"


def test_enter_takes_what_is_suggested(page, db):
    text = shown_title(page)
    with writing(db):
        db.execute(
            "insert or replace into suggestions (title_id, category, probability, source) values (?, ?, 0.9, 'tfidf')",
            [find_title(db, text).id, NAMES["8"]],
        )
    page.reload()
    settle(page)
    page.locator('[class*="st-key-accept-"]').wait_for()
    assert decide(page, "Enter") == text
    assert find_title(db, text).category == NAMES["8"]


def test_a_title_in_markup_is_shown_as_text(page, db):
    evil = "<script>window.hacked=1</script><img src=x onerror=alert(1)> **星号** $x$ :red[字]"
    import_text(db, evil, load_scheme())
    page.goto(page.url.split("?")[0] + f"?annotator=ann&title={find_title(db, evil).id}")
    settle(page)
    expect(page.get_by_role("heading", level=2)).to_have_text(evil)
    assert page.evaluate("window.hacked") is None
    decide(page, "1")


def test_two_people_have_two_titles(chromium, studio, page, db):
    other = new_page(chromium)
    studio.open(other, "label", annotator="bo")
    assert shown_title(other) != shown_title(page)
    texts = [decide(page, "3"), decide(other, "6"), decide(page, "3"), decide(other, "6")]
    other.close()
    assert len(set(texts)) == 4
    assert [get_title(db, find_title(db, text).id).author for text in texts] == ["ann", "bo", "ann", "bo"]


def test_suggestions_come_while_people_label_and_an_admin_turns_them_off(chromium, tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_SUGGESTER", "1")
    store = open_store(open_workspace(tmp_path).database)
    import_path(store, BUNDLED_DATASET, load_scheme())
    import_text(store, "女排逆转夺冠，主教练赛后落泪\n央行宣布降息\n球队主场取胜\n高考放榜", load_scheme())
    web, page = Studio(tmp_path), new_page(chromium)
    try:
        web.open(page, "label")
        first = decide(page, "5")
        waiting = find_title(store, shown_title(page))
        wait_until(lambda: suggestion_for(store, waiting.id) is not None, seconds=180)
        page.reload()
        settle(page)
        accept = page.locator('[class*="st-key-accept-"]')
        accept.wait_for()
        second = decide(page, "Enter")
        assert first != second
        shown = "select category, suggestion, suggestion_source from annotations where suggestion is not null"
        category, suggestion, source = store.execute(shown).fetchone()
        assert category == suggestion == find_title(store, second).category and source == "tfidf"
        web.open(page, "team")
        page.get_by_role("tab", name="设置").click()
        page.locator(".st-key-setting-suggestions label").first.click()
        page.get_by_role("button", name="保存设置").click()
        expect(page.get_by_text("已保存")).to_be_visible()
        web.open(page, "label")
        assert suggestion_for(store, find_title(store, shown_title(page)).id) is not None
        assert accept.count() == 0
    finally:
        page.close()
        web.kill()
        change_settings(store, LabelSettings(suggestions=False), author="ann")
        wait_until(lambda: not suggester_process(open_workspace(tmp_path)).is_alive(), seconds=60)
