"""Datasets: mend what is wrong, freeze a version, take its files away."""

import streamlit as st

from pages.sections.datasets import put_aside as datasets_view
from pages.sections.datasets import versions as versions_view
from pages.shared import problem_list, shell
from pages.shared import token_preview as preview_view
from studio.language import say

shell.header(
    say("数据集", "Datasets"),
    say(
        "先处理问题，再冻结成版本；冻结后的版本不会再变，训练和评估都指着它。",
        "Mend the problems, then freeze a version. A frozen version never changes; runs point at it.",
    ),
)
db = shell.store()
seen_tab = say("模型看到什么", "What the model sees")
if st.session_state.pop("datasets-open", "") == "preview":
    st.session_state["datasets_tab"] = seen_tab
freeze, seen, problems, aside = st.tabs(
    [
        say("版本", "Versions"),
        seen_tab,
        say("数据问题", "Problems"),
        say("搁置的标题", "Put aside"),
    ],
    key="datasets_tab",
    on_change="rerun",
)
if freeze.open:
    with freeze:
        versions_view.freeze_section(db)
        versions_view.version_list(db)
if seen.open:
    with seen, shell.report_errors():
        preview_view.preview_section(db)
if problems.open:
    with problems:
        problem_list.problem_list(db, says_when_scanned=True)
if aside.open:
    with aside:
        datasets_view.put_aside_list(db)
