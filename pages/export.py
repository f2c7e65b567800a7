"""Export: take a model along, see what it costs, and how it answers there."""

from pages.sections.export.exports import exports_section
from pages.sections.export.new_export import new_export
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from pages.shared.run_controls import queue_view
from studio.language import say

MENU_BOOK = ":material/menu_book:"

header(
    say("导出", "Export"),
    say(
        "把模型带到别的环境。每次导出都在那个环境里重新作答，与检查点逐题核对，通过了才算完成。",
        "Take a model to another runtime. Every export answers again there, and is compared with the "
        "checkpoint title by title before it counts as done.",
    ),
)
with report_errors():
    session.person()
    queue_view()
    new_export()
    exports_section()
    session.link("guides", say("产品同事指南", "Guide for product staff"), icon=MENU_BOOK, guide="product")
    session.link("guides", say("运维指南", "Guide for operators"), icon=MENU_BOOK, guide="operator")
