"""Runs: all of them in one table, what sets one apart, and what can be done with it."""

from pages.sections.runs.filters import FILTERS, filter_bar
from pages.sections.runs.listing import choose_row, run_list, watch
from pages.sections.runs.one_run import one_run
from pages.sections.runs.trash import trash_box
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from pages.shared.run_controls import queue_view
from studio.language import say
from studio.training.run_table import found_rows, run_rows

header(
    say("运行", "Runs"),
    say(
        "所有训练和评估放在一张表里：筛选、排序、比较设置、打标签。这一页的地址记住筛选和所选运行，可以发给同事。",
        "Every training and evaluation in one table: filter, sort, compare settings, tag. The address keeps "
        "the filters and the chosen run: send it to a colleague.",
    ),
)
with report_errors():
    queue_view()
    rows = run_rows(session.workspace())
    wanted, order = filter_bar(rows)
    found = found_rows(rows, wanted, order)
    run_list(rows, found)
    chosen = choose_row(rows, found)
    if chosen is not None:
        one_run(chosen, rows)
    FILTERS.write()
    watch(rows)
    trash_box()
