"""Chart how well confidence is calibrated, and coverage against accuracy. Altair only; reads nothing."""

from collections.abc import Sequence
from typing import cast

import altair as alt

from pages.shared import colors
from studio.evaluation.calibration import Bin, CoveragePoint
from studio.language import say


def reliability_chart(raw: Sequence[Bin], calibrated: Sequence[Bin]) -> alt.LayerChart:
    """Chart the share that is right over confidence, before and after calibration, with intervals."""
    before, after = say("校正前", "before"), say("校正后", "after")
    rows = [
        {
            "confidence": each.confidence,
            "right": each.right / each.rows,
            "low": each.interval[0],
            "high": each.interval[1],
            "rows": each.rows,
            "when": when,
        }
        for when, bins in ((before, raw), (after, calibrated))
        for each in bins
    ]
    scale = alt.Scale(domain=[0, 1])
    base = alt.Chart(alt.Data(values=rows)).encode(  # type: ignore[no-untyped-call]
        x=alt.X(
            "confidence:Q",
            title=say("模型的把握", "confidence"),
            scale=scale,
            axis=alt.Axis(format=".0%", grid=False),
        ),
        color=alt.Color(
            "when:N",
            scale=alt.Scale(domain=[before, after], range=[colors.WARM, colors.ACCENT]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        tooltip=[
            alt.Tooltip("when:N", title=" "),
            alt.Tooltip("confidence:Q", title=say("把握", "confidence"), format=".1%"),
            alt.Tooltip("right:Q", title=say("答对", "right"), format=".1%"),
            alt.Tooltip("rows:Q", title=say("条数", "rows")),
        ],
    )
    y = alt.Y("right:Q", title=say("实际答对", "right"), scale=scale, axis=alt.Axis(format=".0%"))
    ends = alt.Data(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])  # type: ignore[no-untyped-call]
    even = (
        alt.Chart(ends).mark_line(strokeDash=[4, 4], color=colors.pale(), aria=False).encode(x="x:Q", y="y:Q")
    )
    bars = base.mark_rule(opacity=0.45, aria=False).encode(y="low:Q", y2="high:Q")
    layers = alt.layer(
        even,
        bars,
        base.mark_line(strokeWidth=1.5).encode(y=y),
        base.mark_point(filled=True, size=60).encode(y=y),
    )
    return cast(alt.LayerChart, layers.properties(height=300))


def coverage_chart(points: Sequence[CoveragePoint], chosen: CoveragePoint) -> alt.LayerChart:
    """Chart accuracy over coverage with its interval, and the chosen point."""

    def row(point: CoveragePoint) -> dict[str, float]:
        low, high = point.interval
        return {
            "coverage": point.coverage,
            "accuracy": point.accuracy,
            "low": low,
            "high": high,
            "threshold": point.threshold,
            "answered": point.answered,
        }

    rows = [row(point) for point in points if point.answered]
    floor = min([0.5, *(each["low"] for each in rows)])
    y_scale = alt.Scale(domain=[max(0.0, floor - 0.02), 1])
    data = alt.Data(values=rows)  # type: ignore[no-untyped-call]
    base = alt.Chart(data).encode(
        x=alt.X(
            "coverage:Q",
            title=say("回答的比例", "share answered"),
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(format=".0%", grid=False),
        ),
        tooltip=[
            alt.Tooltip("threshold:Q", title=say("门槛", "threshold"), format=".0%"),
            alt.Tooltip("coverage:Q", title=say("回答", "answered"), format=".0%"),
            alt.Tooltip("accuracy:Q", title=say("答对", "right"), format=".1%"),
            alt.Tooltip("low:Q", title=say("区间下限", "from"), format=".1%"),
            alt.Tooltip("high:Q", title=say("区间上限", "to"), format=".1%"),
        ],
    )
    y = alt.Y(
        "accuracy:Q",
        title=say("其中答对", "accuracy of the answered"),
        scale=y_scale,
        axis=alt.Axis(format=".0%"),
    )
    band = base.mark_area(opacity=0.18, color=colors.ACCENT, aria=False).encode(
        y=alt.Y("low:Q", scale=y_scale), y2="high:Q"
    )
    line = base.mark_line(color=colors.ACCENT, strokeWidth=2).encode(y=y)
    here = alt.Data(values=[row(chosen)] if chosen.answered else [])  # type: ignore[no-untyped-call]
    point = (
        alt.Chart(here)
        .mark_point(filled=True, size=140, color=colors.WARM, aria=False)
        .encode(x="coverage:Q", y=alt.Y("accuracy:Q", scale=y_scale))
    )
    layers = alt.layer(band, line, point)
    return cast(alt.LayerChart, layers.properties(height=300))
