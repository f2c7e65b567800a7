"""Evaluate: what a run is worth, and the titles behind every number."""

import streamlit as st

from pages.sections.evaluate import matrix as matrix_view
from pages.sections.evaluate import numbers as evaluate_view
from pages.sections.evaluate.new_evaluation import new_evaluation
from pages.shared import shell
from studio import runs
from studio.language import say

shell.header(
    say("评估", "Evaluate"),
    say(
        "点混淆矩阵的任意一格，看里面的标题和思维链；不对的送回标注队列。",
        "Click a cell of the confusion matrix to see its titles and think chains; send back what is wrong.",
    ),
)
workspace = shell.workspace()
scored = evaluate_view.scored_runs(workspace)
if scored:
    run, answer = evaluate_view.choose_run(scored)
    with shell.report_errors():
        scores = scored[run.id][1][answer]
        evaluate_view.headline(scores)
        matrix, categories, text_scores = st.tabs(
            [
                say("混淆矩阵", "Confusion matrix"),
                say("逐类指标", "Per category"),
                say("与 LLaMA-Factory 对照", "Compare with LLaMA-Factory"),
            ]
        )
        with matrix:
            matrix_view.matrix_section(run, scores, runs.load_predictions(run, answer))
        with categories:
            evaluate_view.category_table(scores)
        with text_scores:
            evaluate_view.text_score_table(scores)
else:
    st.info(
        say(
            "还没有得分。先训练一次，或在下面直接评估一个模型。",
            "No scores yet. Train first, or evaluate a model below.",
        ),
        icon=":material/grid_on:",
    )
    shell.link("train", say("去训练", "Train"))
new_evaluation()
