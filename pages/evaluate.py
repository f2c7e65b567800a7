"""Evaluate: what a run is worth, and the titles behind every number."""

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from pages.sections.evaluate.behaviour import behaviour_section
from pages.sections.evaluate.category_errors import category_errors
from pages.sections.evaluate.causes import causes_section
from pages.sections.evaluate.chains import chains_section
from pages.sections.evaluate.engine import engine_used
from pages.sections.evaluate.forgetting import forgetting_section
from pages.sections.evaluate.influence import influence_section
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
from pages.sections.evaluate.refusal import refusal_section
from pages.sections.evaluate.rows import load_tags, rows_section
from pages.sections.evaluate.scaling import scaling_section
from pages.sections.evaluate.views import choose_view
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from pages.shared.run_naming import name_and_note
from studio import runs
from studio.contract import Prediction, Scores
from studio.language import say
from studio.runs import Run


def _categories(run: Run, scores: Scores, predictions: Sequence[Prediction]) -> None:
    """Draw the numbers of each category, and the ways to its errors."""
    category_table(scores)
    category_errors(run, predictions)


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
        engine_used(scores)
        what_it_can_tell(run, scores)
        session.link("compare", say("与别的运行比较", "Compare with another run"), b=f"{run.id}:{answer}")
        predictions = runs.load_predictions(run, answer)
        tags = load_tags(run, answer)
        views: Mapping[str, Callable[[], None]] = {
            "matrix": lambda: matrix_section(run, scores, predictions, tags),
            "rows": lambda: rows_section(run, predictions, tags),
            "causes": lambda: causes_section(run, predictions, tags),
            "influence": lambda: influence_section(run, predictions),
            "refusal": lambda: refusal_section(run, answer),
            "behaviour": lambda: behaviour_section(run),
            "chains": lambda: chains_section(run, answer, predictions),
            "forgetting": lambda: forgetting_section(run),
            "scaling": lambda: scaling_section(run),
            "categories": lambda: _categories(run, scores, predictions),
            "text": lambda: text_score_table(scores),
        }
        views[choose_view()]()
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
session.link("guides", say("分析员指南", "Guide for analysts"), icon=":material/menu_book:", guide="analyst")
