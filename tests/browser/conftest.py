"""What every browser test needs: Chromium, and a patient page in it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.browser import ARGS, CHROMIUM, new_page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for each file of tests: a running Playwright forbids asyncio to others."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page in a context of its own."""
    page = new_page(chromium)
    yield page
    page.close()
