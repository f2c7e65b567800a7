"""Home: where the workspace stands, the next step of the loop, and the way in for data."""

import streamlit as st

from pages.sections.home.import_form import import_section
from pages.sections.home.loop import just_imported, latest_score, loop_steps
from pages.sections.home.sample_answers import leave_for_title, sample_answers
from pages.shared import charts, session
from pages.shared.elements import header
from studio.corpus.titles import category_counts
from studio.evaluation.sample_answers import compare_samples
from studio.language import say
from studio.operations.next_step import standing

header(
    say("新闻工作室", "News Studio"),
    say(
        "从原始新闻标题到可用的分类器，再从模型的每个错误回到造成它的那条数据。",
        "From raw news titles to a usable classifier, and from every mistake of the model back to the row "
        "that caused it.",
    ),
)
leave_for_title()
db = session.store()
now = standing(db, session.workspace())
just_imported(now.titles["waiting"])
loop_steps(now)

left, right = st.columns([1.15, 1], gap="large")
with left:
    st.subheader(say("导入标题", "Import titles"), anchor=False)
    import_section(db)
with right:
    compared = compare_samples(db)
    if compared is not None and compared.decided:
        sample_answers(compared)
    if now.scores:
        latest_score(now)
    if now.titles["decided"]:
        st.subheader(say("已定标题", "Decided titles"), anchor=False)
        st.altair_chart(
            charts.category_bars(category_counts(db), session.scheme()),
            alt=say("每个类别的已定标题数", "Decided titles per category"),
        )
    elif not now.scores:
        st.info(
            say(
                "导入之后，这里会显示每个类别有多少条。",
                "After an import, this shows the number of titles per category.",
            ),
            icon=":material/bar_chart:",
        )
session.link(
    "guides",
    say("指南：各角色五分钟", "Guides: five minutes for each role"),
    icon=":material/menu_book:",
    guide="annotator",
)
