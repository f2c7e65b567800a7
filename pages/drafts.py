"""Teacher drafts: a model elsewhere drafts think chains for labelled titles, people accept them."""

from pages.sections.drafts import runs as drafts_view
from pages.shared import shell
from studio.language import say
from studio.teacher import drafts

shell.header(
    say("教师草稿", "Teacher drafts"),
    say(
        "让一个更大的模型为已标注的标题起草思维链；草稿要有人接受或改好才算数。",
        "A larger model drafts think chains for labelled titles; a draft counts once a person accepts or edits it.",
    ),
)
with shell.report_errors():
    db = shell.store()
    drafts.take_in(db, shell.workspace())
    drafts_view.new_run(db)
    drafts_view.latest_run(db)
