"""The loop in a real Chromium, by keyboard and mouse: what AppTest cannot press or draw."""

import pytest
from playwright.sync_api import expect

from studio.annotation import autosave, bulk_edits
from studio.contract import UNPARSED
from studio.corpus.titles import count_by_status, find_title, find_titles
from studio.ingest.importer import import_text
from studio.runs import list_runs, load_predictions
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import BUNDLED_MODEL, open_workspace
from tests.support.browser import (
    CHROMIUM,
    LateAnswers,
    choose,
    click_cell,
    decide,
    go,
    runs_asked,
    settle,
    shown_title,
)
from tests.support.tiny_runs import end_everything, wait_until
from tests.support.titles import next_waiting

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
    "人大常委会审议学前教育法草案",
    "两国边境再度交火，联合国呼吁停火",
    "外卖员冒雨救下落水女孩后悄悄离开",
    "秋粮收购价小幅上涨，农户惜售",
    "台风周末登陆东南沿海，多趟列车停运",
]
DIGITS = "925736418029"
NOTE_KEYS = """() => {
  window.presses = []
  document.addEventListener("keydown", event => {
    window.presses.push([event.key, document.querySelector("h2")?.innerText])
  }, { capture: true })
}"""


@pytest.fixture
def workspace(tmp_path):
    place = open_workspace(tmp_path / "home")
    yield place
    end_everything(place)


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


@pytest.fixture
def studio(shared_studio, workspace):
    return shared_studio.serve(workspace.home)


@pytest.fixture
def waiting(db):
    import_text(db, "\n".join(TITLES), load_scheme())


def test_ten_presses_at_once_label_only_what_was_on_screen(waiting, studio, page, db):
    studio.open(page, "label")
    page.evaluate(NOTE_KEYS)
    late = LateAnswers(page)
    # The first is heard once the buttons listen, the next come before its answer, the last while it is drawn.
    before = runs_asked(page)
    while runs_asked(page) == before:
        page.keyboard.press("3")
    for digit in "21654":
        page.keyboard.press(digit)
    late.await_all()
    late.end()
    for digit in "9870":
        page.keyboard.press(digit)
    expect(page.get_by_test_id("stToast").first).to_contain_text("太快")
    settle(page)
    names = {category.key: category.name for category in load_scheme().categories}
    seen = {(text, names[key]) for key, text in page.evaluate("window.presses")}
    decided = [(title.text, title.category) for title in find_titles(db, status="decided")]
    assert decided
    assert set(decided) <= seen
    assert [text for text, _ in decided] == TITLES[: len(decided)]


def test_the_digits_of_the_number_pad_label_too(waiting, studio, page, db):
    studio.open(page, "label")
    assert decide(page, "Numpad9") == TITLES[0]
    assert find_title(db, TITLES[0]).category == "国内"


def test_what_was_typed_last_is_saved_by_ctrl_enter(waiting, studio, page, db):
    studio.open(page, "label")
    page.get_by_text("思维链", exact=True).click()
    page.get_by_role("radio", name="国内").click()
    settle(page)
    box = page.locator("textarea")
    box.click()
    box.press_sequentially("写“环湖绿道”，讲公共设施，")
    expect(page.get_by_text("建议 60 到 250 字")).to_be_visible()
    box.press_sequentially("归国内。")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text(TITLES[1])
    assert find_title(db, TITLES[0]).chain == "写“环湖绿道”，讲公共设施，归国内。"


def test_a_draft_survives_a_change_of_page_and_language(waiting, studio, page, db):
    studio.open(page, "label")
    page.get_by_text("思维链", exact=True).click()
    page.locator("textarea").press_sequentially("写了一半")
    first = find_title(db, TITLES[0]).id
    wait_until(lambda: (kept := autosave.kept(db, author="ann", title_id=first)) and kept.text == "写了一半")
    go(page, "数据集")
    page.get_by_text("English", exact=True).click()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Label", exact=True).click()
    expect(page.locator("textarea")).to_have_value("写了一半")


def test_a_killed_web_server_loses_no_decision(waiting, studio, page, db):
    studio.open(page, "label")
    labelled = [decide(page, digit) for digit in "925"]
    studio.kill()
    studio.start()
    studio.open(page, "label")
    assert shown_title(page) == TITLES[3]
    assert [title.text for title in find_titles(db, status="decided")] == labelled


def test_after_a_restart_the_open_page_still_knows_whose_it_is(waiting, studio, page, db):
    studio.open(page, "label")
    decide(page, "9")
    before = runs_asked(page)
    studio.kill()
    studio.start()
    # The page finds its server again by itself, and asks for a run.
    wait_until(lambda: runs_asked(page) > before)
    decide(page, "2")
    assert {title.author for title in find_titles(db, status="decided")} == {"ann"}


@pytest.mark.skipif(not (BUNDLED_MODEL / "config.json").exists(), reason="data/base_model is not there")
def test_the_whole_loop(studio, page, db, workspace):
    import_in_browser(studio, page, db)
    label_by_keyboard(page, db)
    freeze(page)
    train(page, workspace)
    sent = send_one_back(page, workspace)
    assert shown_title(page) == sent
    assert find_title(db, sent).status == "waiting"
    classify(page)
    chat(page)


def import_in_browser(studio, page, db):
    studio.open(page)
    page.get_by_role("tab", name="内置样例").click()
    page.get_by_role("button", name="导入内置样例").click()
    expect(page.get_by_text("新增 450 条").first).to_be_visible()
    seen = {title.id: title.revision for title in next_waiting(db, limit=50)}
    bulk_edits.trash(db, seen, author="ann")
    page.get_by_role("tab", name="粘贴标题").click()
    page.locator(".st-key-pasted textarea").fill("\n".join(TITLES))
    page.get_by_role("button", name="导入这些标题").click()
    expect(page.get_by_text("新增 12 条").first).to_be_visible()


def label_by_keyboard(page, db):
    go(page, "标注")
    assert [decide(page, digit) for digit in DIGITS] == TITLES
    counts = count_by_status(db)
    assert counts["decided"] == sum(counts.values()) - counts["trashed"] == 412


def freeze(page):
    go(page, "数据集")
    page.get_by_role("button", name="冻结", exact=True).click()
    expect(page.get_by_text("已冻结 news@1")).to_be_visible()


def train(page, workspace):
    go(page, "训练")
    choose(page, "choose-train-preset", "快速看看")
    page.get_by_role("button", name="开始训练").click()
    wait_until(lambda: not list_runs(workspace)[0].recorded and list_runs(workspace)[0].is_over, seconds=400)
    # Not by the words: the recorded run is done as well. Only a run that is over has no progress.
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    expect(page.get_by_test_id("stMain").get_by_text("完成").first).to_be_visible()
    settle(page)
    page.get_by_role("link", name="看评估结果").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("评估")
    expect(page.locator(".st-key-matrix svg").first).to_be_visible()
    settle(page)


def send_one_back(page, workspace):
    """Click the cell of the first wrong answer (else of any), send a title back, follow the link."""
    predictions = load_predictions(list_runs(workspace)[0], "direct")
    sent = next((p for p in predictions if p.predicted != p.label), predictions[0])
    click_cell(page, sent.label, "无法解析" if sent.predicted in (None, UNPARSED) else sent.predicted)
    page.locator("[data-testid=stCheckbox]").filter(has_text=sent.title).first.click()
    page.get_by_role("button", name="送回标注队列（1）").click()
    expect(page.get_by_text("1 条已排到标注队列最前面")).to_be_visible()
    page.get_by_role("link", name="去标注").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("标注")
    settle(page)
    return sent.title


def classify(page):
    go(page, "分类与对话")
    page.locator(".st-key-classify-text textarea").fill("球队客场逆转，提前一轮夺得联赛冠军")
    page.locator(".st-key-classify-now button").click()
    expect(page.get_by_role("button", name="不对？")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("OpenAI 兼容接口")).to_be_visible()


def chat(page):
    """Stop an answer half way; the next question is answered nevertheless."""
    page.get_by_role("tab", name="对话").click()
    box = page.locator("[data-testid=stChatInput] textarea")
    box.fill("新闻分类：台风周末登陆东南沿海，多趟列车停运")
    box.press("Enter")
    expect(page.get_by_text("思考中")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="停止").click()
    settle(page)
    expect(page.get_by_role("button", name="停止")).to_have_count(0)
    box.fill("新闻分类：中学把编程写进选修课")
    box.press("Enter")
    messages = page.get_by_test_id("stChatMessage")
    expect(messages.last.get_by_text("思考了")).to_be_visible(timeout=60_000)
    # Stopped before its first word, an answer leaves its question alone.
    assert messages.count() in (3, 4)
