"""Quality: is there enough of everything, and which decisions deserve a second look?"""

import streamlit as st

from pages.sections.quality import findings as quality_view
from pages.shared import problem_list, shell
from pages.shared import scan_status as scan_view
from studio.language import say
from studio.quality import findings as quality

shell.header(
    say("质量", "Quality"),
    say(
        "看看每个类别够不够，哪些标签可疑、互相矛盾或重复；一个键处理一条，处理过的不会再来。",
        "Is there enough of every category, which labels are doubtful, contradictory or repeated? One key each; what was answered stays away.",
    ),
)
db = shell.store()
scan = quality.look(db, shell.workspace())
scan_view.scan_line(scan)
names = quality_view.tab_names()
tabs = st.tabs(list(names.values()), key="quality_tab", on_change="rerun")
for name, tab in zip(names, tabs, strict=True):
    if tab.open:
        with tab, shell.report_errors():
            if name == "coverage":
                quality_view.coverage_section(db)
            elif name == "problems":
                problem_list.problem_list(db, says_when_scanned=False)
            else:
                quality_view.finding_section(db, scan.last, name)
