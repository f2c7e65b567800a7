"""Chart pace, coverage and agreement from plain values. Altair only; reads nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from pages.shared import colors, session
from pages.shared.charts import cell_colors
from pages.shared.text import category_name
from studio.language import say
from studio.samples.scheme import Scheme
from studio.team.agreement import Agreement, Measure
from studio.team.progress import DayCount, TargetCoverage


def _chart(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.Data(values=list(rows)))  # type: ignore[no-untyped-call]


def _names(**more: Any) -> alt.Axis:
    return alt.Axis(ticks=False, domain=False, labelPadding=8, **more)


def coverage_bars(coverage: Sequence[TargetCoverage], scheme: Scheme) -> alt.LayerChart:
    """Chart decided titles per category as bars, the target as a line."""
    target = coverage[0].target
    reach = max(target, *(each.decided for each in coverage)) * 1.25
    rows = [
        {
            "name": category_name(each.category),
            "value": each.decided,
            "text": f"{each.decided} / {each.target}",
            "color": colors.readable(scheme.category(each.category).color),
        }
        for each in coverage
    ]
    base = _chart(rows).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=_names(labelLimit=220)),
        x=alt.X("value:Q", title=None, axis=None, scale=alt.Scale(domain=[0, reach])),
    )
    bars = base.mark_bar(cornerRadiusEnd=3, height=13).encode(color=alt.Color("color:N", scale=None))
    texts = base.mark_text(align="left", dx=6, color=colors.quiet()).encode(text="text:N")
    line = _chart([{"value": target}]).mark_rule(color=colors.ink(), strokeDash=[3, 3]).encode(x="value:Q")
    layers: alt.LayerChart = bars + texts + line
    chart: alt.LayerChart = layers.properties(height=24 * len(rows)).configure_view(stroke=None)
    return chart


def day_bars(days: Sequence[DayCount], colors_of: Mapping[str, str]) -> alt.Chart:
    """Chart answers per day, stacked by person in their colours."""
    rows = [{"day": each.day.isoformat(), "name": each.author, "answers": each.answers} for each in days]
    names = sorted({each.author for each in days})
    chart: alt.Chart = (
        _chart(rows)
        .mark_bar(cornerRadius=2)
        .encode(
            x=alt.X("day:O", title=None, axis=alt.Axis(labelAngle=-40, ticks=False)),
            y=alt.Y("sum(answers):Q", title=say("条", "titles"), axis=alt.Axis(tickMinStep=1, format="d")),
            color=alt.Color(
                "name:N",
                scale=alt.Scale(
                    domain=names, range=[colors_of.get(name) or colors.quiet() for name in names]
                ),
                legend=alt.Legend(title=None, orient="top") if len(names) > 1 else None,
            ),
            tooltip=[
                alt.Tooltip("day:O", title=say("日期", "day")),
                alt.Tooltip("name:N", title=say("人", "person")),
                alt.Tooltip("answers:Q", title=say("条数", "titles")),
            ],
        )
        .properties(height=220)
    )
    return chart


def measure_bars(measures: Mapping[str, Measure]) -> alt.LayerChart:
    """Chart kappa of each name with its interval; the agreement as a pale bar behind."""
    rows = [
        {
            "name": name,
            "percent": measure.percent,
            "kappa": measure.kappa,
            "low": measure.kappa_interval[0] if measure.kappa_interval else None,
            "high": measure.kappa_interval[1] if measure.kappa_interval else None,
            "n": measure.n,
        }
        for name, measure in measures.items()
    ]
    base = _chart(rows).encode(y=alt.Y("name:N", sort=None, title=None, axis=_names(labelLimit=220)))
    scale = alt.Scale(domain=[min(0, *(row["low"] or 0 for row in rows)), 1])
    kappa = alt.X("kappa:Q", title=None, scale=scale)
    tips = [
        alt.Tooltip("name:N", title=say("类别", "category")),
        alt.Tooltip("percent:Q", title=say("一致率", "agreement"), format=".1%"),
        alt.Tooltip("kappa:Q", title="κ", format=".2f"),
        alt.Tooltip("n:Q", title=say("标题", "titles")),
    ]
    bars = base.mark_bar(color=colors.pale(), height=12, opacity=0.6).encode(
        x=alt.X("percent:Q", title=None, scale=scale), tooltip=tips
    )
    reach = base.mark_rule(color=colors.ACCENT, strokeWidth=2).encode(
        x=alt.X("low:Q", title=None, scale=scale), x2="high:Q"
    )
    points = base.mark_point(filled=True, size=70, color=colors.ACCENT, opacity=1).encode(
        x=kappa, tooltip=tips
    )
    chart: alt.LayerChart = bars + reach + points
    return chart.properties(height=26 * len(rows) + 30)


def over_time_chart(agreement: Agreement) -> alt.LayerChart:
    """Chart agreement and kappa, by day or week."""
    agree, kappa = say("一致率", "agreement"), "κ"
    rows: list[dict[str, Any]] = [
        {"start": start, "value": value, "kind": kind, "n": measure.n}
        for start, measure in agreement.over_time.items()
        for kind, value in ((agree, measure.percent), (kappa, measure.kappa))
        if value is not None
    ]
    base = _chart(rows).encode(
        x=alt.X(
            "start:O",
            title=say("周（从周一起）", "week of") if agreement.by_week else None,
            axis=alt.Axis(labelAngle=-40),
        ),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(domain=[min(0, *(row["value"] for row in rows)), 1])),
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(domain=[agree, kappa], range=[colors.pale(), colors.ACCENT]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        tooltip=[
            alt.Tooltip("start:O", title=say("起", "from")),
            alt.Tooltip("kind:N", title=say("指标", "measure")),
            alt.Tooltip("value:Q", format=".2f", title=say("值", "value")),
            alt.Tooltip("n:Q", title=say("标题", "titles")),
        ],
    )
    chart: alt.LayerChart = base.mark_line(strokeWidth=2) + base.mark_point(filled=True, size=60, opacity=1)
    return chart.properties(height=230)


def pair_chart(agreement: Agreement) -> alt.LayerChart:
    """Chart which categories people gave the same title; agreement is blue, the rest orange."""
    used = [index for index, line in enumerate(agreement.matrix) if any(line)]
    highest = max(agreement.matrix[row][column] for row in used for column in used)
    known = session.scheme().names
    names = [category_name(name) if name in known else name for name in agreement.categories]
    rows = [
        {
            "one": names[row],
            "other": names[column],
            "n": agreement.matrix[row][column],
            "agrees": row == column,
            **cell_colors(agreement.matrix[row][column], highest, right=row == column),
        }
        for row in used
        for column in used
    ]
    base = _chart(rows).encode(
        x=alt.X(
            "one:N",
            sort=None,
            title=None,
            axis=_names(orient="top", labelAngle=int(say("0", "-40")), labelOverlap=False),
        ),
        y=alt.Y("other:N", sort=None, title=None, axis=_names()),
        tooltip=[
            alt.Tooltip("one:N", title=say("一人", "one")),
            alt.Tooltip("other:N", title=say("另一人", "other")),
            alt.Tooltip("n:Q", title=say("对数", "pairs")),
        ],
    )
    rects = base.mark_rect(cornerRadius=3, stroke=colors.paper(), strokeWidth=2).encode(
        fill=alt.Fill("fill:N", scale=None)
    )
    numbers = base.transform_filter("datum.n > 0").mark_text(fontSize=12, fontWeight=600)
    numbers = numbers.encode(color=alt.Color("text:N", scale=None), text="n:Q")
    chart: alt.LayerChart = rects + numbers
    # Slanted names reach beyond the last column.
    return chart.properties(height=36 * len(used) + 60, padding={"right": int(say("5", "28"))})
