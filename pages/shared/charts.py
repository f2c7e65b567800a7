"""Chart categories, accuracies, probabilities and confusion from plain values. Altair only; reads nothing."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from pages.shared import colors
from pages.shared.text import category_name
from studio.contract import UNPARSED, Confusion
from studio.language import say
from studio.samples.scheme import Scheme

CELL = "cell"
"""Name of the selection in the confusion matrix."""


def _chart(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    """Make a chart of plain rows: no data frame is needed for it."""
    return alt.Chart(alt.Data(values=list(rows)))  # type: ignore[no-untyped-call]


def _bare_axis(**more: Any) -> alt.Axis:
    """Make an axis that is only its labels."""
    return alt.Axis(ticks=False, domain=False, labelFlush=False, labelPadding=8, **more)


def column_name(name: str) -> str:
    """Name a predicted category, or what stands for an answer that could not be parsed."""
    return say("无法解析", "unparsed") if name == UNPARSED else category_name(name)


def _bars(rows: Sequence[Mapping[str, Any]], *, row_height: int, reach: float) -> alt.LayerChart:
    """Chart horizontal bars in the order given.

    Args:
        rows: `name`, `value`, `text` and `color` of each bar.
        row_height: pixels for a bar and the space around it.
        reach: value at the right edge; room for the longest bar's text.
    """
    base = _chart(rows).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=_bare_axis(labelLimit=220)),
        x=alt.X("value:Q", title=None, axis=None, scale=alt.Scale(domain=[0, reach])),
    )
    bars = base.mark_bar(cornerRadiusEnd=3, height=round(row_height * 0.58)).encode(
        color=alt.Color("color:N", scale=None)
    )
    texts = base.mark_text(align="left", dx=6, color=colors.quiet()).encode(text="text:N")
    layers: alt.LayerChart = bars + texts
    chart: alt.LayerChart = layers.properties(height=row_height * len(rows)).configure_view(stroke=None)
    return chart


def category_bars(counts: Mapping[str, int], scheme: Scheme) -> alt.LayerChart:
    """Chart titles per category, in the scheme's order and colours."""
    rows = [
        {
            "name": category_name(category.name),
            "value": counts.get(category.name, 0),
            "text": str(counts.get(category.name, 0)),
            "color": colors.readable(category.color),
        }
        for category in scheme.categories
    ]
    return _bars(rows, row_height=20, reach=max([1, *counts.values()]) * 1.12)


def accuracy_bars(rates: Sequence[tuple[str, float, bool]]) -> alt.LayerChart:
    """Chart accuracies side by side: (label, 0 to 1, whether it is a model of ours and no baseline)."""
    rows = [
        {
            "name": name,
            "value": rate,
            "text": f"{rate:.1%}",
            "color": colors.ACCENT if ours else colors.pale(),
        }
        for name, rate, ours in rates
    ]
    return _bars(rows, row_height=28, reach=1.15)


def probability_bars(probabilities: Mapping[str, float], scheme: Scheme) -> alt.LayerChart:
    """Chart the probabilities of one title, highest first."""
    rows = [
        {
            "name": category_name(name),
            "value": probability,
            "text": f"{probability:.1%}",
            "color": colors.readable(scheme.category(name).color),
        }
        for name, probability in sorted(probabilities.items(), key=lambda item: -item[1])
    ]
    return _bars(rows, row_height=22, reach=1.2)


def confusion_chart(confusion: Confusion) -> alt.LayerChart:
    """Chart the confusion matrix; a click on a cell selects its `true` and `pred`, as stored names.

    Right answers are blue, wrong ones orange; the deeper, the more rows.
    """
    return _matrix(_cells(confusion), [("n", say("条数", "rows"))])


def change_chart(
    rows: Sequence[str], columns: Sequence[str], came: Sequence[Sequence[int]], left: Sequence[Sequence[int]]
) -> alt.LayerChart:
    """Chart which titles came into each cell of a confusion matrix and which left it, +3 −1.

    Blue where that is good: more right answers, or fewer wrong ones; orange where it is bad.
    """
    cells = []
    for label, came_line, left_line in zip(rows, came, left, strict=True):
        for answer, new, gone in zip(columns, came_line, left_line, strict=True):
            right, size = label == answer, new + gone
            good = (new >= gone) == right
            highest = max(
                1, *(a + b for lines in zip(came, left, strict=True) for a, b in zip(*lines, strict=True))
            )
            parts = [f"+{new}" if new else "", f"−{gone}" if gone else ""]
            cells.append(
                {
                    "true": label,
                    "pred": answer,
                    "true_name": category_name(label),
                    "pred_name": column_name(answer),
                    "n": " ".join(part for part in parts if part),
                    "came": new,
                    "left": gone,
                    "right": right,
                    **cell_colors(size, highest, right=good),
                }
            )
    tips = [("came", say("新来的", "came")), ("left", say("离开的", "left"))]
    return _matrix(cells, tips)


def _matrix(rows: Sequence[Mapping[str, Any]], tips: Sequence[tuple[str, str]]) -> alt.LayerChart:
    """Chart cells with their numbers, `n`; `tips` are the fields of a tooltip and their names."""
    cell = alt.selection_point(name=CELL, fields=["true", "pred"], toggle=False, empty=False)
    angle = say("0", "-40")
    base = _chart(rows).encode(
        x=alt.X(
            "pred_name:N",
            sort=None,
            title=say("模型的回答", "model's answer"),
            axis=_bare_axis(orient="top", labelAngle=int(angle), labelOverlap=False),
        ),
        y=alt.Y("true_name:N", sort=None, title=say("数据集的类别", "dataset category"), axis=_bare_axis()),
        tooltip=[
            alt.Tooltip("true_name:N", title=say("数据集", "dataset")),
            alt.Tooltip("pred_name:N", title=say("模型", "model")),
            *(alt.Tooltip(f"{field}:Q", title=title) for field, title in tips),
        ],
    )
    rects = base.mark_rect(cornerRadius=3, stroke=colors.paper(), strokeWidth=2, cursor="pointer").encode(
        fill=alt.Fill("fill:N", scale=None)
    )
    frame = base.transform_filter(cell).mark_rect(
        cornerRadius=3, fill=None, stroke=colors.ink(), strokeWidth=2, aria=False
    )
    numbers = base.transform_filter("datum.n != 0").mark_text(fontSize=12, fontWeight=600)
    numbers = numbers.encode(color=alt.Color("text:N", scale=None), text="n:N")
    chart: alt.LayerChart = rects.add_params(cell) + frame + numbers
    # Slanted names reach beyond the last column.
    return chart.properties(height=385, padding={"right": int(say("5", "28"))})


def cell_colors(count: int, highest: int, *, right: bool) -> dict[str, str]:
    """Return the colours of a cell and its number: the more rows, the deeper; right ones are blue."""
    full, empty = colors.ACCENT if right else colors.WARM, colors.empty_cell()
    fill = colors.mixed(full, empty, 0.95 * math.sqrt(count / max(1, highest)))
    return {"fill": fill, "text": colors.text_on(fill)}


def _cells(confusion: Confusion) -> list[dict[str, Any]]:
    highest = max(1, *(count for line in confusion.counts for count in line))
    return [
        {
            "true": true,
            "pred": pred,
            "true_name": category_name(true),
            "pred_name": column_name(pred),
            "n": count,
            "right": true == pred,
            **cell_colors(count, highest, right=true == pred),
        }
        for true, line in zip(confusion.rows, confusion.counts, strict=True)
        for pred, count in zip(confusion.columns, line, strict=True)
    ]
