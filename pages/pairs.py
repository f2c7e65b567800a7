"""Pairs: what decisions say about which of two answers is better; freeze them for a preference training."""

from pages.sections.pairs.filters import FILTERS, filter_bar
from pages.sections.pairs.listing import pair_list
from pages.sections.pairs.samples import pass_rates
from pages.sections.pairs.summary import summary
from pages.sections.pairs.versions import freeze_form, version_list
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from studio.language import say
from studio.preferences.selection import select

header(
    say("偏好对", "Pairs"),
    say(
        "复核争议、改决定、改草稿、报错，都已经说出哪个回答更好。"
        "这里收齐它们，冻结后可用 DPO、KTO、ORPO 训练。",
        "Settled disputes, corrections, edited drafts and reports have already said which answer is better."
        " Here they are collected; frozen, they train by DPO, KTO or ORPO.",
    ),
)
with report_errors():
    db = session.store()
    wanted, run_ids, sample_ids = filter_bar(db)
    everything = select(
        db, session.workspace(), run_ids=run_ids, sample_ids=sample_ids, scheme=session.scheme()
    )
    found = everything.filtered(wanted)
    summary(everything, found)
    for job_id in sample_ids:
        pass_rates(job_id)
    pair_list(found)
    freeze_form(db, found)
    FILTERS.write()
version_list()
