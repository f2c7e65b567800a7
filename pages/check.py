"""Check: what is wrong with a file before anything learns from it, row by row, and a repaired copy."""

import streamlit as st

from pages.sections.check import groups as check_groups
from pages.sections.check import repair as check_mending
from pages.sections.check import source as check_source
from pages.shared import shell
from studio.language import say

shell.header(
    say("检查", "Check"),
    say(
        "训练之前先看清数据：每个问题都指到行；能安全修的一键修，拿不准的交给标注，原文件不动。",
        "See what training would see: every problem leads to its row. Safe repairs in one click, doubtful rows to the label queue; the input stays as it is.",
    ),
)
db = shell.store()
check_source.choose()
desk = check_source.current()
if desk is not None:
    check_groups.summary(desk)
    names = [
        say("问题", "Problems"),
        say("修复并对比", "Repair and compare"),
        say("交给标注", "To the label queue"),
    ]
    problems, repair, queue = st.tabs(names, key="check_tab", on_change="rerun")
    if problems.open:
        with problems, shell.report_errors():
            check_groups.problem_groups(desk)
    if repair.open:
        with repair, shell.report_errors():
            check_mending.repair_section(desk)
    if queue.open:
        with queue, shell.report_errors():
            check_mending.queue_section(db, desk)
