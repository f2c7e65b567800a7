"""Titles: find any, read its history, edit many at once, and undo that."""

from pages.sections.titles.bulk_edits import recent_edits
from pages.sections.titles.results import result_list, search_form
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from studio.language import say
from studio.team.people import REVIEWERS

header(
    say("标题", "Titles"),
    say(
        "按文字、状态、类别、人、来源或标记查找；选中后一起改类别、加标记、移入回收站，每次修改都能撤销。",
        "Find titles by text, status, category, person, source or tag; edit the selected ones together, "
        "and undo it as one edit.",
    ),
)
with report_errors():
    db, viewer = session.store(), session.person()
    may_edit = viewer.role in REVIEWERS and viewer.is_active
    query = search_form(db)
    result_list(db, query, may_edit=may_edit)
    if may_edit:
        recent_edits(db)
