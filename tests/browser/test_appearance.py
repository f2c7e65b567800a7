"""Theme, language and focus, as a browser has them: for the eye, the ear and the keyboard."""

import pytest
from playwright.sync_api import expect

from pages.shared import colors
from tests.support.browser import CHROMIUM, go, new_page, settle
from tests.support.pages import PAGES
from tests.support.team import team

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
GROUND = "() => { const app = document.querySelector('.stApp'); return app && getComputedStyle(app).backgroundColor }"
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(18, 23, 31)"
# What Streamlit writes itself, in texts, names and placeholders; charts and code apart.
ENGLISH = """() => {
  const texts = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const { nodeValue, parentElement } = walker.currentNode
    if (!parentElement.closest("style, script, noscript, svg, pre, code, [aria-hidden=true]")
      && !/material/i.test(getComputedStyle(parentElement).fontFamily)) texts.push(nodeValue)
  }
  for (const element of document.querySelectorAll("[aria-label], [placeholder], [title]"))
    if (!element.closest("svg, canvas"))
      for (const name of ["aria-label", "placeholder", "title"]) texts.push(element.getAttribute(name) ?? "")
  const words = new RegExp("\\\\b(Upload|per file|Press|Add: |Choose|Show|Help for|Open|Collapse|Expand"
    + "|Increment|Decrement|Fullscreen|Search|Shortcut|Download as|Copy|Skip to|No results|Clear value)(?![A-Za-z])")
  return texts.filter((text) => words.test(text))
}"""


@pytest.fixture(scope="module")
def studio(shared_studio, tmp_path_factory):
    home = tmp_path_factory.mktemp("appearance") / "home"
    team(home)
    return shared_studio.serve(home)


@pytest.mark.parametrize(("system", "ground"), [("light", LIGHT), ("dark", DARK)])
def test_the_theme_follows_the_system(chromium, studio, system, ground):
    page = new_page(chromium, color_scheme=system)
    studio.open(page)
    assert page.evaluate(GROUND) == ground
    page.wait_for_function("() => window.newsStudioObserver")
    page.emulate_media(color_scheme="light" if system == "dark" else "dark")
    page.wait_for_function(f"({GROUND})() === '{DARK if ground == LIGHT else LIGHT}'")
    # Our own colours follow with a run of the page: the name in the logo is one of them.
    ink = "#1F2937" if system == "dark" else "#E6EAF0"
    logo = "atob(document.querySelector('[data-testid=stSidebarLogo]').src.split(',')[1])"
    page.wait_for_function(f"() => {logo}.includes('{ink}')")
    page.context.close()


def test_a_chosen_theme_holds_on_every_page_and_after_a_reload(page, studio):
    studio.open(page, "label")
    page.get_by_text("深色", exact=True).click()
    page.wait_for_function(f"({GROUND})() === '{DARK}'")
    settle(page)
    go(page, "团队")
    assert page.evaluate(GROUND) == DARK
    studio.open(page, "label")
    assert page.evaluate(GROUND) == DARK
    expect(page.get_by_role("radio", name="深色")).to_be_checked()
    page.get_by_text("跟随系统", exact=True).click()
    page.wait_for_function(f"({GROUND})() === '{LIGHT}'")


def test_the_page_says_its_language_and_streamlits_words_follow(page, studio):
    studio.open(page, annotator="li", lang="zh")
    page.wait_for_function("() => document.documentElement.lang === 'zh-CN'")
    for name in PAGES:
        studio.open(page, "" if name == "home" else name, annotator="li", lang="zh")
        page.wait_for_function(f"() => ({ENGLISH})().length === 0")
        assert not page.get_by_role("button", name=" icon").count()
    page.get_by_text("English", exact=True).click()
    page.wait_for_function("() => document.documentElement.lang === 'en'")
    expect(page.get_by_label("Collapse sidebar")).to_have_count(1)
    page.get_by_text("中文", exact=True).click()
    page.wait_for_function("() => document.documentElement.lang === 'zh-CN'")
    expect(page.get_by_label("收起侧栏")).to_have_count(1)


def test_the_focus_is_seen_in_the_menu_and_no_frame_is_around_the_page(page, studio):
    studio.open(page, "label")
    while page.evaluate("() => document.activeElement.dataset.testid !== 'stSidebarNavLink'"):
        page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_css("outline-style", "solid")
    main = page.get_by_test_id("stMain")
    main.focus()
    page.keyboard.press("ArrowDown")
    shown = "e => [getComputedStyle(e, '::before').display, getComputedStyle(e, '::after').display]"
    assert main.evaluate(shown) == ["none", "none"]


@pytest.mark.parametrize("ground", ["#FFFFFF", "#12171F", "#F4F6F9", "#1A212B"])
def test_marks_are_seen_on_every_ground(ground):
    assert min(colors.contrast(color, ground) for color in colors.SERIES) >= colors.MARK
