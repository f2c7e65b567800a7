"""Draw the comparison of each category."""

import streamlit as st

from pages.shared.elements import table
from pages.shared.text import category_name
from studio.evaluation.comparison import Comparison
from studio.language import say
from studio.stats import rows_for_half_width

HALF_WIDTH = 0.05


def category_table(comparison: Comparison) -> None:
    """Draw recall and F1 of both sides for each category; what differs after correction is marked."""
    table(
        [
            {
                say("类别", "category"): category_name(each.name),
                say("条数", "rows"): each.n,
                say("召回率 A", "recall A"): f"{each.recall_a:.1%}",
                say("召回率 B", "recall B"): f"{each.recall_b:.1%}",
                say("差（点）", "difference"): round((each.recall_b - each.recall_a) * 100, 1),
                say("95% 区间", "95 % interval"): _interval(each.interval),
                say("修好", "fixed"): each.fixed,
                say("弄错", "broken"): each.broken,
                "F1 A": f"{each.f1_a:.1%}",
                "F1 B": f"{each.f1_b:.1%}",
                say("p（Holm）", "p (Holm)"): f"{each.p_holm:.3f}",
                say("显著", "significant"): _mark(each.is_significant, each.recall_b - each.recall_a),
                say("±5 点还要", "more for ±5"): _more(each.n, each.recall_b),
            }
            for each in comparison.per_category
        ],
        hide_index=True,
        height="content",
        alt=say("逐类比较", "Comparison per category"),
    )
    st.caption(
        say(
            "显著：看了这么多类别之后仍不像偶然（Holm 校正）。"
            "±5 点还要：让 B 的召回率区间窄到 ±5 个百分点，这一类还要多少条评估标题。",
            "Significant: more than chance also in view of how many categories were looked at (Holm). "
            "More for ±5: how many more evaluation titles narrow the interval of B's recall to ±5 points.",
        )
    )


def _interval(interval: tuple[float, float] | None) -> str:
    return f"[{interval[0] * 100:+.1f}, {interval[1] * 100:+.1f}]" if interval else "–"


def _mark(significant: bool, difference: float) -> str:
    if not significant:
        return ""
    return say("▲ 更好", "▲ better") if difference > 0 else say("▼ 更差", "▼ worse")


def _more(n: int, recall: float) -> int:
    return max(0, rows_for_half_width(HALF_WIDTH, min(0.95, max(0.05, recall))) - n)
