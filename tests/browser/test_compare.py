"""Which of my two runs is better, and where: from the menu to the two chains of one title, in Chromium."""

import pytest
from playwright.sync_api import expect

from studio.evaluation.compared import compare_entries
from studio.evaluation.entries import entries_of
from studio.workspace import open_workspace
from tests.support.browser import CHROMIUM, Studio, click_cell, go, settle
from tests.support.evaluations import finished, predictions, titles

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
SLY = "<img src=x onerror=window.hacked=1> $x$ :red[红] 的标题"
TITLES = [*titles(119), SLY]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    workspace = open_workspace(tmp_path_factory.mktemp("browser") / "home")
    a = finished(
        workspace,
        predictions(TITLES, lambda row: row < 60 or row == 119, chain="先看“央行”。"),
        label="旧模型",
    )
    b = finished(
        workspace,
        predictions(TITLES, lambda row: 3 <= row < 90, chain=f"先看“女排”。{SLY}"),
        label="新 **模型**",
    )
    return workspace, a, b


@pytest.fixture(scope="module")
def studio(place):
    studio = Studio(place[0].home)
    yield studio
    studio.kill()


def test_which_of_my_two_runs_is_better_and_where(place, studio, page):
    _, a, b = place
    found = compare_entries([entries_of(run)[0] for run in (a, b)])
    came, left = found.cell_changes(1)
    studio.open(page, "")
    go(page, "比较")
    expect(page.get_by_role("heading", level=3)).to_contain_text("新 **模型** 比 旧模型 好")
    page.get_by_text("混淆矩阵的变化").click()
    settle(page)
    expect(page.locator(".st-key-compare-matrix svg").first).to_be_visible()
    row = next(i for i, line in enumerate(came) if line[i])
    category = found.aligned.categories[row]
    click_cell(page, category, category, chart="compare-matrix")
    expect(page.get_by_text(f"{came[row][row]} 条标题", exact=True)).to_be_visible()
    assert "cell=" in page.url and "view=matrix" in page.url
    page.goto(page.url)  # the address alone brings the same back
    settle(page)
    expect(page.get_by_text(f"{came[row][row]} 条标题", exact=True)).to_be_visible()
    page.get_by_text("修好与弄错").click()
    settle(page)
    page.get_by_text(f"弄错 {found.comparisons[0].broken}").click()
    settle(page)
    page.get_by_role("button", name=SLY).click()
    settle(page)
    expect(page.get_by_text("央行", exact=True).first).to_be_visible()
    assert page.evaluate("window.hacked") is None
    assert sum(map(sum, came)) == sum(map(sum, left))
