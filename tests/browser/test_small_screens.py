"""No control is cut off at the side: on a small laptop, on a phone, and at 150 % zoom."""

import pytest

from tests.support.browser import CHROMIUM, new_page, settle
from tests.support.old_workspaces import unpack
from tests.support.pages import PAGES

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
# Cut off: beyond the window, or beyond a part of the page that hides what does not fit into it. A table
# scrolls in itself, and the closed menu of a phone is beside the screen on purpose.
CUT = """() => {
  const controls = document.querySelectorAll(
    "button, a[href], input:not([type=file]), textarea, select, summary, [role=tab], [role=radio]")
  const found = []
  for (const control of controls) {
    if (control.closest("[data-testid=stSidebar], [data-testid=stDataFrame], [data-testid=stElementToolbar]"))
      continue
    if (control.closest("[aria-hidden=true]") || !control.checkVisibility({ visibilityProperty: true })) continue
    const box = control.getBoundingClientRect()
    if (box.width < 2 || box.height < 2) continue
    let left = 0, right = innerWidth
    for (let part = control.parentElement; part; part = part.parentElement) {
      if (getComputedStyle(part).overflowX === "visible") continue
      const around = part.getBoundingClientRect()
      left = Math.max(left, around.left)
      right = Math.min(right, around.right)
    }
    // What a box draws instead of its own, which is hidden within a single pixel.
    if (right - left < 3) continue
    if (box.left < left - 2 || box.right > right + 2)
      found.push(`${control.tagName} ${control.ariaLabel ?? control.innerText.slice(0, 40)}`
        + ` ${Math.round(box.left)}-${Math.round(box.right)} of ${Math.round(left)}-${Math.round(right)}`)
  }
  if (document.documentElement.scrollWidth > innerWidth + 1) found.push("the page scrolls sideways")
  return found
}"""


@pytest.fixture(scope="module")
def studio(shared_studio, tmp_path_factory):
    home = tmp_path_factory.mktemp("old") / "home"
    unpack(home)
    return shared_studio.serve(home)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize(
    ("width", "height"), [(1280, 720), (390, 844), (853, 480)], ids=["laptop", "phone", "zoomed"]
)
def test_no_control_is_cut_off(chromium, studio, width, height, lang):
    page = new_page(chromium, width=width, height=height)
    found = []
    for name in PAGES:
        studio.open(page, "" if name == "home" else name, annotator="li", lang=lang)
        settle(page)
        found += [f"{name}: {control}" for control in page.evaluate(CUT)]
    page.context.close()
    assert not found, "\n".join(found)
