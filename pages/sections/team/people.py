"""What the Team page draws of people and their pace."""

from functools import partial

import streamlit as st

from pages.sections.team import charts as team_charts
from pages.shared import shell
from studio.language import say
from studio.store import Store
from studio.team import people, progress
from studio.team.people import ROLE_NAMES, ROLES, Person
from studio.team.settings import load_settings

WHAT_ROLES_DO = {
    "annotator": ("标注，改自己的标注", "labels, and changes their own labels"),
    "reviewer": ("还能审核、批量修改、设金标", "also reviews, changes in bulk, marks gold titles"),
    "analyst": (
        "看结果，训练和评估，不参加标注分配",
        "reads results, trains, evaluates; nobody waits for them",
    ),
    "admin": ("什么都能做，包括改角色和设置", "does everything, roles and settings included"),
}


def pace_section(db: Store, viewer: Person) -> None:
    """Everybody's pace, or for an annotator their own, and how far each category is."""
    settings = load_settings(db)
    is_own = viewer.role == "annotator"
    paces = [each for each in progress.team_pace(db) if not is_own or each.person.name == viewer.name]
    left, covered = (
        paces[0].pace.waiting,
        progress.coverage(db, shell.scheme().names, settings.target_per_category),
    )
    with st.container(horizontal=True):
        st.metric(say("今天", "Today"), sum(each.pace.today for each in paces), border=True)
        st.metric(say("累计", "In all"), sum(each.pace.total for each in paces), border=True)
        st.metric(say("待标注", "Waiting"), left, border=True)
        st.metric(
            say("离目标还差", "Missing to the target"), sum(each.missing for each in covered), border=True
        )
    _pace_table(paces)
    days = progress.per_day(db, author=viewer.name if is_own else None)
    chart, bars = st.columns([1.2, 1], gap="large")
    with chart:
        st.subheader(say("最近 30 天", "Last 30 days"), anchor=False)
        if days:
            st.altair_chart(
                team_charts.day_bars(days, shell.person_colors(db)), alt=say("每天的条数", "Titles per day")
            )
        else:
            st.info(
                say("还没有人标注；从“标注”页开始。", "Nobody has labelled yet; start on the Label page.")
            )
            shell.link("label", say("去标注", "Label titles"))
    with bars:
        st.subheader(say("各类已定与目标", "Categories and target"), anchor=False)
        st.altair_chart(
            team_charts.coverage_bars(covered, shell.scheme()),
            alt=say("各类已定条数", "Decided per category"),
        )


def _pace_table(paces: list[progress.PersonPace]) -> None:
    shell.table(
        [
            {
                say("名字", "name"): each.person.name,
                say("角色", "role"): say(*ROLE_NAMES[each.person.role]),
                say("今天", "today"): each.pace.today,
                say("累计", "in all"): each.pace.total,
                say("中位秒/条", "median s a title"): _seconds(each.pace.median_seconds),
            }
            for each in paces
        ],
        hide_index=True,
        height="content",
        alt=say("每个人的进度", "Everybody's pace"),
    )


def _seconds(median: float | None) -> str:
    return "–" if median is None else f"{median:.1f}"


def people_section(db: Store, viewer: Person) -> None:
    """Who works here; an admin gives roles and colours, and lets people rest."""
    is_admin = viewer.role == "admin" and viewer.is_active
    if not is_admin:
        st.caption(say("只有管理员能改角色和颜色。", "Only an admin changes roles and colours."))
    for person in people.list_people(db):
        _person_row(person, is_admin=is_admin)
    st.caption(
        say(
            "有人在左侧输入新名字，就会出现在这里，先是标注员。",
            "Whoever types a new name at the left appears here, as an annotator at first.",
        )
    )
    with st.expander(say("角色能做什么", "What roles do"), type="compact"):
        for role in ROLES:
            st.markdown(f"**{say(*ROLE_NAMES[role])}**　{say(*WHAT_ROLES_DO[role])}")


def _person_row(person: Person, *, is_admin: bool) -> None:
    color, name, role, active = st.columns([0.5, 3, 2, 1.5], vertical_alignment="center")
    keys = {part: f"person-{part}-{person.name}" for part in ("color", "role", "is_active")}
    # What is stored is what is shown, also after a change that was refused.
    st.session_state.update(
        {keys["color"]: person.color, keys["role"]: person.role, keys["is_active"]: person.is_active}
    )
    change = partial(_change, person.name)
    color.color_picker(
        say(f"{person.name} 的颜色", f"Colour of {person.name}"),
        key=keys["color"],
        label_visibility="collapsed",
        disabled=not is_admin,
        on_change=change,
        args=("color", keys["color"]),
    )
    name.markdown(
        f"**{shell.plain(person.name)}**　:gray[:small[{say('始于', 'since')} {shell.local_time(person.created_at)}]]"
    )
    role.selectbox(
        say(f"{person.name} 的角色", f"Role of {person.name}"),
        ROLES,
        key=keys["role"],
        format_func=lambda each: say(*ROLE_NAMES[each]),
        label_visibility="collapsed",
        disabled=not is_admin,
        on_change=change,
        args=("role", keys["role"]),
    )
    active.toggle(
        say("在岗", "active"),
        key=keys["is_active"],
        disabled=not is_admin,
        on_change=change,
        args=("is_active", keys["is_active"]),
    )


def _change(name: str, part: str, key: str) -> None:
    """Callback: write down what an admin set."""
    with shell.report_errors(later=True):
        value = st.session_state[key]
        people.change_person(shell.store(), name, by=shell.annotator(), **{part: value})
