"""Evaluate: what a run is worth, and the titles behind every number."""

import streamlit as st

from pages.sections.evaluate.matrix import matrix_section
from pages.sections.evaluate.new_evaluation import new_evaluation
from pages.sections.evaluate.numbers import (
    category_table,
    choose_run,
    headline,
    lacking_categories,
    scored_runs,
    text_score_table,
    what_it_can_tell,
)
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from pages.shared.run_naming import name_and_note
from studio import runs
from studio.language import say

header(
    say("评估", "Evaluate"),
    say(
        "点混淆矩阵的任意一格，看里面的标题和思维链；不对的送回标注队列。",
        "Click a cell of the confusion matrix to see its titles and think chains; send wrong ones back.",
    ),
)
scored = scored_runs(session.workspace())
if scored:
    run, answer = choose_run(scored)
    with report_errors():
        scores = scored[run.id][1][answer]
        lacking_categories(scores)
        headline(scores)
        what_it_can_tell(run, scores)
        session.link("compare", say("与别的运行比较", "Compare with another run"), b=f"{run.id}:{answer}")
        matrix_tab, categories_tab, text_scores_tab = st.tabs(
            [
                say("混淆矩阵", "Confusion matrix"),
                say("逐类指标", "Per category"),
                say("与 LLaMA-Factory 对照", "Compare with LLaMA-Factory"),
            ]
        )
        with matrix_tab:
            matrix_section(run, scores, runs.load_predictions(run, answer))
        with categories_tab:
            category_table(scores)
        with text_scores_tab:
            text_score_table(scores)
        if run.spec.kind == "evaluate":
            name_and_note(run)
else:
    st.info(
        say(
            "还没有得分。先训练一次，或在下面直接评估一个模型。",
            "No scores yet. Train first, or evaluate a model below.",
        ),
        icon=":material/grid_on:",
    )
    session.link("train", say("去训练", "Train"))
new_evaluation()
