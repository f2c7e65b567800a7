"""Draw the verdict, its numbers, what the titles can tell, and several runs in columns."""

from collections.abc import Sequence

import streamlit as st

from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import failure_text, reporting
from pages.shared.text import plain
from studio.errors import NotComparable
from studio.evaluation import verdicts
from studio.evaluation.compared import Compared
from studio.evaluation.comparison import Comparison, SideScores
from studio.evaluation.entries import Entry
from studio.evaluation.power import rows_to_see
from studio.evaluation.verdicts import VerdictCode
from studio.evaluation.wear import record_comparison, wear_of
from studio.language import say

MARKS: dict[VerdictCode, tuple[str, str]] = {
    "better": ("green", "trending_up"),
    "worse": ("red", "trending_down"),
    "no_difference": ("gray", "trending_flat"),
    "not_comparable": ("orange", "block"),
}
WANTED = 0.05
"""The difference for which the number of titles is told."""


def refusal(error: NotComparable) -> None:
    """Say why runs cannot be compared, with the way out: the rows that all of them share."""
    st.warning(failure_text(error.problem, error.remedy), icon=":material/block:")
    if error.common:
        st.button(
            say(f"只比较共有的 {error.common} 条", f"Compare the {error.common} shared titles"),
            key="compare-common",
            type="primary",
            on_click=_take_common,
        )
    session.link("evaluate", say("去评估", "Evaluate"))


@reporting
def _take_common() -> None:
    st.query_params["rows"] = "common"


def verdict_section(comparison: Comparison) -> None:
    """Draw the verdict as a sentence, and the numbers behind it."""
    color, icon = MARKS[comparison.verdict.code]
    st.subheader(f":{color}[:material/{icon}:] {plain(comparison.verdict.sentence)}", anchor=False)
    notes = " ".join(verdicts.note(code) for code in comparison.verdict.notes)
    if notes:
        st.caption(plain(notes))
    low, high = comparison.interval
    of_f1 = comparison.macro_f1_interval
    with st.grid(6, min_column_width=110):
        for letter, side in (("A", comparison.a), ("B", comparison.b)):
            st.metric(
                say(f"准确率 {letter}", f"Accuracy {letter}"),
                f"{side.accuracy:.1%}",
                delta=None if side.seeds.sd is None else f"± {side.seeds.sd:.1%}",
                delta_color="off",
                delta_arrow="off",
                help=plain(side.name),
            )
        st.metric(
            say("差（百分点）", "Difference, points"),
            _points(comparison.difference),
            delta=f"{_points(low)} … {_points(high)}",
            delta_color="off",
            delta_arrow="off",
            help=say(
                "下面是 95% 区间；按新闻事件重抽样，不按行。",
                "Below it the 95 % interval; stories are resampled, not rows.",
            ),
        )
        st.metric(
            say("宏 F1 之差", "Macro F1 difference"),
            _points(comparison.b.macro_f1 - comparison.a.macro_f1),
            delta=None if of_f1 is None else f"{_points(of_f1[0])} … {_points(of_f1[1])}",
            delta_color="off",
            delta_arrow="off",
        )
        st.metric(
            say("修好 / 弄错", "Fixed / broken"),
            f"{comparison.fixed} / {comparison.broken}",
            help=say(
                "修好：只有 B 答对的标题。弄错：只有 A 答对的标题。",
                "Fixed: titles that only B gets right. Broken: titles that only A gets right.",
            ),
        )
        st.metric(
            say("p 值", "p-value"),
            f"{comparison.p_value:.3f}" if comparison.p_value >= 0.001 else "< 0.001",
            help=say(
                f"整件新闻一起翻转的精确检验；每件新闻只有一条标题时就是精确 McNemar。"
                f"按行算的 McNemar：p = {comparison.mcnemar_p:.3g}，同一件新闻有几条标题时它过于乐观。",
                f"Exact test that flips whole stories; exact McNemar where every story is one title. McNemar "
                f"by rows: p = {comparison.mcnemar_p:.3g}, too optimistic where stories have several titles.",
            ),
        )


def _points(difference: float) -> str:
    return f"{difference * 100:+.1f}"


def what_it_tells(found: Compared, entries: Sequence[Entry], comparison: Comparison) -> None:
    """Say how small a difference such titles show, how many more it takes, and how worn they are."""
    db = session.store()
    record_comparison(db, found.rows_sha256, entries, author=session.annotator())
    wear = wear_of(db, found.rows_sha256)
    needed = rows_to_see(WANTED, max(0.02, round(comparison.discordance, 2)))
    more = max(0, round(needed * comparison.n / max(1, comparison.worth) - comparison.n))
    parts = [
        say(
            f"这 {comparison.n} 条标题（{comparison.groups} 件新闻）"
            f"通常看不出小于 {100 * comparison.visible:.0f} 个百分点的差别",
            f"With these {comparison.n} titles ({comparison.groups} stories) a difference under "
            f"{100 * comparison.visible:.0f} points will usually not be visible",
        )
    ]
    if more:
        parts.append(
            say(f"要看出 5 个百分点，大约还要 {more} 条", f"to see 5 points takes about {more} more titles")
        )
    parts.append(
        say(
            f"这些标题已用于 {wear.comparisons} 次比较（{wear.evaluations} 个评估）",
            f"comparisons on these titles so far: {wear.comparisons}, of {wear.evaluations} evaluations",
        )
    )
    st.caption(plain(say("；", "; ").join(parts) + say("。", ".")))
    if wear.is_worn:
        st.warning(
            say(
                "这些标题已经比较过很多次：在同样的标题上反复挑最好的，挑到的也有运气。请换一批新标题再确认一次。",
                "These titles have been compared many times: who picks the best on the same titles again and "
                "again picks luck, too. Confirm the choice on fresh titles.",
            ),
            icon=":material/hourglass_bottom:",
        )


def columns_table(found: Compared) -> None:
    """Draw all compared runs side by side, with their difference to the first."""
    table(
        [_column(found.scores[0], None)] + [_column(each.b, each) for each in found.comparisons],
        hide_index=True,
        height="content",
        alt=say("几个运行并排", "Several runs side by side"),
    )


def _column(scores: SideScores, comparison: Comparison | None) -> dict[str, object]:
    low, high = scores.accuracy_interval
    deviation = "" if scores.seeds.sd is None else f" ± {scores.seeds.sd:.1%}"
    row: dict[str, object] = {
        say("运行", "run"): scores.name,
        say("准确率", "accuracy"): f"{scores.accuracy:.1%}{deviation}",
        say("95% 区间", "95 % interval"): f"{low:.1%} – {high:.1%}",
        say("宏 F1", "macro F1"): f"{scores.macro_f1:.1%}",
        say("与 A 之差", "difference to A"): None,
        say("差的区间", "its interval"): "–",
        say("修好", "fixed"): None,
        say("弄错", "broken"): None,
        say("p 值（已校正）", "p-value (corrected)"): "–",
    }
    if comparison is not None:
        low, high = comparison.interval
        row |= {
            say("与 A 之差", "difference to A"): round(comparison.difference * 100, 1),
            say("差的区间", "its interval"): f"[{_points(low)}, {_points(high)}]",
            say("修好", "fixed"): comparison.fixed,
            say("弄错", "broken"): comparison.broken,
            say("p 值（已校正）", "p-value (corrected)"): f"{comparison.p_value:.3f}",
        }
    return row
