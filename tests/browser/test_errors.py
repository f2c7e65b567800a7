"""From "why is it wrong" to the label queue, and from a click in the table of runs to that run, in Chromium."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from studio.evaluation.error_actions import acted_on
from studio.store import open_store
from tests.support.browser import CHROMIUM, Studio, settle
from tests.support.samples import new_store
from tests.support.tiny_runs import end_everything
from tests.support.workspaces import fill, scored_run

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A workspace with two scored runs, of which the first is returned."""
    db, workspace = new_store(tmp_path_factory.mktemp("browser") / "home")
    run = fill(db, workspace)
    scored_run(workspace)
    yield workspace, run
    end_everything(workspace)


@pytest.fixture(scope="module")
def studio(place):
    studio = Studio(place[0].home)
    yield studio
    studio.kill()


def test_an_analyst_finds_why_a_category_is_bad_and_sends_work_to_the_annotators(place, studio, page):
    workspace, run = place
    studio.open(page, "evaluate", evaluation=run.id)
    page.get_by_role("radio", name="错因").click()
    settle(page)
    act = page.locator('[class*="st-key-act-"]').first
    cause = re.search(r"st-key-act-(\w+)", act.get_attribute("class"))[1]
    page.locator(f".st-key-cause-{cause} summary").first.click()
    settle(page)
    button = act.locator("button")
    button.scroll_into_view_if_needed()
    button.click()
    settle(page)
    done = re.compile("下一次评估会说有没有用|请导入更多相近的标题")
    expect(page.get_by_text(done).first).to_be_visible()
    db = open_store(workspace.database)
    assert acted_on(db, run, "chain")
    page.get_by_role("radio", name="标题与标签").click()
    settle(page)
    page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("view") == ["rows"])


def test_a_click_in_the_table_of_runs_opens_that_run(place, studio, page):
    _, run = place
    studio.open(page, "runs", order="oldest")
    table = page.get_by_test_id("stDataFrame").first
    expect(table).to_be_visible()
    box = table.bounding_box()
    # Oldest first: the recorded run, then the first of the two; each line is 35 px high.
    page.mouse.click(box["x"] + 20, box["y"] + 35 * 2 + 17)
    settle(page)
    expect(page.locator("h3", has_text="scored")).to_be_visible()
    page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("open") == [run.id])
