"""Home: where the workspace stands, the next step of the loop, and the way in for data."""

import streamlit as st

from pages.sections.home.import_form import import_section
from pages.sections.home.loop import latest_score, loop_steps
from pages.shared import charts, session
from pages.shared.elements import header
from studio.corpus.titles import category_counts
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
db = session.store()
now = standing(db, session.workspace())
loop_steps(now)

st.space("small")
left, right = st.columns([1.15, 1], gap="large")
with left:
    st.subheader(say("导入标题", "Import titles"), anchor=False)
    import_section(db)
with right:
    if now.scores:
        st.subheader(say("最近一次得分", "Latest score"), anchor=False)
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
