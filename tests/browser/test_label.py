"""Every key of the Label page in a real Chromium, and two people at once."""

from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from pages.sections.label.put_aside import REASONS
from studio.corpus.titles import find_title, get_title
from studio.ingest.importer import import_path, import_text
from studio.messages import message, stored
from studio.samples.scheme import load_scheme
from studio.store import open_store, writing
from studio.suggestions.records import suggester_process
from studio.workspace import BUNDLED_DATASET, open_workspace
from tests.support.browser import ARGS, CHROMIUM, Studio, label, press_until, settle, shown_title
from tests.support.tiny_runs import wait_until

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
NAMES = {category.key: category.name for category in load_scheme().categories}


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    place = open_workspace(tmp_path_factory.mktemp("label"))
    store = open_store(place.database)
    import_text(store, "\n".join(f"第 {n} 条公交线路今日改道" for n in range(60)), load_scheme())
    return store


@pytest.fixture(scope="module")
def studio(db):
    web = Studio(Path(db.execute("pragma database_list").fetchone()[2]).parent)
    yield web
    web.kill()


@pytest.fixture
def page(chromium, studio):
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(60_000)
    studio.open(page, "label")
    yield page
    page.close()


def press(page, key):
    """Press a key, wait until another title is there, return the one that was."""
    before = shown_title(page)
    gone = "before => document.querySelector('h2')?.innerText !== before"
    press_until(page, key, lambda: page.wait_for_function(gone, arg=before, timeout=8000))
    settle(page)
    return before


def open_reasons(page, kind, key):
    """Press S or F and wait for the reasons."""
    reasons = page.locator(f'[class*="st-key-reason-{kind}-Q-"]')
    press_until(page, key, lambda: reasons.wait_for(timeout=8000))


@pytest.mark.parametrize("digit", "1234567890")
def test_a_digit_gives_its_category(page, db, digit):
    text = label(page, digit)
    assert find_title(db, text).category == NAMES[digit]


@pytest.mark.parametrize("digit", "105")
def test_a_digit_of_the_number_pad_does_the_same(page, db, digit):
    page.wait_for_selector("html[data-keypad=on]", state="attached")
    text = press(page, f"Numpad{digit}")
    assert find_title(db, text).category == NAMES[digit]


@pytest.mark.parametrize(("kind", "key", "status"), [("skip", "s", "skipped"), ("flag", "f", "flagged")])
@pytest.mark.parametrize("letter", "qwet")
def test_skip_and_flag_ask_for_a_reason_by_letter(page, db, kind, key, status, letter):
    open_reasons(page, kind, key)
    text = press(page, letter)
    title = find_title(db, text)
    assert (title.status, title.note) == (status, stored(message(REASONS[kind][letter.upper()])))


def test_escape_leaves_the_reasons_and_u_takes_back(page, db):
    open_reasons(page, "skip", "s")
    press_until(page, "Escape", lambda: page.locator('[class*="st-key-skip-"]').wait_for(timeout=8000))
    text = press(page, "4")
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
    assert press(page, "Enter") == text
    assert find_title(db, text).category == NAMES["8"]


def test_a_title_in_markup_is_shown_as_text(page, db):
    evil = "<script>window.hacked=1</script><b>粗体</b> **星号** $x$ :red[字]"
    import_text(db, evil, load_scheme())
    page.goto(page.url.split("?")[0] + f"?annotator=ann&title={find_title(db, evil).id}")
    settle(page)
    expect(page.get_by_role("heading", level=2)).to_have_text(evil)
    assert page.evaluate("window.hacked") is None
    label(page, "1")


def test_two_people_have_two_titles(chromium, studio, page, db):
    other = chromium.new_page()
    studio.open(other, "label", annotator="bo")
    assert shown_title(other) != shown_title(page)
    texts = [label(page, "3"), label(other, "6"), label(page, "3"), label(other, "6")]
    other.close()
    assert len(set(texts)) == 4
    assert [get_title(db, find_title(db, text).id).author for text in texts] == ["ann", "bo", "ann", "bo"]


def test_suggestions_come_while_people_label_and_an_admin_turns_them_off(chromium, tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_SUGGESTER", "1")
    store = open_store(open_workspace(tmp_path).database)
    import_path(store, BUNDLED_DATASET, load_scheme())
    import_text(store, "女排逆转夺冠，主教练赛后落泪\n央行宣布降息\n球队主场取胜\n高考放榜", load_scheme())
    web, page = Studio(tmp_path), chromium.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(60_000)
    try:
        web.open(page, "label")
        first = label(page, "5")
        accept = page.locator('[class*="st-key-accept-"]')
        for _ in range(60):  # a first training takes some seconds on a busy machine
            if accept.count():
                break
            page.wait_for_timeout(1000)
            page.reload()
            settle(page)
        second = press(page, "Enter")
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
        assert accept.count() == 0
    finally:
        page.close()
        web.kill()
        wait_until(lambda: not suggester_process(open_workspace(tmp_path)).is_alive(), seconds=60)
