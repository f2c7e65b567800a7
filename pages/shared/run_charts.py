"""Chart the curves of training runs, several on one chart, from events. Altair only; reads nothing."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import altair as alt

from pages.shared.colors import SERIES
from studio.contract import Event, HeldOut, Step
from studio.language import say
from studio.training.learning_rate import Smoothed

Axis = Literal["step", "epoch"]
Quantity = Literal[
    "loss",
    "held_out_loss",
    "accuracy",
    "preferred",
    "margin",
    "learning_rate",
    "grad_norm",
    "tokens_per_second",
    "memory_gib",
]
OF_PAIRS: tuple[Quantity, ...] = ("preferred", "margin")
"""Quantities that only trainings on preference pairs record."""

KIND_NAMES = {"train": ("训练", "training"), "held": ("留出", "held out")}
LONGEST = 600
"""Points of one line that are drawn; a longer run is thinned evenly, its last point kept."""


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """How a quantity is named, formatted, and read from an event."""

    name: tuple[str, str]
    unit: tuple[str, str]
    format: str
    of_step: Callable[[Step], float | None] | None = None
    of_held_out: Callable[[HeldOut], float | None] | None = None


QUANTITIES: Mapping[Quantity, _Shown] = {
    "loss": _Shown(
        name=("训练损失", "Training loss"),
        unit=("训练损失", "training loss"),
        format=".4f",
        of_step=lambda step: step.loss,
    ),
    # Another quantity: the plain mean over the tokens of chains, without weights and direct answers.
    "held_out_loss": _Shown(
        name=("留出损失", "Held-out loss"),
        unit=("留出损失", "held-out loss"),
        format=".4f",
        of_held_out=lambda point: point.loss,
    ),
    "accuracy": _Shown(
        name=("准确率", "Accuracy"),
        unit=("类别准确率（直接打分）", "category accuracy (direct)"),
        format=".1%",
        of_held_out=lambda point: point.accuracy,
    ),
    "preferred": _Shown(
        name=("偏好对", "Preferred"),
        unit=("选中的回答得分更高的比例", "share of pairs whose chosen answer scores higher"),
        format=".1%",
        of_step=lambda step: step.preferred,
    ),
    "margin": _Shown(
        name=("差距", "Margin"),
        unit=("选中减落选的奖励", "reward of the chosen answer less that of the rejected"),
        format=".3f",
        of_step=lambda step: step.margin,
    ),
    "learning_rate": _Shown(
        name=("学习率", "Learning rate"),
        unit=("学习率", "learning rate"),
        format=".2e",
        of_step=lambda step: step.learning_rate,
    ),
    "grad_norm": _Shown(
        name=("梯度", "Gradient norm"),
        unit=("梯度范数（裁剪前）", "gradient norm before clipping"),
        format=".3f",
        of_step=lambda step: step.grad_norm,
    ),
    "tokens_per_second": _Shown(
        name=("速度", "Speed"),
        unit=("词元/秒", "tokens per second"),
        format=",.0f",
        of_step=lambda step: step.tokens_per_second,
    ),
    "memory_gib": _Shown(
        name=("内存", "Memory"),
        unit=("峰值内存 GiB", "peak memory in GiB"),
        format=".2f",
        of_step=lambda step: step.memory_gib,
    ),
}


def curves(
    runs: Mapping[str, Sequence[Event]], quantity: Quantity, axis: Axis = "step", smoothing: float = 0.0
) -> alt.LayerChart | None:
    """Chart one quantity of several runs; None where none of them has a point.

    Training is a line, smoothed with its raw values pale behind it; held-out points are
    joined by a dashed line.

    Args:
        runs: events of each run, by its name.
        quantity: what is drawn.
        axis: what it is drawn over.
        smoothing: weight of the past in a running mean, 0 to below 1.
    """
    shown = QUANTITIES[quantity]
    if quantity == "loss" and any(map(has_pairs, runs.values())):
        shown = replace(shown, unit=("偏好训练的损失", "loss of the preference training"))
    rows = [row for name, events in runs.items() for row in _rows(name, events, shown, axis, smoothing)]
    if not rows:
        return None
    if len(runs) == 1:
        # One run: its two curves are told apart by colour; several: the runs are.
        rows = [row | {"line": say(*KIND_NAMES[row["kind"]])} for row in rows]
        names = [say(*name) for kind, name in KIND_NAMES.items() if any(r["kind"] == kind for r in rows)]
    else:
        names = list(runs)
    layers = _layers(rows, names, shown, axis, smoothing)
    # The legend has two names a line, and its lines come out of the height.
    height = 250 + 25 * math.ceil(len(names) / 2)
    return cast(alt.LayerChart, alt.layer(*layers).properties(height=height))


def has_pairs(events: Sequence[Event]) -> bool:
    """Whether these events are of a training on preference pairs."""
    return any(isinstance(event, Step) and event.margin is not None for event in events)


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Smooth by an exponential moving average without bias towards zero at its start."""
    mean = Smoothed(weight)
    return [mean.add(value) for value in values]


def thinned(points: Sequence[Any], longest: int = LONGEST) -> list[Any]:
    """Thin points evenly to about the longest number, and keep the last."""
    stride = max(1, math.ceil(len(points) / longest))
    kept = list(points[::stride])
    return kept if not points or kept[-1] is points[-1] else [*kept, points[-1]]


def _rows(
    name: str, events: Sequence[Event], shown: _Shown, axis: Axis, smoothing: float
) -> Iterator[dict[str, Any]]:
    steps = [(e, shown.of_step(e)) for e in events if isinstance(e, Step)] if shown.of_step else []
    learned = [(event, value) for event, value in steps if _is_number(value)]
    means = smoothed([value for _, value in learned if value is not None], smoothing)
    for (event, value), mean in thinned(list(zip(learned, means, strict=True))):
        yield {"run": name, "line": name, "kind": "train", "x": getattr(event, axis), "y": mean, "raw": value}
    held = [e for e in events if isinstance(e, HeldOut)] if shown.of_held_out else []
    for event in thinned(held):
        point = shown.of_held_out(event) if shown.of_held_out else None
        if _is_number(point):
            yield {
                "run": name,
                "line": name,
                "kind": "held",
                "x": getattr(event, axis),
                "y": point,
                "raw": point,
            }


def _is_number(value: float | None) -> bool:
    """Tell whether a value can be drawn: it is there and finite."""
    return value is not None and math.isfinite(value)


def _layers(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], shown: _Shown, axis: Axis, smoothing: float
) -> list[alt.Chart]:
    title = say("步", "step") if axis == "step" else say("轮", "epoch")
    percent = shown.format.endswith("%")
    data = alt.Data(values=list(rows))  # type: ignore[no-untyped-call]
    scale = alt.Scale(domain=list(names), range=[SERIES[n % len(SERIES)] for n in range(len(names))])
    legend = (
        alt.Legend(title=None, orient="top", labelLimit=320, columns=2, symbolOpacity=1)
        if len(names) > 1
        else None
    )
    base = alt.Chart(data).encode(
        x=alt.X(
            "x:Q",
            title=title,
            axis=alt.Axis(grid=False, tickMinStep=1 if axis == "step" else 0.1, format="~g"),
            scale=alt.Scale(nice=False),
        ),
        color=alt.Color("line:N", scale=scale, legend=legend),
        tooltip=[
            alt.Tooltip("run:N", title=say("运行", "run")),
            alt.Tooltip("x:Q", title=title, format=",.6~g"),
            alt.Tooltip("raw:Q", title=say(*shown.unit), format=shown.format),
        ],
    )
    y_axis = alt.Axis(format=".0%") if percent else alt.Axis(format="~g")
    y = alt.Y("y:Q", title=say(*shown.unit), scale=alt.Scale(zero=percent), axis=y_axis)
    train, held = "datum.kind === 'train'", "datum.kind === 'held'"
    layers = [
        base.transform_filter(train).mark_line(strokeWidth=2).encode(y=y),
        base.transform_filter(held).mark_line(strokeWidth=1.5, strokeDash=[5, 3]).encode(y=y),
        base.transform_filter(held).mark_point(filled=True, size=55, opacity=1, aria=False).encode(y=y),
    ]
    lone = [row for row in rows if row["kind"] == "train"]
    if len({row["x"] for row in lone}) == 1:  # a line of one point would not be seen
        layers.append(base.transform_filter(train).mark_point(filled=True, size=55, aria=False).encode(y=y))
    if smoothing:
        pale = base.transform_filter(train).mark_line(strokeWidth=1, opacity=0.25)
        layers.insert(0, pale.encode(y=alt.Y("raw:Q", title=say(*shown.unit))))
    return layers
