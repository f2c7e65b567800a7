"""A studio in a process of its own and pages of it in Debian's Chromium, for browser tests.

What is on screen says little about what the server knows: a text may have stood there before,
and a run that a click starts has not begun when the click returns. So each page counts the runs
that it asks for and those that were answered, and `settle` waits for the difference.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect

from tests.support.web_process import WebProcess

ColorScheme = Literal["light", "dark"]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE_MS = 60_000
"""How long anything may take on a busy machine; an idle one needs a second."""
ATTEMPTS = 100
"""How often a key is pressed or a chart clicked until something on the page hears it."""

COUNT_RUNS = """(() => {
  // Numbers of Streamlit's BackMsg and ForwardMsg.
  const RERUN_SCRIPT = 11, NEW_SESSION = 4, SCRIPT_FINISHED = 6, EARLY_FOR_RERUN = 2
  const runs = window.runs = { asked: 0, begun: 0, arrived: 0, answered: 0, unsent: 0, held: null }
  // The fields at the top of a protobuf message, with the values of its numbers.
  const fieldsOf = (bytes) => {
    const found = {}
    let at = 0
    const number = () => {
      let value = 0, factor = 1, byte
      do { byte = bytes[at++]; value += (byte & 127) * factor; factor *= 128 } while (byte > 127)
      return value
    }
    while (at < bytes.length) {
      const tag = number(), field = Math.floor(tag / 8), value = number()
      found[field] = value
      if (tag % 8 === 2) at += value
    }
    return found
  }
  const { send, addEventListener } = WebSocket.prototype
  WebSocket.prototype.send = function (message) {
    if (RERUN_SCRIPT in fieldsOf(new Uint8Array(message))) runs.asked += 1
    if (this.readyState !== WebSocket.OPEN) runs.unsent += 1  // told where a page does not settle
    send.call(this, message)
  }
  WebSocket.prototype.addEventListener = function (kind, listener, ...rest) {
    if (kind !== "message") return addEventListener.call(this, kind, listener, ...rest)
    const listen = (event) => {
      const fields = fieldsOf(new Uint8Array(event.data))
      if (NEW_SESSION in fields) runs.begun = runs.asked
      if (SCRIPT_FINISHED in fields && fields[SCRIPT_FINISHED] !== EARLY_FOR_RERUN) runs.arrived = runs.begun
      const { arrived } = runs
      const hear = () => { listener(event); runs.answered = arrived }
      runs.held ? runs.held.push(hear) : hear()
    }
    addEventListener.call(this, kind, listen, ...rest)
  }
})()"""

SETTLE = """async (patience) => {
  const drawn = () => document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning"
    && document.querySelector("h1") !== null
  for (const began = performance.now(); performance.now() - began < patience;) {
    // A click asks in a timer of its own; what was answered is drawn in the frames that follow.
    await new Promise(done => setTimeout(done, 20))
    for (const _ of [1, 2]) await new Promise(requestAnimationFrame)
    if (runs.asked === runs.answered && drawn()) return
  }
  throw new Error(`not settled: ${JSON.stringify({ ...runs, held: runs.held?.length })}`)
}"""
ASKED = "() => new Promise(done => setTimeout(() => done(runs.asked), 20))"
"""A click or key asks in a timer of its own, which comes before this one."""
HEARD = """async ([before, patience]) => {
  for (const began = performance.now(); performance.now() - began < patience;) {
    await new Promise(done => setTimeout(done, 20))
    if (runs.asked > before) return true
  }
  return false
}"""

expect.set_options(timeout=PATIENCE_MS)


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


class SharedStudio(Studio):
    """One web process for many workspaces, one after another: `STUDIO_HOME` is a link that is set anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        WebProcess.__init__(self, folder / "home")

    def serve(self, home: Path) -> "SharedStudio":
        """Let the next page show this workspace."""
        draft = self.folder / "next"
        draft.symlink_to(home)
        draft.replace(self.home)
        if not self.is_running:
            self.start()
        return self


def new_page(
    browser: Browser, *, width: int = 1280, height: int = 900, color_scheme: ColorScheme = "light"
) -> Page:
    """A patient page in a context of its own, which counts its runs."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=color_scheme)
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(COUNT_RUNS)
    return page


def settle(page: Page) -> None:
    """Wait until every run that the page asked for is answered and drawn."""
    page.evaluate(SETTLE, PATIENCE_MS)


def runs_asked(page: Page) -> int:
    """How many runs the page has asked for, those of the keys and clicks just made included."""
    return int(page.evaluate(ASKED))


def go(page: Page, name: str) -> None:
    """Change the page by the menu."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    settle(page)


def shown_title(page: Page) -> str:
    """The title that is on screen on the Label or Review page."""
    return page.get_by_role("heading", level=2).inner_text()


def press(page: Page, key: str) -> None:
    """Press a key until a button hears it, and wait for the answer.

    Buttons listen only a moment after they are drawn. A press that none of them heard asks
    for no run; one that was heard is never made twice.
    """
    _repeat_until_heard(page, lambda: page.keyboard.press(key), patience_ms=100)


def _repeat_until_heard(page: Page, act: Callable[[], None], *, patience_ms: float) -> None:
    """Do something until the page asks for a run, and wait for the answer."""
    settle(page)
    before = runs_asked(page)
    for _ in range(ATTEMPTS):
        act()
        if page.evaluate(HEARD, [before, patience_ms]):
            settle(page)
            return
    raise AssertionError("nothing on the page heard it")


def decide(page: Page, key: str) -> str:
    """Press a key that brings another title or none; return the title that it was about."""
    before = shown_title(page)
    press(page, key)
    page.wait_for_function("before => document.querySelector('h2')?.innerText !== before", arg=before)
    return before


def choose(page: Page, key: str, option: str) -> None:
    """Pick an option of a select box by its text."""
    page.locator(f".st-key-{key} input").click()
    page.get_by_role("option", name=option).first.click()
    settle(page)


def click_cell(page: Page, true: str, pred: str, *, chart: str = "matrix") -> None:
    """Click the middle of a cell of the confusion matrix, where its number is drawn."""
    name = re.compile(f"数据集: {true}; 模型: {pred}; ")
    box = page.locator(f".st-key-{chart}").get_by_label(name).last.bounding_box()
    assert box is not None, (true, pred)
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    # The chart tells of a click 150 ms later.
    _repeat_until_heard(page, lambda: page.mouse.click(*middle), patience_ms=500)


class LateAnswers:
    """A slow network: what the server says reaches the page only when it is let through."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.evaluate("() => { runs.held = [] }")

    def await_all(self) -> None:
        """Wait until the server has answered, behind the page's back, all that was asked."""
        runs_asked(self.page)
        self.page.wait_for_function("() => runs.asked === runs.arrived")

    def take(self) -> int:
        """How many messages are held by now, for `let_through`."""
        return int(self.page.evaluate("() => runs.held.length"))

    def let_through(self, messages: int) -> None:
        """Hand the first so many messages to the page, and hold the others back still."""
        self.page.evaluate("count => runs.held.splice(0, count).forEach(hear => hear())", messages)

    def end(self) -> None:
        """Hand everything to the page and hold back nothing any more."""
        self.page.evaluate("() => { const held = runs.held; runs.held = null; held.forEach(hear => hear()) }")
