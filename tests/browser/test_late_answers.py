"""What a person chose stays chosen, however late the answer to an earlier click comes."""

import pytest
from playwright.sync_api import expect

from studio.corpus.titles import find_title
from tests.support.browser import CHROMIUM, LateAnswers, decide, settle
from tests.support.team import team

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]


@pytest.fixture
def db(tmp_path):
    return team(tmp_path / "home")


@pytest.fixture
def studio(shared_studio, db, tmp_path):
    return shared_studio.serve(tmp_path / "home")


def test_a_name_chosen_before_an_earlier_answer_comes_is_kept_and_signs_what_follows(studio, page, db):
    studio.open(page, "label", annotator="wang")
    late = LateAnswers(page)
    page.get_by_text("思维链", exact=True).click()
    late.await_all()
    as_wang = late.take()
    box = page.locator(".st-key-annotator input")
    box.click()
    page.get_by_role("option", name="li", exact=True).click()
    late.await_all()
    late.let_through(as_wang)
    expect(page.locator("textarea")).to_be_visible()
    page.get_by_text("快速分类", exact=True).click()
    late.end()
    settle(page)
    expect(box).to_have_value("li")
    assert find_title(db, decide(page, "5")).author == "li"


def test_three_titles_ticked_faster_than_the_page_answers_are_all_ticked(studio, page):
    studio.open(page, "titles", annotator="li")
    boxes = page.locator('[class*="st-key-tick-"] [data-testid=stCheckbox]')
    late = LateAnswers(page)
    boxes.nth(0).click()
    late.await_all()
    one_ticked = late.take()
    boxes.nth(1).click()
    late.await_all()
    late.let_through(one_ticked)
    expect(page.get_by_role("button", name="清除选择（1）")).to_be_visible()
    boxes.nth(2).click()
    late.end()
    expect(page.get_by_role("button", name="清除选择（3）")).to_be_visible()
