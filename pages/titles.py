"""Titles: find any, read its history, move many at once, and take that back."""

from pages.sections.titles import bulk_edits as titles_bulk
from pages.sections.titles import results as titles_view
from pages.shared import shell
from studio.language import say
from studio.team.people import REVIEWERS

shell.header(
    say("标题", "Titles"),
    say(
        "按文字、状态、类别、人、来源或标记查找；勾选后一起改类别、加标记、移入回收站，每一步都能撤销。",
        "Find titles by text, status, category, person, source or tag; move the ticked ones together, and undo it as one step.",
    ),
)
with shell.report_errors():
    db, viewer = shell.store(), shell.person()
    may_move = viewer.role in REVIEWERS and viewer.is_active
    query = titles_view.search_form(db)
    titles_view.result_list(db, query, may_move=may_move)
    if may_move:
        titles_bulk.recent_steps(db)
