"""What every browser test needs: Chromium, and a patient page in it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.browser import ARGS, CHROMIUM, SharedStudio, new_page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for each file of tests: a running Playwright forbids asyncio to others."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedStudio]:
    """One web process for all files: to start it takes longer than most tests."""
    web = SharedStudio(tmp_path_factory.mktemp("web"))
    yield web
    if web.is_running:
        web.kill()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page in a context of its own."""
    page = new_page(chromium)
    yield page
    page.close()
