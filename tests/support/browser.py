"""A studio in a subprocess and a page of it in Debian's Chromium, for browser tests."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, TimeoutError, expect

from tests.support.web_process import WebProcess

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


class Studio(WebProcess):
    """The running web process of one workspace, and its pages by name."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.start()

    def open(self, page: Page, name: str = "", **query: str) -> None:
        """Go to a page by its address and wait until it is drawn."""
        parameters = "&".join(f"{key}={value}" for key, value in {"annotator": "ann", **query}.items())
        page.goto(f"{self.url}/{name}?{parameters}")
        settle(page)


def settle(page: Page) -> None:
    """Wait until the page's script has run."""
    page.wait_for_selector("h1", timeout=60_000)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)


def go(page: Page, name: str) -> None:
    """Change the page by the menu."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    settle(page)


def shown_title(page: Page) -> str:
    """Read the title that is on screen on the Label page."""
    return page.get_by_role("heading", level=2).inner_text()


NEW_BUTTONS = """([selector, before]) => {
  const button = document.querySelector(selector)
  return button ? button.className !== before : !document.querySelector("h2")
}"""


def label(page: Page, digit: str) -> str:
    """Press a digit, wait for the next title and its buttons, return the title that was labelled."""
    selector = f'[class*="st-key-digit-{digit}-"]'
    page.wait_for_selector(selector)
    before, title = page.locator(selector).get_attribute("class"), shown_title(page)
    # The last title is followed by none.
    press_until(
        page, digit, lambda: page.wait_for_function(NEW_BUTTONS, arg=[selector, before], timeout=8000)
    )
    settle(page)
    return title


def press_until(page: Page, key: str, happened: Callable[[], object]) -> None:
    """Press a key until something happens: buttons listen only a moment after they are drawn."""
    for last in (False, False, True):
        page.wait_for_timeout(150)
        page.keyboard.press(key)
        try:
            happened()
            return
        except TimeoutError:
            if last:
                raise


def choose(page: Page, key: str, option: str) -> None:
    """Pick an option of a select box by its text."""
    page.locator(f".st-key-{key} input").click()
    page.get_by_role("option", name=option).first.click()
    settle(page)


def click_cell(page: Page, true: str, pred: str) -> None:
    """Click the middle of a cell of the confusion matrix, where its number is drawn."""
    name = re.compile(f"数据集: {true}; 模型: {pred}; ")
    box = page.locator(".st-key-matrix").get_by_label(name).last.bounding_box()
    assert box is not None, (true, pred)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    settle(page)
