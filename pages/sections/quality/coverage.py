"""Draw the coverage of categories: balance, and the evaluation rows that each of them needs."""

from collections.abc import Sequence

import streamlit as st

from pages.shared import charts, session
from pages.shared.elements import table
from pages.shared.text import category_name, plain
from studio.corpus.titles import category_counts
from studio.datasets.versions import list_versions
from studio.language import say
from studio.quality.coverage import CategoryCoverage, coverage, rows_for_interval
from studio.stats import wilson_half_width
from studio.store import Store


def coverage_section(db: Store) -> None:
    """Draw the balance of categories, and the evaluation rows that each of them needs."""
    scheme = session.scheme()
    decided = category_counts(db)
    if not decided:
        st.info(say("还没有已定的标题，先去标注。", "No title is decided yet; label some first."))
        session.link("label", say("去标注", "Label titles"))
        return
    with st.container(horizontal=True):
        points = st.number_input(
            say("准确率误差 ± 百分点", "Margin of error ± points"),
            value=10,
            min_value=1,
            max_value=40,
            step=1,
            key="coverage-width",
            width=260,
        )
        percent = st.number_input(
            say("预计准确率 %", "Expected accuracy in %"),
            value=80,
            min_value=1,
            max_value=99,
            step=1,
            key="coverage-accuracy",
            width=260,
        )
    wanted = rows_for_interval(points / 100, percent / 100)
    versions = list_versions(db, session.workspace())
    rows = coverage(
        scheme.names,
        decided,
        versions[0].categories["train"] if versions else {},
        versions[0].categories["eval"] if versions else {},
        wanted,
    )
    st.markdown(_coverage_sentence(rows, wanted, points, percent, versions[0].ref if versions else None))
    chart, table = st.columns([1, 1.4], gap="large")
    chart.altair_chart(
        charts.category_bars(decided, scheme),
        alt=say("已定标题的类别", "Decided titles per category"),
    )
    with table:
        _coverage_table(rows, percent / 100)


def _coverage_sentence(
    rows: Sequence[CategoryCoverage], wanted: int, points: int, percent: int, version: str | None
) -> str:
    target = say(
        f"每个类别要有 **{wanted}** 条评估标题，{percent}% 左右的准确率才能精确到 ±{points} 个百分点"
        "（95% 区间）。",
        f"Each category needs **{wanted}** evaluation titles to measure an accuracy of about {percent} % "
        f"to within ±{points} points (95 % interval).",
    )
    short = [row for row in rows if row.missing]
    if version is None:
        return target + say("还没有数据集版本。", " There is no dataset version yet.")
    if not short:
        return target + say(f"{plain(version)} 各类别都够。", f" {plain(version)} has enough of each.")
    worst = max(short, key=lambda row: row.missing)
    name = category_name(worst.category)
    return target + say(
        f"{plain(version)} 有 {len(short)} 个类别不够，最缺的是{name}（还差 {worst.missing} 条）。",
        f" {plain(version)} has too few in {len(short)} categories, fewest in {name} ({worst.missing} "
        "missing).",
    )


def _coverage_table(rows: Sequence[CategoryCoverage], accuracy: float) -> None:
    total = sum(row.decided for row in rows) or 1
    table(
        [
            {
                say("类别", "category"): category_name(row.category),
                say("已定", "decided"): row.decided,
                say("占比", "share"): f"{row.decided / total:.0%}",
                say("训练", "train"): row.train,
                say("评估", "eval"): row.evaluated,
                say("还差", "missing"): row.missing,
                say("现在的误差", "margin"): f"±{100 * wilson_half_width(accuracy, row.evaluated):.0f}"
                if row.evaluated
                else "–",
            }
            for row in rows
        ],
        hide_index=True,
        height="content",
        alt=say("每个类别的覆盖", "Coverage per category"),
    )
