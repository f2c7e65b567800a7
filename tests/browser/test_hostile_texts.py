"""Whatever people and files write is text on every page: no request leaves, nothing of it comes alive."""

import pytest

from tests.support.browser import CHROMIUM, new_page, settle
from tests.support.hostile_workspace import OUTSIDE, make_hostile
from tests.support.pages import PAGES

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
# What these show last has no free text, or has it in boxes to choose from and in closed sections alone.
ELSEWHERE = ("check", "export", "guides", "models", "runs", "team", "train", "try_it")
ALIVE = """() => {
  const found = []
  for (const part of document.querySelectorAll("a[href], img, iframe, [src]")) {
    const address = part.getAttribute("href") ?? part.getAttribute("src") ?? ""
    const leads = /^(https?:|mailto:)/.test(address) && !address.startsWith(location.origin)
    if (leads || /evil|^m$|^x$/.test(address)) found.push(`${part.tagName} ${address} in ${part.parentElement.innerText.slice(0, 60)}`)
  }
  for (const part of document.querySelectorAll(".katex")) found.push(`formula in ${part.parentElement.innerText.slice(0, 60)}`)
  for (const part of document.querySelectorAll("[data-icon=bolt], [aria-label='bolt icon']"))
    found.push(`icon in ${part.parentElement.innerText.slice(0, 60)}`)
  const text = document.body.innerText
  for (const match of text.matchAll(/.{0,40}aa[–—]bb.{0,10}/g)) found.push(`dash: ${match[0]}`)
  for (const part of document.querySelectorAll("[data-testid=stException]")) found.push("error box")
  return [...new Set(found)]
}"""


@pytest.fixture(scope="module")
def studio(shared_studio, tmp_path_factory):
    home = tmp_path_factory.mktemp("hostile") / "home"
    make_hostile(home)
    return shared_studio.serve(home)


@pytest.fixture
def page(chromium):
    page = new_page(chromium)
    yield page
    page.context.close()


OPENED = (
    "titles?title=1",
    "titles?status=decided&order=changed",
    "evaluate?view=rows",
    "evaluate?view=causes",
)


@pytest.mark.parametrize("name", [*PAGES, *OPENED])
def test_no_text_comes_alive(page, studio, name):
    outside = []
    page.on("request", lambda request: OUTSIDE in request.url and outside.append(request.url))
    address, _, query = name.partition("?")
    parameters = dict(part.split("=") for part in query.split("&") if part)
    studio.open(page, "" if address == "home" else address, annotator="li", **parameters)
    found = page.evaluate(ALIVE)
    for number in range(page.get_by_role("tab").count()):
        tab = page.get_by_role("tab").nth(number)
        if tab.is_visible():
            tab.click()
            settle(page)
            found += page.evaluate(ALIVE)
    closed = page.locator("details:not([open]) > summary")
    for summary in closed.all():
        if summary.is_visible():
            summary.click()
    settle(page)
    found += page.evaluate(ALIVE)
    assert outside == []
    assert name in ELSEWHERE or "evil" in page.locator("body").inner_text()
    assert sorted(set(found)) == []
