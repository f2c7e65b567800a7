"""An error that nobody foresaw is a sentence with the place of the log, wherever it is raised."""

import os
import subprocess
import sys
import urllib.request

import pytest

from tests.support.browser import CHROMIUM, settle
from tests.support.tiny_runs import wait_until
from tests.support.web_process import ROOT, free_port

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.slow,
]
SERVER = """
from pathlib import Path
import streamlit as st
from pages.shared.feedback import show_unexpected
app = st.App(Path(__file__).with_name("page.py"), on_script_error=show_unexpected)
"""
PAGE = """
import streamlit as st

def broken():
    raise KeyError("secret title")

@st.fragment
def part():
    if st.button("fragment"):
        broken()

st.title("page")
st.session_state["lang"] = st.query_params.get("lang", "zh")
st.button("callback", on_click=broken)
part()
if st.button("page"):
    broken()
"""


def answers(address):
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("broken"), free_port()
    (folder / "server.py").write_text(SERVER)
    (folder / "page.py").write_text(PAGE)
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(folder / "server.py"),
        "--server.port",
        str(port),
    ]
    environment = {**os.environ, "STUDIO_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    address = f"http://127.0.0.1:{port}"
    wait_until(lambda: answers(address))
    yield address, log
    process.terminate()
    process.wait(30)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("place", ["page", "callback", "fragment"])
def test_no_box_of_the_framework_and_no_content(page, url, place, lang):
    address, log = url
    page.goto(f"{address}/?lang={lang}")
    settle(page)
    page.get_by_role("button", name=place, exact=True).click()
    # Not `settle`: where a callback failed, the page that follows it is not drawn.
    page.get_by_test_id("stAlertContentError").wait_for()
    assert page.get_by_test_id("stException").count() == 0
    said = page.get_by_test_id("stAlertContentError").inner_text()
    assert ("意外" if lang == "zh" else "unexpected") in said
    assert "secret" not in page.locator("body").inner_text()
    assert "KeyError: 'secret title'" in log.read_text()
