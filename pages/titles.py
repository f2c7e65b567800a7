"""Titles: find any, read its history, edit many at once, and undo that."""

from pages.sections.titles.address import open_title
from pages.sections.titles.bulk_edits import recent_edits
from pages.sections.titles.one_title import title_detail
from pages.sections.titles.results import result_list, search_form
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from studio.language import say
from studio.team.people import REVIEWERS

header(
    say("标题", "Titles"),
    say(
        "查找、打开、修改标题；选中的可以一起改，每次修改都能撤销。这一页的地址记住筛选，可以发给同事。",
        "Find, open and edit titles; the selected ones are edited together, and each edit can be undone. "
        "The address keeps the filters: send it to a colleague.",
    ),
)
with report_errors():
    db, viewer = session.store(), session.person()
    may_edit = viewer.role in REVIEWERS and viewer.is_active
    asked = open_title()
    if asked is not None:
        title_detail(db, asked, viewer)
    else:
        query = search_form(db)
        result_list(db, query, may_edit=may_edit)
        if may_edit:
            recent_edits(db)
