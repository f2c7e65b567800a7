"""Whoever changes the page faster than it is drawn meets no error, from the first moment on."""

import random

import pytest

from tests.support.browser import CHROMIUM, settle
from tests.support.old_workspaces import unpack

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
PACES_MS = (0, 20, 60, 120, 250, 500)


@pytest.fixture(scope="module")
def studio(shared_studio, tmp_path_factory):
    home = tmp_path_factory.mktemp("old") / "home"
    unpack(home)
    return shared_studio.serve(home)


@pytest.mark.parametrize("seed", [1, 2])
def test_fifty_switches_at_any_pace_end_in_no_error(page, studio, seed):
    draw = random.Random(seed)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    # Not `open`, which waits until the page is drawn: the first clicks come during the first load.
    page.goto(f"{studio.url}/?annotator=li&lang=en")
    links = page.get_by_test_id("stSidebarNavLink")
    links.first.wait_for()
    for _ in range(50):
        links.nth(draw.randrange(links.count() or 1)).click()
        page.wait_for_timeout(draw.choice(PACES_MS))
    settle(page)
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stAlertContentError").filter(has_text="unexpected").count() == 0
    assert errors == []
    page.get_by_test_id("stSidebarNav").locator('a[href$="/label"]').click()
    settle(page)
    assert page.get_by_role("heading", level=1).inner_text() == "Label"
