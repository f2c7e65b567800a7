"""Entry script of the web app: the list of pages, the language, the annotator's name.

    streamlit run studio/app.py

Knows no page's content. The language stands in the address (`?lang=en`) and else in
STUDIO_LANG, so that a link opens in the language in which it was sent.
"""

import getpass
from pathlib import Path

import streamlit as st

from studio.errors import StudioError
from studio.language import LANGUAGES, Language, current_language, say
from studio.leases import release
from studio.store import open_store
from studio.workspace import Settings, open_workspace

PAGES = Path(__file__).resolve().parent.parent / "pages"
LANGUAGE_NAMES: dict[Language, str] = {"zh": "中文", "en": "English"}
# Drawn here: a named icon would be fetched from a font server on the network.
ICON = """<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64" viewBox="0 6 28 28">
<rect x="1" y="7" width="26" height="26" rx="6" fill="#2B5C9E"/>
<path d="M8 15h12M8 20h12M8 25h7" stroke="#fff" stroke-width="2.4" stroke-linecap="round"/>
</svg>"""
WORDMARK = """<svg xmlns="http://www.w3.org/2000/svg" width="190" height="40" viewBox="0 0 190 40">
<rect x="1" y="7" width="26" height="26" rx="6" fill="#2B5C9E"/>
<path d="M8 15h12M8 20h12M8 25h7" stroke="#fff" stroke-width="2.4" stroke-linecap="round"/>
<text x="37" y="27" font-family="sans-serif" font-size="19" font-weight="700" fill="#1F2937">News Studio</text>
</svg>"""


def computer_user() -> str:
    """The login name, or "me" where the system tells none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "me"


def choose_language() -> None:
    """Draw the language switch and let every text of this run follow it.

    Not bound to the address by Streamlit, which would write the label there
    (`?lang=English`) where DESIGN has `?lang=en`.
    """
    asked = st.query_params.get("lang")
    st.session_state.setdefault("lang", asked if asked in LANGUAGES else Settings().lang)
    chosen = st.segmented_control(
        "语言 / Language",
        LANGUAGES,
        key="lang",
        required=True,
        format_func=lambda language: LANGUAGE_NAMES[language],
        on_change=keep_choices,
    )
    assert chosen is not None, "the control is required"
    current_language.set(chosen)
    if chosen != Settings().lang or asked is not None:
        st.query_params["lang"] = chosen


def keep_choices() -> None:
    """Callback: choices outlive a change of language.

    Streamlit finds the choice of a select box again by the text of its option, which is
    another one now. Widgets for which that matters have keys that begin with `choose-`.
    """
    for key in st.session_state:
        if str(key).startswith("choose-"):
            st.session_state[key] = st.session_state[key]


def name_annotator() -> None:
    """Ask under which name decisions are written down; the address keeps it.

    Read from the address by hand: a widget bound to it forgets the name when the page
    finds its server again after a restart, and somebody else would seem to decide.
    """
    asked = st.query_params.get("annotator")
    st.session_state.setdefault("annotator", asked or computer_user())
    name = st.text_input(
        say("标注人", "Annotator"),
        key="annotator",
        help=say("每个决定都会记下这个名字。", "Every decision is written down under this name."),
    )
    if name != asked and name != computer_user():
        st.query_params["annotator"] = name


def leave_title() -> None:
    """Who opens another page gives the title on the Label page to the others."""
    db = open_store(open_workspace().database)
    release(db, str(st.session_state.get("annotator") or "").strip())
    db.close()


def pages() -> list[st.Page]:
    """The menu, in the order of the loop."""
    page = st.Page
    return [
        page(PAGES / "home.py", title=say("首页", "Home"), icon=":material/home:", default=True),
        page(PAGES / "label.py", title=say("标注", "Label"), icon=":material/keyboard:"),
        page(PAGES / "drafts.py", title=say("教师草稿", "Teacher drafts"), icon=":material/smart_toy:"),
        page(PAGES / "datasets.py", title=say("数据集", "Datasets"), icon=":material/dataset:"),
        page(PAGES / "quality.py", title=say("质量", "Quality"), icon=":material/fact_check:"),
        page(PAGES / "train.py", title=say("训练", "Train"), icon=":material/model_training:"),
        page(PAGES / "evaluate.py", title=say("评估", "Evaluate"), icon=":material/grid_on:"),
        page(PAGES / "try_it.py", title=say("分类与对话", "Classify and chat"), icon=":material/forum:"),
    ]


st.set_page_config(page_title="News Studio", page_icon=ICON, layout="wide")
st.logo(WORDMARK, size="large")
with st.sidebar:
    choose_language()
    name_annotator()
page = st.navigation(pages())
try:
    if page.url_path != "label":
        leave_title()
    page.run()
except StudioError as error:
    # What no part of the page reported itself: the workspace or its database.
    st.error(f"{error.problem}\n\n{error.remedy}", icon=":material/error:")
