"""Check: what is wrong with a file before anything learns from it, row by row, and a repaired copy."""

import streamlit as st

from pages.sections.check import source
from pages.sections.check.groups import problem_groups, summary
from pages.sections.check.queue import queue_section
from pages.sections.check.repair import repair_section
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from studio.language import say

header(
    say("检查文件", "Check files"),
    say(
        "训练之前先看清数据：每个问题都指到行；能安全修复的一键修复，拿不准的交给标注，原文件不动。",
        "See what training would see: every problem leads to its row. Safe repairs take one click, "
        "doubtful rows go to the label queue, and the input stays as it is.",
    ),
)
db = session.store()
source.choose()
desk = source.current()
if desk is not None:
    summary(desk)
    source.reading_section(desk)
    problems_tab, repair_tab, queue_tab = st.tabs(
        [
            say("问题", "Problems"),
            say("修复并对比", "Repair and compare"),
            say("交给标注", "Send to label queue"),
        ],
        key="check_tab",
        on_change="rerun",
    )
    if problems_tab.open:
        with problems_tab, report_errors():
            problem_groups(desk)
    if repair_tab.open:
        with repair_tab, report_errors():
            repair_section(desk)
    if queue_tab.open:
        with queue_tab, report_errors():
            queue_section(db, desk)
