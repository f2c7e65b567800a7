"""Draw everybody's pace, and people with their roles."""

from functools import partial

import streamlit as st

from pages.sections.team import charts
from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import reporting
from pages.shared.text import local_time, person_colors, plain, spoken
from studio.language import say
from studio.store import Store
from studio.team import people, progress
from studio.team.people import ROLE_NAMES, ROLES, Person
from studio.team.settings import load_settings

WHAT_ROLES_DO = {
    "annotator": ("标注，修改自己的标注", "labels, and edits their own labels"),
    "reviewer": ("还能审核、批量修改、设金标", "also reviews, edits in bulk, marks gold titles"),
    "analyst": (
        "查看结果，训练和评估，不分配标注任务",
        "reads results, trains, evaluates; is assigned no labelling",
    ),
    "admin": ("拥有全部权限，包括角色和设置", "does everything, including roles and settings"),
}


def pace_section(db: Store, viewer: Person) -> None:
    """Draw everybody's pace, or for an annotator their own, and how far each category is."""
    settings = load_settings(db)
    is_own = viewer.role == "annotator"
    paces = [each for each in progress.team_pace(db) if not is_own or each.person.name == viewer.name]
    left, covered = (
        paces[0].pace.waiting,
        progress.coverage(db, session.scheme().names, settings.target_per_category),
    )
    with st.container(horizontal=True):
        st.metric(say("今天", "Today"), sum(each.pace.today for each in paces), border=True)
        st.metric(say("累计", "Total"), sum(each.pace.total for each in paces), border=True)
        st.metric(say("待标注", "Waiting"), left, border=True)
        st.metric(
            say("距目标还差", "Remaining to target"), sum(each.missing for each in covered), border=True
        )
    _pace_table(paces, settings.daily_goal)
    days = progress.per_day(db, author=viewer.name if is_own else None)
    chart, bars = st.columns([1.2, 1], gap="large")
    with chart:
        st.subheader(say("最近 30 天", "Last 30 days"), anchor=False)
        if days:
            st.altair_chart(charts.day_bars(days, person_colors(db)), alt=say("每天的条数", "Titles per day"))
        else:
            st.info(
                say(
                    "还没有人标注；从“标注”页开始。",
                    "Nobody has labelled anything yet; start on the Label page.",
                )
            )
            session.link("label", say("去标注", "Label titles"))
    with bars:
        st.subheader(say("各类进度与目标", "Categories and target"), anchor=False)
        st.altair_chart(
            charts.coverage_bars(covered, session.scheme()),
            alt=say("各类已定条数", "Decided per category"),
        )


def _pace_table(paces: list[progress.PersonPace], goal: int) -> None:
    today = say("今天", "today")
    returned = say("退回过 / 未改", "sent back / still waiting")
    table(
        [
            {
                say("名字", "name"): each.person.name,
                say("角色", "role"): say(*ROLE_NAMES[each.person.role]),
                today: each.pace.today,
                say("累计", "total"): each.pace.total,
                say("每条用时（秒，中位）", "seconds per title (median)"): _seconds(each.pace.median_seconds),
                returned: f"{each.sent_back} / {each.sent_back_waiting}",
            }
            for each in paces
        ],
        hide_index=True,
        height="content",
        column_config={
            today: st.column_config.ProgressColumn(
                say(f"今天（目标 {goal}）", f"today (goal {goal})"), format="%d", min_value=0, max_value=goal
            )
        }
        if goal
        else None,
        alt=say("每个人的进度", "Everybody's pace"),
    )


def _seconds(median: float | None) -> str:
    return "–" if median is None else f"{median:.1f}"


def people_section(db: Store, viewer: Person) -> None:
    """Draw who works here; an admin sets roles and colours, and deactivates people."""
    is_admin = viewer.role == "admin" and viewer.is_active
    if not is_admin:
        st.caption(say("只有管理员能修改角色和颜色。", "Only admins can change roles and colours."))
    for person in people.list_people(db):
        _person_row(person, is_admin=is_admin)
    st.caption(
        say(
            "在左侧输入新名字的人会出现在这里，初始角色是标注员。",
            "Anyone who types a new name at the left appears here, as an annotator.",
        )
    )
    with st.expander(say("角色权限", "What each role can do"), type="compact"):
        for role in ROLES:
            st.markdown(f"**{say(*ROLE_NAMES[role])}**　{say(*WHAT_ROLES_DO[role])}")


def _person_row(person: Person, *, is_admin: bool) -> None:
    color, name, role, active = st.columns([0.5, 3, 2, 1.5], vertical_alignment="center")
    keys = {part: f"person-{part}-{person.name}" for part in ("color", "role", "is_active")}
    # What is stored is what is shown, also after a change that was refused.
    st.session_state.update(
        {keys["color"]: person.color, keys["role"]: person.role, keys["is_active"]: person.is_active}
    )
    change, name_said = partial(_change, person.name), spoken(person.name)
    color.color_picker(
        say(f"{name_said} 的颜色", f"Colour of {name_said}"),
        key=keys["color"],
        label_visibility="collapsed",
        disabled=not is_admin,
        on_change=change,
        args=("color", keys["color"]),
    )
    name.markdown(
        f"**{plain(person.name)}**　:gray[:small[{say('始于', 'since')} {local_time(person.created_at)}]]"
    )
    role.selectbox(
        say(f"{name_said} 的角色", f"Role of {name_said}"),
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


@reporting
def _change(name: str, part: str, key: str) -> None:
    """Save what an admin set."""
    value = st.session_state[key]
    people.change_person(session.store(), name, by=session.annotator(), **{part: value})
