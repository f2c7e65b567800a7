"""The Quality page by keyboard, and the tokens of a row as they are drawn, in a real Chromium."""

import pytest
from playwright.sync_api import expect

from studio.corpus.titles import get_title
from studio.datasets.versions import freeze
from studio.ingest.importer import import_path
from studio.quality import findings as quality
from studio.quality._scan import scan
from studio.training import token_preview as preview
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL
from tests.support.browser import CHROMIUM, press, settle
from tests.support.samples import SCHEME, new_store, sample, write_json
from tests.support.tiny_runs import end_everything, wait_until

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
SLY = "<img src=x onerror=alert(1)> $x$ :red[红] 的标题，主队主场绝杀"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The bundled samples and a title full of marks, scanned, frozen, its tokens counted."""
    folder = tmp_path_factory.mktemp("browser")
    db, workspace = new_store(folder / "home")
    import_path(db, BUNDLED_DATASET, SCHEME)
    import_path(db, write_json(folder / "train.json", [sample(SLY)]), SCHEME)
    freeze(db, workspace, "news", author="li", scheme=SCHEME)
    scan(db, workspace, SCHEME)
    yield db, workspace
    end_everything(workspace)


@pytest.fixture(scope="module")
def studio(shared_studio, place):
    return shared_studio.serve(place[1].home)


def open_tab(page, name):
    page.get_by_role("tab", name=name).click()
    settle(page)


def answer(page, key):
    """Press a key, which brings another finding."""
    button = page.locator('[class*="st-key-quality-N-"]')
    before = button.get_attribute("class")
    press(page, key)
    assert button.get_attribute("class") != before


def test_each_key_answers_the_finding_on_screen(place, studio, page):
    db, workspace = place
    scanned = quality.look(db, workspace).last
    accepted, suggested, digit, dismissed = quality.open_findings(db, scanned, "suspect")[:4]
    studio.open(page, "quality")
    open_tab(page, "可疑标签")
    for key in ("a", "x", "5", "d"):
        answer(page, key)
    left = quality.open_findings(db, scanned, "suspect")
    assert not {finding.key for finding in (accepted, suggested, digit, dismissed)} & {f.key for f in left}
    assert get_title(db, accepted.titles[0]).category == accepted.evidence.given
    assert get_title(db, suggested.titles[0]).category == suggested.evidence.suggested
    assert get_title(db, digit.titles[0]).category == next(
        category.name for category in SCHEME.categories if category.key == "5"
    )
    assert get_title(db, dismissed.titles[0]).category == dismissed.evidence.given


def test_tokens_are_drawn_as_text_and_never_as_marks(place, studio, page):
    db, workspace = place
    known = {"model": BUNDLED_MODEL, "dataset_dir": workspace.datasets / "news" / "v1"}
    wait_until(lambda: preview.count_rows(workspace, **known).state != "running", seconds=120)
    rows = db.execute(
        "select text from version_rows join titles on titles.id = title_id where version_rows.split = 'train' order by row"
    )
    number = [text for (text,) in rows.fetchall()].index(SLY) + 1
    studio.open(page, "datasets")
    open_tab(page, "模型看到什么")
    page.locator(".st-key-preview-row input").fill(str(number))
    page.locator(".st-key-preview-row input").press("Enter")
    tokens = page.locator(".tokens")
    expect(tokens).to_contain_text("onerror=alert")
    settle(page)
    assert SLY in tokens.inner_text().replace("\n", "")
    assert tokens.locator("b").count() == 0
    assert tokens.locator(".heavy").last.inner_text() == "<｜end▁of▁sentence｜>"
