"""Entry script of the web app: the list of pages, the language, who works here.

    streamlit run studio/app.py

Knows no page's content. Which pages a person finds in the menu follows from their role;
that is a matter of order, and whatever a page does is asked of the services again.
The language stands in the address (`?lang=en`) and else in
STUDIO_LANG, so that a link opens in the language in which it was sent.
"""

import gc
import getpass
from pathlib import Path

import streamlit as st

from studio.annotation import review
from studio.annotation.leases import release
from studio.errors import StudioError
from studio.language import LANGUAGES, Language, current_language, say
from studio.store import open_store
from studio.team import people
from studio.team.people import Person
from studio.workspace import current_settings, open_workspace

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
    st.session_state.setdefault("lang", asked if asked in LANGUAGES else current_settings().lang)
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
    if chosen != current_settings().lang or asked is not None:
        st.query_params["lang"] = chosen


def keep_choices() -> None:
    """Callback: choices outlive a change of language.

    Streamlit finds the choice of a select box again by the text of its option, which is
    another one now. Widgets for which that matters have keys that begin with `choose-`.
    """
    for key in st.session_state:
        if str(key).startswith("choose-"):
            st.session_state[key] = st.session_state[key]


def sign_in() -> Person | None:
    """Ask who works here, and show them with colour and role; the address keeps the name.

    Read from the address by hand: a widget bound to it forgets the name when the page
    finds its server again after a restart, and somebody else would seem to decide.
    None where the workspace cannot be read: the page says why.
    """
    asked = st.query_params.get("annotator")
    st.session_state.setdefault("annotator", asked or computer_user())
    name = (
        " ".join(str(st.session_state["annotator"] or "").split())[: people.LONGEST_NAME] or computer_user()
    )
    # Written only where it differs: what a run writes into a widget goes back to the browser, and an
    # answer that comes late would undo the name that was chosen meanwhile.
    if st.session_state["annotator"] != name:
        st.session_state["annotator"] = name
    if asked is not None or name != computer_user():
        st.query_params["annotator"] = name
    person, names = known_people(name)
    st.selectbox(
        say("我是", "I am"),
        names,
        key="annotator",
        accept_new_options=True,
        filter_mode="prefix",
        placeholder=say("选名字，或输入新名字", "Choose your name or type a new one"),
        help=say(
            "每个决定都会记下这个名字；新名字直接输入。",
            "Every decision is written down under this name; type a new one to join.",
        ),
    )
    if person is not None:
        rests = "" if person.is_active else say("　:gray[（休息中）]", " :gray[(resting)]")
        role = say(*people.ROLE_NAMES[person.role])
        st.markdown(f':color[●]{{foreground="{person.color}"}} {role}{rests}')
    return person


def known_people(name: str) -> tuple[Person | None, list[str]]:
    """The person of that name, signed in, and the names of all."""
    try:
        db = open_store(open_workspace().database)
        person = people.sign_in(db, name)
        names = [each.name for each in people.list_people(db)]
        db.close()
    except StudioError:
        return None, [name]
    return person, names


def leave_titles(person: Person, page: str) -> None:
    """Who opens another page, or goes on under another name, gives the titles on screen to the others."""
    db = open_store(open_workspace().database)
    before = st.session_state.get("was-annotator", person.name)
    st.session_state["was-annotator"] = person.name
    if before != person.name:
        release(db, before)
        review.release(db, before)
    if page != "label":
        release(db, person.name)
    if page != "review":
        review.release(db, person.name)
    db.close()


EVERYBODY: tuple[people.Role, ...] = people.ROLES
NOT_ANNOTATORS: tuple[people.Role, ...] = ("reviewer", "analyst", "admin")


def pages(person: Person | None) -> dict[str, tuple[st.Page, bool]]:
    """The menu by address, in the order of the loop, each with whether this person may open it.

    A page that is not theirs is out of the menu, yet known: links to it still stand on others.
    """
    entries: list[tuple[str, tuple[people.Role, ...], str, str]] = [
        ("home", EVERYBODY, say("首页", "Home"), "home"),
        ("label", EVERYBODY, say("标注", "Label"), "keyboard"),
        ("drafts", NOT_ANNOTATORS, say("教师草稿", "Teacher drafts"), "smart_toy"),
        ("review", people.REVIEWERS, say("审核", "Review"), "rule"),
        ("titles", NOT_ANNOTATORS, say("标题", "Titles"), "list_alt"),
        ("check", NOT_ANNOTATORS, say("检查", "Check"), "rule_folder"),
        ("datasets", NOT_ANNOTATORS, say("数据集", "Datasets"), "dataset"),
        ("quality", NOT_ANNOTATORS, say("质量", "Quality"), "fact_check"),
        ("models", NOT_ANNOTATORS, say("模型", "Models"), "deployed_code"),
        ("train", NOT_ANNOTATORS, say("训练", "Train"), "model_training"),
        ("evaluate", NOT_ANNOTATORS, say("评估", "Evaluate"), "grid_on"),
        ("try_it", NOT_ANNOTATORS, say("分类与对话", "Classify and chat"), "forum"),
        ("team", EVERYBODY, say("团队", "Team"), "group"),
    ]
    menu = {}
    for name, roles, title, icon in entries:
        is_theirs = person is None or (person.role if person.is_active else "annotator") in roles
        page = st.Page(
            PAGES / f"{name}.py",
            title=title,
            icon=f":material/{icon}:",
            default=name == "home",
            visibility="visible" if is_theirs else "hidden",
        )
        menu[page.url_path] = (page, is_theirs)
    return menu


def refuse() -> None:
    """Say that the page is not for this role, and who can change that."""
    st.title(say("这一页不在您的工作里", "This page is not part of your work"), anchor=False)
    st.info(
        say(
            "您的角色用不到它。请管理员在“团队”页改角色，或换一个名字。",
            "Your role does not use it. An admin can change the role on the Team page.",
        ),
        icon=":material/lock:",
    )


@st.cache_resource(show_spinner=False)
def set_aside_for_good(page: str) -> None:
    """What is there after a page was first drawn stays: the modules, above all.

    Streamlit collects garbage after every run, each press included, over all there is. That took
    83 of the 97 milliseconds of a press. `page`: once for each, since each brings modules of its own.
    """
    gc.collect()
    gc.freeze()


st.set_page_config(page_title="News Studio", page_icon=ICON, layout="wide")
st.logo(WORDMARK, size="large")
with st.sidebar:
    choose_language()
    person = sign_in()
menu = pages(person)
page = st.navigation([entry for entry, _ in menu.values()], expanded=True)
try:
    if person is not None:
        leave_titles(person, page.url_path)
    if menu[page.url_path][1]:
        page.run()
    else:
        refuse()
except StudioError as error:
    # What no part of the page reported itself: the workspace or its database.
    st.error(f"{error.problem}\n\n{error.remedy}", icon=":material/error:")
finally:
    set_aside_for_good(page.url_path)
