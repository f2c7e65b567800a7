"""Teacher drafts: a model elsewhere drafts think chains for labelled titles, people accept them."""

from pages.sections.drafts.endpoint import new_run
from pages.sections.drafts.runs import latest_run
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from studio.language import say
from studio.teacher import drafts

header(
    say("教师草稿", "Teacher drafts"),
    say(
        "让一个更大的模型为已标注的标题起草思维链；草稿要有人接受或修改后才生效。",
        "A larger model drafts think chains for labelled titles; a draft counts once a person has accepted "
        "or edited it.",
    ),
)
with report_errors():
    db = session.store()
    drafts.take_in(db, session.workspace())
    new_run(db)
    latest_run(db)
