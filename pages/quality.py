"""Quality: is there enough of everything, and which decisions deserve a second look?"""

from collections.abc import Mapping
from typing import Literal

import streamlit as st

from pages.sections.quality.coverage import coverage_section
from pages.sections.quality.findings import finding_section
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from pages.shared.key_list import Key, keys_button
from pages.shared.problem_list import problem_list
from pages.shared.scan_status import scan_line
from studio.language import say
from studio.quality import findings

Tab = Literal["coverage", "suspect", "conflict", "near", "problems"]
# Without counts: Streamlit would take a tab of another name for another tab.
TAB_NAMES: Mapping[Tab, tuple[str, str]] = {
    "coverage": ("覆盖", "Coverage"),
    "suspect": ("可疑标签", "Doubtful labels"),
    "conflict": ("互相矛盾", "Contradictions"),
    "near": ("近似重复", "Near duplicates"),
    "problems": ("思维链与格式", "Chains and format"),
}

KEYS: list[Key] = [
    ("A", "标签正确", "the label is right"),
    ("X", "改为分类器的答案", "change it to the classifier's answer"),
    ("1 … 9 0", "改为这一类", "change it to that category"),
    ("M", "合并近似重复，只留一条", "merge the near duplicates, keep one"),
    ("D", "忽略", "dismiss"),
    ("N", "下一条", "next"),
    ("?", "显示这张表", "show this list"),
]

header(
    say("错标与缺口", "Errors and gaps"),
    say(
        "看看每个类别够不够，哪些标签可疑、互相矛盾或重复；一个键处理一条，处理过的不再出现。",
        "Is there enough of every category, and which labels are doubtful, contradictory or duplicated? "
        "One key each; answered findings do not return.",
    ),
)
db = session.store()
scan = findings.look(db, session.workspace())
scan_line(scan)
keys_button(KEYS)
tabs = st.tabs([say(*names) for names in TAB_NAMES.values()], key="quality_tab", on_change="rerun")
for name, tab in zip(TAB_NAMES, tabs, strict=True):
    if tab.open:
        with tab, report_errors():
            if name == "coverage":
                coverage_section(db)
            elif name == "problems":
                problem_list(db)
            else:
                finding_section(db, scan.last, name)
