"""Chart range tests and sweeps. Altair only; reads nothing."""

import math
from collections.abc import Sequence
from typing import Any, cast

import altair as alt

from pages.shared.colors import ACCENT, GREEN, WARM, ink
from studio.contract import Step
from studio.language import say
from studio.training.learning_rate import RangeAdvice, Recommendation, Smoothed, Tried, show

BLUE, ORANGE = ACCENT, WARM


def range_chart(points: Sequence[Step], advice: RangeAdvice | None) -> alt.LayerChart:
    """Chart the loss over the rising rate, smoothed over its raw values, with the bounds read off it."""
    average = Smoothed()
    rows = [
        {"rate": point.learning_rate, "raw": point.loss, "smooth": average.add(point.loss)}
        for point in points
        if math.isfinite(point.loss)
    ]
    x = alt.X(
        "rate:Q",
        scale=alt.Scale(type="log"),
        title=say("学习率", "learning rate"),
        axis=alt.Axis(format="~e", grid=False),
    )
    title = say("每个词元的损失", "loss per token")
    base = alt.Chart(_data(rows)).encode(
        x=x, tooltip=[alt.Tooltip("rate:Q", format=".2e"), alt.Tooltip("raw:Q", title=title, format=".3f")]
    )
    y_scale = alt.Scale(zero=False)
    layers: list[alt.Chart] = [
        base.mark_point(size=12, opacity=0.4, color=BLUE, aria=False).encode(
            y=alt.Y("raw:Q", title=title, scale=y_scale)
        ),
        base.mark_line(strokeWidth=2, color=BLUE).encode(y=alt.Y("smooth:Q", title=title, scale=y_scale)),
    ]
    if advice:
        marks = [
            {"rate": advice.start, "name": say("起点", "start")},
            {"rate": advice.turned_at, "name": say("上限", "upper bound")},
        ]
        rules = alt.Chart(_data(marks)).encode(x=x)
        layers += [
            rules.mark_rule(strokeDash=[4, 3], color=ORANGE),
            rules.mark_text(align="left", dx=4, y=8, color=ink()).encode(text="name:N"),
        ]
    return cast(alt.LayerChart, alt.layer(*layers).properties(height=260))


def sweep_chart(
    tried: Sequence[Tried], recommendation: Recommendation | None, field: str
) -> alt.HConcatChart:
    """Chart held-out loss with its standard error, and category accuracy with its interval, over values."""
    rows = [_row(each, recommendation) for each in tried if math.isfinite(each.loss)]
    loss = _panel(rows, field, say("留出损失（± 标准误）", "held-out loss (± standard error)"), "loss", "~g")
    panels = [loss]
    scored = [row for row in rows if row["accuracy"] is not None]
    if scored:
        title = say("类别准确率（95% 区间）", "category accuracy (95 % interval)")
        panels.append(_panel(scored, field, title, "accuracy", ".0%"))
    return alt.hconcat(*panels)


def _row(each: Tried, recommendation: Recommendation | None) -> dict[str, Any]:
    error, interval = each.loss_error or 0.0, each.interval or (None, None)
    return {
        "value": each.value,
        "name": show(each.value),
        "chosen": recommendation is not None and recommendation.tried.run == each.run,
        "loss": each.loss,
        "loss_low": each.loss - error,
        "loss_high": each.loss + error,
        "accuracy": each.accuracy,
        "accuracy_low": interval[0],
        "accuracy_high": interval[1],
    }


def _panel(rows: Sequence[dict[str, Any]], field: str, title: str, name: str, format: str) -> alt.LayerChart:
    numbers = all(isinstance(row["value"], int | float) and row["value"] > 0 for row in rows)
    x: Any
    if numbers and not any(isinstance(row["value"], bool) for row in rows):
        values = sorted(row["value"] for row in rows)
        axis = alt.Axis(values=values, format="~g", grid=False, labelAngle=-30)
        x = alt.X("value:Q", scale=alt.Scale(type="log", padding=12), title=field, axis=axis)
    else:
        x = alt.X("name:N", title=field, sort=[row["name"] for row in rows])
    y = alt.Y(f"{name}:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(format=format))
    color = alt.condition("datum.chosen", alt.value(GREEN), alt.value(BLUE))
    base = alt.Chart(_data(rows)).encode(
        x=x,
        tooltip=[
            alt.Tooltip("name:N", title=field),
            alt.Tooltip(f"{name}:Q", title=title, format=".3f" if name == "loss" else ".1%"),
        ],
    )
    layers = [
        base.mark_line(color=BLUE, opacity=0.4).encode(y=y),
        base.mark_rule(strokeWidth=2).encode(y=f"{name}_low:Q", y2=f"{name}_high:Q", color=color),
        base.mark_point(filled=True, size=90, opacity=1, aria=False).encode(y=y, color=color),
    ]
    return cast(alt.LayerChart, alt.layer(*layers).properties(width=330, height=240))


def _data(rows: Sequence[dict[str, Any]]) -> alt.Data:
    return alt.Data(values=list(rows))  # type: ignore[no-untyped-call]
