"""Datasets: freeze a version, compare versions, download their files."""

import streamlit as st

from pages.sections.datasets.freeze import freeze_section
from pages.sections.datasets.put_aside import put_aside_list
from pages.sections.datasets.versions import version_list
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from pages.shared.token_preview import preview_section
from studio.language import say

header(
    say("数据集", "Datasets"),
    say(
        "把已定的标题冻结成版本，像报纸定版：之后不会再变，训练和评估都基于它。问题在“错标与缺口”页改。",
        "Freeze the decided titles as a version, which never changes and is what training and evaluation "
        "use. Fix problems on the Errors and gaps page.",
    ),
)
db = session.store()
preview = say("模型看到什么", "What the model sees")
if st.session_state.pop("datasets-open", "") == "preview":
    st.session_state["datasets_tab"] = preview
versions_tab, preview_tab, aside_tab = st.tabs(
    [
        say("版本", "Versions"),
        preview,
        say("搁置的标题", "Put aside"),
    ],
    key="datasets_tab",
    on_change="rerun",
)
if versions_tab.open:
    with versions_tab:
        freeze_section(db)
        version_list(db)
if preview_tab.open:
    with preview_tab, report_errors():
        preview_section(db)
if aside_tab.open:
    with aside_tab:
        put_aside_list(db)
