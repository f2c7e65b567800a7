"""Why is 国内 bad, and what do I do: from a run to its errors, into the label queue and back, in Chromium."""

import pytest
from playwright.sync_api import expect

from studio.contract import Prediction
from studio.corpus.titles import find_title
from studio.datasets.versions import freeze
from studio.evaluation.error_actions import acted_on
from studio.evaluation.training_rows import labelled_rows
from studio.ingest.importer import import_path, import_text
from studio.samples.canonical import write_answer
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import BUNDLED_DATASET
from tests.support.browser import CHROMIUM, Studio, press, settle, shown_title
from tests.support.evaluations import finished
from tests.support.samples import new_store
from tests.support.tiny_runs import end_everything

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
SCHEME = load_scheme()
BAD, INSTEAD = "国内", "社会"
KEY = next(each.key for each in SCHEME.categories if each.name == BAD)


def answers(*, bad):
    """Answer the bundled evaluation rows; while `bad`, 国内 is reasoned rightly and then called 社会."""
    found = []
    for row in labelled_rows(BUNDLED_DATASET, "eval", SCHEME).rows:
        said = INSTEAD if bad and row.category == BAD else row.category
        chain = f"“{row.title[:2]}”说得清楚，归{row.category}。"
        found.append(
            Prediction(
                row=row.row, title=row.title, label=row.category, label_chain=chain, answer="chain",
                predicted=said, chain=chain, text=write_answer(chain, said), tokens=20,
            )
        )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The bundled rows, waiting titles of which some resemble the errors, and a run that is bad at 国内."""
    db, workspace = new_store(tmp_path_factory.mktemp("browser") / "home")
    import_path(db, BUNDLED_DATASET, SCHEME)
    errors = [row for row in answers(bad=True) if row.predicted != row.label]
    similar = [f"{row.title}的后续" for row in errors]
    import_text(db, "\n".join(["主队补时绝杀夺冠", *similar]), SCHEME)
    run = finished(workspace, answers(bad=True), label="第一次", training=1)
    yield workspace, run, errors, similar
    end_everything(workspace)


@pytest.fixture(scope="module")
def studio(place):
    studio = Studio(place[0].home)
    yield studio
    studio.kill()


def view(page, name):
    page.get_by_role("radio", name=name).click()
    settle(page)


def button(page, key):
    found = page.locator(f".st-key-{key} button")
    found.scroll_into_view_if_needed()
    found.click()
    settle(page)


def test_why_a_category_is_bad_and_what_to_do(place, studio, page):
    workspace, run, errors, similar = place
    count = len(errors)
    studio.open(page, "runs", open=run.id)
    page.get_by_role("link", name="看评估结果").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("评估")
    settle(page)

    view(page, "逐类指标")
    expect(page.get_by_text(f"最多的一格：{BAD} → {INSTEAD}（{count}）")).to_be_visible()
    button(page, "category-cell")
    expect(page.get_by_text(f"{count} 条标题", exact=True)).to_be_visible()
    view(page, "逐类指标")
    button(page, "category-rows")
    expect(page.get_by_text(errors[0].title).first).to_be_visible()
    view(page, "逐类指标")
    button(page, "category-causes")
    page.locator(".st-key-cause-chain_right summary").first.click()
    settle(page)
    button(page, "act-chain_right")
    db = open_store(workspace.database)
    assert len(acted_on(db, run, "chain")) == count
    assert {find_title(db, title).rank for title in similar} == {find_title(db, similar[0]).rank}

    page.get_by_role("link", name="去标注").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("标注")
    settle(page)
    for _ in similar:
        assert shown_title(page) in similar  # before the title that was imported first
        press(page, KEY)
    assert all(find_title(db, title).category == BAD for title in similar)

    version = freeze(db, workspace, "news", author="ann", scheme=SCHEME)
    assert sum(version.rows.values()) == 400 + count
    better = finished(workspace, answers(bad=False), label="第二次", training=1, version=version.ref)
    studio.open(page, "evaluate", evaluation=better.id, view="causes")
    expect(page.get_by_text("之前的处理有没有用")).to_be_visible()
    page.get_by_role("link", name="与别的运行比较").click()
    settle(page)
    studio.open(page, "compare", a=f"{run.id}:chain", b=f"{better.id}:chain")
    expect(page.get_by_role("heading", level=3)).to_contain_text("第二次 比 第一次 好")
