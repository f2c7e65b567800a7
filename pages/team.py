"""Team: who works here, how far and how fast, and how far they agree."""

import streamlit as st

from pages.sections.team.agreement import agreement_section
from pages.sections.team.gold import gold_section
from pages.sections.team.people import pace_section, people_section
from pages.sections.team.settings import settings_section
from pages.shared import session
from pages.shared.elements import header
from studio.language import say

header(
    say("团队", "Team"),
    say(
        "谁在标注、标了多少、彼此有多一致；分歧在审核页裁定。",
        "Who works here, how much is done, how well people agree; disputes are settled on the Review page.",
    ),
)
db, viewer = session.store(), session.person()
if viewer.role == "annotator":
    pace_section(db, viewer)
else:
    pace, members, agreement, gold, settings = st.tabs(
        [
            say("进度", "Pace"),
            say("成员", "People"),
            say("一致性", "Agreement"),
            say("金标", "Gold"),
            say("设置", "Settings"),
        ],
        key="team_tab",
        on_change="rerun",
    )
    if pace.open:
        with pace:
            pace_section(db, viewer)
    if members.open:
        with members:
            people_section(db, viewer)
    if agreement.open:
        with agreement:
            agreement_section(db)
    if gold.open:
        with gold:
            gold_section(db, viewer)
    if settings.open:
        with settings:
            settings_section(db, viewer)
session.link(
    "guides", say("标注员指南", "Guide for annotators"), icon=":material/menu_book:", guide="annotator"
)
