"""No page has a serious or critical accessibility fault that axe-core finds, in either theme and language."""

from collections import Counter

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.support.browser import CHROMIUM, new_page, settle
from tests.support.old_workspaces import unpack
from tests.support.pages import PAGES

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
BAD = ("serious", "critical")
OPTIONS = {"resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def studio(shared_studio, tmp_path_factory):
    home = tmp_path_factory.mktemp("old") / "home"
    unpack(home)
    return shared_studio.serve(home)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_serious_or_critical_finding(chromium, studio, theme, lang, record_property):
    page = new_page(chromium, color_scheme=theme)
    found, minor = list[str](), Counter[str]()
    studio.open(page, annotator="li", lang=lang)
    page.wait_for_function("() => window.newsStudioObserver")
    for name in PAGES:
        address = f'a[href$="/{"" if name == "home" else name}"]'
        page.get_by_test_id("stSidebarNav").locator(address).click()
        settle(page)
        for rule in Axe().run(page, options=OPTIONS).response["violations"]:
            if rule["impact"] in BAD:
                found += [f"{name}: {rule['id']}: {node['html'][:300]}" for node in rule["nodes"]]
            else:
                minor[rule["id"]] += len(rule["nodes"])
    page.context.close()
    record_property("moderate_or_minor", dict(minor))
    assert not found, "\n".join(found)
