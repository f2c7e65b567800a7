"""Entry script of the web app, navigation only: which pages there are and who finds them in the menu.

    streamlit run studio/app.py

Knows no page's content. Which pages a person finds in the menu follows from their role;
that is a matter of order, and whatever a page does is asked of the services again.
The language stands in the address (`?lang=en`) and else in STUDIO_LANG, so that a link
opens in the language in which it was sent.
"""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from pages.shared import appearance, colors, garbage, session, sidebar
from pages.shared.feedback import report_errors
from pages.shared.who import ask_who
from studio.language import say
from studio.team.people import REVIEWERS, ROLES, Person, Role

PAGES = Path(__file__).resolve().parent.parent / "pages"
# Drawn here: a named icon would be fetched from a font server on the network.
ICON = """<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64" viewBox="0 6 28 28">
<rect x="1" y="7" width="26" height="26" rx="6" fill="#2B5C9E"/>
<path d="M8 15h12M8 20h12M8 25h7" stroke="#fff" stroke-width="2.4" stroke-linecap="round"/>
</svg>"""
WORDMARK = """<svg xmlns="http://www.w3.org/2000/svg" width="190" height="40" viewBox="0 0 190 40">
<rect x="1" y="7" width="26" height="26" rx="6" fill="#2B5C9E"/>
<path d="M8 15h12M8 20h12M8 25h7" stroke="#fff" stroke-width="2.4" stroke-linecap="round"/>
<text x="37" y="27" font-family="sans-serif" font-size="19" font-weight="700"
fill="{ink}">News Studio</text>
</svg>"""
NOT_ANNOTATORS: tuple[Role, ...] = ("reviewer", "analyst", "admin")


def pages(person: Person | None) -> dict[str, tuple[st.Page, bool, str]]:
    """List the menu by address: each page, whether this person may open it, and its group.

    A page that is not theirs is out of the menu, yet known: links to it still stand on others.
    """
    data, use, people = say("数据", "Data"), say("训练与使用", "Train and use"), say("协作", "Teamwork")
    entries: list[tuple[str, str, tuple[Role, ...], str, str]] = [
        ("", "home", ROLES, say("首页", "Home"), "home"),
        (data, "check", NOT_ANNOTATORS, say("检查文件", "Check files"), "rule_folder"),
        (data, "label", ROLES, say("标注", "Label"), "keyboard"),
        (data, "drafts", NOT_ANNOTATORS, say("教师草稿", "Teacher drafts"), "smart_toy"),
        (data, "review", REVIEWERS, say("审核", "Review"), "rule"),
        (data, "titles", NOT_ANNOTATORS, say("标题", "Titles"), "list_alt"),
        (data, "quality", NOT_ANNOTATORS, say("错标与缺口", "Errors and gaps"), "fact_check"),
        (data, "datasets", NOT_ANNOTATORS, say("数据集", "Datasets"), "dataset"),
        (data, "pairs", NOT_ANNOTATORS, say("偏好对", "Pairs"), "thumbs_up_down"),
        (use, "models", NOT_ANNOTATORS, say("模型", "Models"), "deployed_code"),
        (use, "train", NOT_ANNOTATORS, say("训练", "Train"), "model_training"),
        (use, "runs", NOT_ANNOTATORS, say("运行", "Runs"), "view_list"),
        (use, "evaluate", NOT_ANNOTATORS, say("评估", "Evaluate"), "grid_on"),
        (use, "compare", NOT_ANNOTATORS, say("比较", "Compare"), "compare_arrows"),
        (use, "release", NOT_ANNOTATORS, say("发布", "Release"), "rocket_launch"),
        (use, "try_it", NOT_ANNOTATORS, say("分类与对话", "Classify and chat"), "forum"),
        (use, "export", NOT_ANNOTATORS, say("导出", "Export"), "ios_share"),
        (people, "guides", ROLES, say("指南", "Guides"), "menu_book"),
        (people, "team", ROLES, say("团队", "Team"), "group"),
    ]
    menu = {}
    for group, name, roles, title, icon in entries:
        is_theirs = person is None or (person.role if person.is_active else "annotator") in roles
        page = st.Page(
            PAGES / f"{name}.py",
            title=title,
            icon=f":material/{icon}:",
            default=name == "home",
            visibility="visible" if is_theirs else "hidden",
        )
        menu[page.url_path] = (page, is_theirs, group)
    return menu


def groups(menu: Mapping[str, tuple[st.Page, bool, str]]) -> dict[str, list[st.Page]]:
    """Return the pages by their group in the menu, those that are not shown included."""
    found: dict[str, list[st.Page]] = {}
    for page, _, group in menu.values():
        found.setdefault(group, []).append(page)
    return found


def refuse() -> None:
    """Say that the page is not for this role, and who can change that."""
    st.title(say("这一页不对您的角色开放", "Your role has no access to this page"), anchor=False)
    st.info(
        say(
            "请管理员在“团队”页修改您的角色，或换一个名字登录。",
            "An admin can change your role on the Team page.",
        ),
        icon=":material/lock:",
    )


st.set_page_config(page_title="News Studio", page_icon=ICON, layout="wide")
st.logo(WORDMARK.format(ink=colors.ink()), size="large")
with st.sidebar:
    sidebar.choose_language()
    person = sidebar.sign_in()
menu = pages(person)
with st.sidebar:
    appearance.dress_page(list(menu))
page = st.navigation(groups(menu), expanded=True)
if person is not None:
    with st.sidebar:
        sidebar.sent_back_link(person)
try:
    # What no part of the page reports itself: the workspace or its database.
    with report_errors():
        if person is not None:
            sidebar.release_titles(person, page.url_path)
        if not session.is_named() and not session.is_by_account():
            ask_who()
        elif person is None:
            # Nobody could be signed in: the same error again, said instead of the page.
            session.person()
        elif menu[page.url_path][1]:
            page.run()
        else:
            refuse()
finally:
    garbage.freeze(page.url_path)
