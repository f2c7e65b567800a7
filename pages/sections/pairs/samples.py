"""Draw how often sampled answers are right, and the rows that never are."""

import streamlit as st

from pages.shared import session
from pages.shared.elements import table
from pages.shared.text import category_name, plain
from studio.language import say
from studio.preferences.sampling import PassRate, read_samples


def pass_rates(job_id: str) -> None:
    """Draw pass@1 and pass@k of each category, and the titles that no sample got right."""
    found = read_samples(session.workspace(), job_id)
    rates = found.pass_rates()
    whole = rates.pop("", None)
    if whole is None:
        return
    name, once, often = plain(found.job.label), f"{whole.pass_1:.0%}", f"{whole.pass_k:.0%}"
    title = say(
        f"{name}：一次答对 {once}，{whole.samples} 次里至少一次 {often}，{whole.never} 条从没答对",
        f"{name}: right in one sample {once}, in at least one of {whole.samples} {often};"
        f" {whole.never} never",
    )
    with st.expander(title, key=f"pairs-samples-{job_id}"):
        table(
            [_row(name, rate) for name, rate in rates.items()],
            hide_index=True,
            height="content",
            alt=say("每个类别的 pass@k", "pass@k of each category"),
        )
        never = found.never_right
        if not never:
            return
        st.caption(
            say(
                "一次也没答对的标题：要么难，要么标签错了。",
                "Titles that were never right: they are hard, or their label is wrong.",
            )
        )
        table(
            [
                {
                    say("标题", "title"): answer.title,
                    say("标签", "label"): category_name(answer.label),
                    say("模型说", "model"): category_name(answer.predicted) if answer.predicted else "-",
                }
                for answer in never
            ],
            hide_index=True,
            height=min(36 * (len(never) + 1) + 3, 330),
            alt=say("从没答对的标题", "Titles that were never right"),
        )


def _row(name: str, rate: PassRate) -> dict[str, object]:
    return {
        say("类别", "category"): category_name(name),
        say("条数", "rows"): rate.rows,
        "pass@1": f"{rate.pass_1:.1%}",
        f"pass@{rate.samples}": f"{rate.pass_k:.1%}",
        say("从没答对", "never right"): rate.never,
    }
