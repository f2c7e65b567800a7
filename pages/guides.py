"""Guides: five minutes for each kind of reader, from docs/guides."""

from pages.sections.guides.guide import guide
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from studio.language import say

header(
    say("指南", "Guides"),
    say("每种角色五分钟，以及教程读者常问的问题。", "Five minutes for each role, and what readers ask."),
)
with report_errors():
    guide()
