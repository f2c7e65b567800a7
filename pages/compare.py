"""Compare: which of two runs is better, whether that is more than chance, and the titles behind it."""

from pages.sections.compare.categories import category_table
from pages.sections.compare.changes import changes_section
from pages.sections.compare.choices import choose_entries, choose_view
from pages.sections.compare.files import downloads, import_section
from pages.sections.compare.matrix import matrix_section
from pages.sections.compare.overview import (
    columns_table,
    refusal,
    verdict_section,
    what_it_tells,
)
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from studio.errors import NotComparable
from studio.evaluation.compared import compare_entries
from studio.language import say

header(
    say("比较", "Compare"),
    say(
        "同样的标题，逐条比较：哪个更好、是不是偶然、修好和弄错了哪些。",
        "The same titles, one by one: which run is better, is it chance, what was fixed and what broke.",
    ),
)
with report_errors():
    entries, shown, common = choose_entries(session.workspace())
    if len(entries) > 1:
        try:
            found = compare_entries(entries, common=common)
        except NotComparable as error:
            refusal(error)
        else:
            comparison = found.comparisons[shown - 1]
            verdict_section(comparison)
            what_it_tells(found, entries, comparison)
            if len(entries) > 2:
                columns_table(found)
            view = choose_view()
            if view == "changes":
                changes_section(found, entries, shown)
            elif view == "matrix":
                matrix_section(found, entries, shown)
            else:
                category_table(comparison)
            downloads(entries, common=common)
import_section()
