"""Think-chain mode in a real Chromium: text that survives, drafts accepted and rejected by key."""

import pytest
from playwright.sync_api import expect

from studio import runs
from studio.annotation import autosave as typed_drafts
from studio.annotation.annotations import annotate
from studio.contract import Drafted, DraftSpec
from studio.corpus.titles import find_title
from studio.ingest.importer import import_text
from studio.store import open_store, writing
from studio.teacher import drafts
from studio.workspace import open_workspace
from tests.support.browser import CHROMIUM, press, runs_asked, settle, shown_title
from tests.support.samples import CHAIN, SCHEME
from tests.support.tiny_runs import end_everything, wait_until
from tests.support.titles import next_waiting

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
TITLES = ["主队主场绝杀对手，终场前三秒投进三分", "女排主场逆转对手夺冠", "马拉松选手刷新纪录"]


@pytest.fixture
def workspace(tmp_path):
    place = open_workspace(tmp_path / "home")
    yield place
    end_everything(place)


@pytest.fixture
def db(workspace):
    store = open_store(workspace.database)
    import_text(store, "\n".join(TITLES), SCHEME)
    return store


@pytest.fixture
def studio(shared_studio, workspace, db):
    return shared_studio.serve(workspace.home)


@pytest.fixture
def drafted(db, workspace):
    """Every title is labelled, and a run has drafted its chain."""
    spec = DraftSpec(base_url="http://127.0.0.1:9/v1", model="tiny-teacher")
    job = runs.prepare_job(workspace, spec, files={"titles.jsonl": b""})
    (job.folder / "cancel").touch()
    for waiting in next_waiting(db, limit=3):
        title = annotate(db, waiting.id, category="体育", author="li", seen_revision=waiting.revision)
        line = Drafted(
            title_id=title.id,
            decision_id=title.decision_id,
            title=title.text,
            category="体育",
            chain=CHAIN,
        )
        with (job.folder / "drafts.jsonl").open("a") as file:
            file.write(line.model_dump_json() + "\n")


def open_chain_mode(studio, page):
    studio.open(page, "label")
    page.get_by_text("思维链", exact=True).click()
    expect(page.locator("textarea")).to_be_visible()
    settle(page)


def review(studio, page):
    open_chain_mode(studio, page)
    page.get_by_text("审阅教师草稿").click()
    expect(page.locator("textarea")).to_have_value(CHAIN)
    settle(page)


def typed(db, title):
    found = typed_drafts.kept(db, author="ann", title_id=find_title(db, title).id)
    return found.text if found else None


def test_typed_text_survives_a_reload_and_a_killed_web_server(studio, page, db):
    open_chain_mode(studio, page)
    page.get_by_role("radio", name="体育").click()
    settle(page)
    page.locator("textarea").press_sequentially("写“绝杀”到一半")
    wait_until(lambda: typed(db, TITLES[0]) == "写“绝杀”到一半")
    page.reload()
    open_chain_mode(studio, page)
    expect(page.locator("textarea")).to_have_value("写“绝杀”到一半")
    studio.kill()
    studio.start()
    open_chain_mode(studio, page)
    expect(page.locator("textarea")).to_have_value("写“绝杀”到一半")
    page.locator("textarea").focus()
    press(page, "Control+Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text(TITLES[1])
    assert find_title(db, TITLES[0]).chain == "写“绝杀”到一半"
    assert find_title(db, TITLES[0]).category == "体育"
    assert typed(db, TITLES[0]) is None


def test_a_title_is_labelled_skipped_and_flagged_by_keyboard_alone(studio, page, db):
    text = TITLES[0]
    with writing(db):
        db.execute(
            "insert into suggestions (title_id, category, probability, source) values (?, '体育', 0.9, 'tfidf')",
            [find_title(db, text).id],
        )
    open_chain_mode(studio, page)
    box = page.locator("textarea")
    expect(box).to_be_focused()
    expect(page.get_by_role("radio", name="体育")).to_be_checked()
    expect(page.get_by_text("模型建议")).to_be_visible()
    press(page, "Alt+1")
    expect(page.get_by_role("radio", name="政治")).to_be_checked()
    page.keyboard.press("Alt+1")
    settle(page)
    expect(page.get_by_role("radio", name="政治")).to_be_checked()
    expect(box).to_be_focused()
    page.keyboard.type(CHAIN)
    press(page, "Control+Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text(TITLES[1])
    expect(box).to_be_focused()
    row = db.execute("select category, suggestion, suggestion_source from annotations").fetchone()
    assert row == ("政治", "体育", "tfidf")
    page.keyboard.type("写到一半")
    wait_until(lambda: typed(db, TITLES[1]) == "写到一半")
    press(page, "Alt+f")
    expect(page.locator('[class*="st-key-reason-text-"] input')).to_be_focused()
    press(page, "Escape")
    expect(box).to_be_focused()
    expect(box).to_have_value("写到一半")
    settle(page)
    page.keyboard.press("Alt+s")
    page.keyboard.press("2")
    page.keyboard.press(" ")
    expect(page.locator('[class*="st-key-reason-text-"] input')).to_be_focused()
    expect(page.locator('[class*="st-key-reason-text-"] input')).to_have_value("2 ")
    page.keyboard.insert_text("个球队")
    press(page, "Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text(TITLES[2])
    assert (find_title(db, TITLES[1]).status, find_title(db, TITLES[1]).note) == ("skipped", "2 个球队")
    expect(box).to_be_focused()
    press(page, "Alt+u")
    expect(page.get_by_role("heading", level=2)).to_have_text(TITLES[1])
    page.keyboard.press("F1")
    expect(page.get_by_role("dialog")).to_contain_text("Ctrl+Enter")
    page.keyboard.press("Alt+3")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    settle(page)
    expect(page.get_by_role("radio", name="科技")).not_to_be_checked()


def test_a_box_that_is_gone_asks_for_nothing_any_more(studio, page):
    """The next title may stand there before the copy of what was typed last is sent."""
    open_chain_mode(studio, page)
    page.locator("textarea").press_sequentially("写")
    before = runs_asked(page)
    page.evaluate("document.querySelector('textarea').remove()")
    page.wait_for_timeout(800)
    assert runs_asked(page) == before


def test_a_draft_is_marked_and_accepted_by_ctrl_enter(drafted, studio, page, db):
    review(studio, page)
    expect(page.get_by_text("tiny-teacher")).to_be_visible()
    page.locator("textarea").focus()
    press(page, "Control+Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text(TITLES[1])
    assert find_title(db, TITLES[0]).chain == CHAIN
    expect(page.locator("textarea")).to_have_value(CHAIN)
    page.locator("textarea").press("End")
    page.locator("textarea").press_sequentially("没有别的。")
    wait_until(lambda: typed(db, TITLES[1]) == f"{CHAIN}没有别的。")
    press(page, "Control+Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text(TITLES[2])
    said = drafts.draft_outcomes(db, db.execute("select run_id from drafts").fetchone()[0])
    assert (said.accepted, said.edited, said.waiting) == (1, 1, 1)


def test_a_draft_is_rejected_by_its_key(drafted, studio, page, db):
    review(studio, page)
    page.locator("textarea").focus()
    press(page, "Alt+x")
    expect(page.get_by_role("heading", level=2)).to_have_text(TITLES[1])
    assert find_title(db, TITLES[0]).chain is None
    assert drafts.pending_draft(db, find_title(db, TITLES[0]).id) is None


def test_each_press_puts_in_another_scaffold_and_keeps_what_was_typed(studio, page, db):
    open_chain_mode(studio, page)
    page.get_by_role("radio", name="体育").click()
    settle(page)
    box = page.locator("textarea")
    box.press_sequentially("先说一句。")
    wait_until(lambda: typed(db, TITLES[0]) == "先说一句。")
    seen = set()
    for _ in range(3):
        page.get_by_role("button", name="搭框架").click()
        page.wait_for_function(
            "seen => !seen.includes(document.querySelector('textarea').value)",
            arg=[*seen, "先说一句。"],
        )
        settle(page)
        seen.add(box.input_value())
    assert all(text.startswith("先说一句。\n") and text.count("\n") == 1 for text in seen)
    expect(page.get_by_text("空格没有填")).to_be_visible()
    assert shown_title(page) == TITLES[0]
